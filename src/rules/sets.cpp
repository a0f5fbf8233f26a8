#include "sets.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "needle.hpp"

namespace certgate::rules {

namespace {

constexpr std::uint64_t multiplier = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio

std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  auto const product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// Sorts and joins what overlaps or touches.
template <class T, class Next>
void unite(std::vector<std::pair<T, T>>& ranges, Next touches) {
  std::sort(ranges.begin(), ranges.end());
  std::size_t kept = 0;
  for (auto const& range : ranges) {
    if (kept > 0 &&
        (range.first <= ranges[kept - 1].second || touches(ranges[kept - 1].second, range.first))) {
      ranges[kept - 1].second = std::max(ranges[kept - 1].second, range.second);
    } else {
      ranges[kept++] = range;
    }
  }
  ranges.resize(kept);
  ranges.shrink_to_fit();
}

constexpr std::size_t min_ranges_for_table = 64;
constexpr std::size_t upper_halves = 65536;

// start[u] is the first range whose end reaches the upper half u or beyond.
template <class T, class Upper>
std::vector<std::uint32_t> build_table(std::vector<std::pair<T, T>> const& ranges, Upper upper) {
  if (ranges.size() < min_ranges_for_table) return {};
  std::vector<std::uint32_t> start(upper_halves + 1);
  std::uint32_t range = 0;
  for (std::uint32_t u = 0; u <= upper_halves; ++u) {
    while (range < ranges.size() && upper(ranges[range].second) < u) ++range;
    start[u] = range;
  }
  return start;
}

template <class T>
bool in_ranges(std::vector<std::pair<T, T>> const& ranges, std::vector<std::uint32_t> const& start,
               std::uint32_t upper, T const& value) noexcept {
  auto first = ranges.begin();
  auto last = ranges.end();
  if (!start.empty()) {
    last = first + std::min<std::size_t>(start[upper + 1] + 1, ranges.size());
    first += start[upper];
  }
  auto const after = std::upper_bound(
      first, last, value, [](T const& v, std::pair<T, T> const& range) { return v < range.first; });
  return after != first && value <= std::prev(after)->second;
}

}  // namespace

std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed) noexcept {
  std::uint64_t hash = seed ^ (bytes.size() * multiplier);
  auto const* at = bytes.data();
  auto const size = bytes.size();
  std::uint64_t tail;
  if (size >= 8) {
    auto const* const last = at + size - 8;
    for (; at < last; at += 8) hash = mix(hash ^ word_at(at), multiplier);
    tail = word_at(last);
  } else {
    tail = packed_word(at, size);
  }
  return mix(hash ^ tail ^ 0xd6e8feb86659fd93, multiplier);
}

std::uint64_t hash_number(std::uint64_t number) noexcept {
  return mix(number ^ 0xd6e8feb86659fd93, multiplier);
}

// ---- byte strings

BytesSet::BytesSet(std::vector<std::string_view> const& entries) {
  std::size_t bytes = 0;
  for (auto const entry : entries) bytes += entry.size();
  text_.reserve(bytes);
  entries_.reserve(entries.size());
  bool const hashed = entries.size() > max_scanned;
  if (hashed) slots_.assign(std::bit_ceil(entries.size() * 2), 0);
  for (auto const entry : entries) {
    std::size_t slot = 0;
    bool known = false;
    if (hashed) {
      slot = hash_bytes(entry) & (slots_.size() - 1);
      for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
        if (text_of(entries_[slots_[slot] - 1]) == entry) {
          known = true;
          break;
        }
      }
    } else {
      known = contains(entry);
    }
    if (known) continue;
    entries_.push_back(
        {static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(entry.size())});
    text_ += entry;
    if (hashed) slots_[slot] = static_cast<std::uint32_t>(entries_.size());
  }
}

bool BytesSet::contains(std::string_view value) const noexcept {
  if (slots_.empty()) {
    for (auto const entry : entries_) {
      if (is_entry(entry, value)) return true;
    }
    return false;
  }
  auto const mask = slots_.size() - 1;
  for (auto slot = hash_bytes(value) & mask; slots_[slot] != 0; slot = (slot + 1) & mask) {
    if (is_entry(entries_[slots_[slot] - 1], value)) return true;
  }
  return false;
}

std::size_t BytesSet::memory_bytes() const {
  return text_.capacity() + entries_.capacity() * sizeof(Entry) + slots_.capacity() * 4;
}

// ---- integers

IntegerSet::IntegerSet(std::vector<std::pair<std::int64_t, std::int64_t>> ranges) {
  unite(ranges,
        [](std::int64_t end, std::int64_t start) { return end != INT64_MAX && end + 1 == start; });
  constexpr std::size_t min_hashed = 16;
  std::size_t singles = 0;
  for (auto const& [first, last] : ranges) singles += first == last && first != free_slot ? 1 : 0;
  if (singles < min_hashed) {
    ranges_ = std::move(ranges);
    return;
  }
  slots_.assign(std::bit_ceil(singles * 2), free_slot);
  for (auto const& [first, last] : ranges) {
    if (first != last || first == free_slot) {
      ranges_.emplace_back(first, last);
      continue;
    }
    auto const mask = slots_.size() - 1;
    auto slot = hash_number(static_cast<std::uint64_t>(first)) & mask;
    while (slots_[slot] != free_slot) slot = (slot + 1) & mask;
    slots_[slot] = first;
    ++numbers_;
  }
}

bool IntegerSet::in_numbers(std::int64_t value) const noexcept {
  auto const mask = slots_.size() - 1;
  for (auto slot = hash_number(static_cast<std::uint64_t>(value)) & mask; slots_[slot] != free_slot;
       slot = (slot + 1) & mask) {
    if (slots_[slot] == value) return true;
  }
  return false;
}

bool IntegerSet::contains(std::int64_t value) const noexcept {
  if (!slots_.empty() && in_numbers(value)) return true;
  return in_ranges(ranges_, {}, 0, value);
}

std::size_t IntegerSet::memory_bytes() const {
  return ranges_.capacity() * 16 + slots_.capacity() * 8;
}

// ---- addresses

AddressSet::V6 AddressSet::v6_of(std::uint8_t const* bytes) noexcept {
  V6 value{0, 0};
  for (int i = 0; i < 8; ++i) value.high = value.high << 8 | bytes[i];
  for (int i = 8; i < 16; ++i) value.low = value.low << 8 | bytes[i];
  return value;
}

AddressSet::AddressSet(std::vector<std::pair<IpAddress, IpAddress>> const& ranges) {
  for (auto const& [first, last] : ranges) {
    if (first.is_v4()) {
      v4_.emplace_back(first.v4_number(), last.v4_number());
    } else {
      v6_.emplace_back(v6_of(first.bytes().data()), v6_of(last.bytes().data()));
    }
  }
  unite(v4_, [](std::uint32_t end, std::uint32_t start) {
    return end != UINT32_MAX && end + 1 == start;
  });
  unite(v6_, [](V6 const& end, V6 const& start) {
    V6 const next{end.low == UINT64_MAX ? end.high + 1 : end.high, end.low + 1};
    return next == start && !(end.high == UINT64_MAX && end.low == UINT64_MAX);
  });
  v4_start_ = build_table(v4_, [](std::uint32_t v) { return v >> 16; });
  v6_start_ =
      build_table(v6_, [](V6 const& v) { return static_cast<std::uint32_t>(v.high >> 48); });
}

bool AddressSet::contains(std::uint8_t const* address, bool is_v4) const noexcept {
  if (is_v4) {
    auto const value = static_cast<std::uint32_t>(address[0]) << 24 |
                       static_cast<std::uint32_t>(address[1]) << 16 |
                       static_cast<std::uint32_t>(address[2]) << 8 | address[3];
    return in_ranges(v4_, v4_start_, value >> 16, value);
  }
  auto const value = v6_of(address);
  return in_ranges(v6_, v6_start_, static_cast<std::uint32_t>(value.high >> 48), value);
}

std::size_t AddressSet::memory_bytes() const {
  return v4_.capacity() * 8 + v6_.capacity() * 32 +
         (v4_start_.capacity() + v6_start_.capacity()) * 4;
}

}  // namespace certgate::rules
