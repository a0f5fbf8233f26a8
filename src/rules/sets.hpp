// Immutable sets of byte strings, integers and addresses, for `in {...}` and for lists.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "certgate/base/ip.hpp"
#include "certgate/rules/value.hpp"

namespace certgate::rules {

// 64 well-mixed bits; the seed keeps different uses of one string apart.
std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed = 0) noexcept;
std::uint64_t hash_number(std::uint64_t number) noexcept;

// A few strings are compared one by one, more are hashed. Fewer than 2^32 bytes in all.
class BytesSet {
 public:
  BytesSet() = default;
  // Duplicates are dropped.
  explicit BytesSet(std::vector<std::string_view> const& entries);
  bool contains(std::string_view value) const noexcept;
  std::size_t size() const { return entries_.size(); }
  std::size_t memory_bytes() const;
  void visit(std::function<void(std::string_view)> const& each) const {
    for (auto const entry : entries_) each(text_of(entry));
  }

 private:
  struct Entry {
    std::uint32_t offset;
    std::uint32_t length;
  };
  static constexpr std::size_t max_scanned = 8;
  std::string_view text_of(Entry entry) const {
    return std::string_view(text_).substr(entry.offset, entry.length);
  }
  bool is_entry(Entry entry, std::string_view value) const noexcept {
    return entry.length == value.size() &&
           (value.empty() ||
            std::memcmp(text_.data() + entry.offset, value.data(), value.size()) == 0);
  }

  std::string text_;  // all entries, one after the other
  std::vector<Entry> entries_;
  std::vector<std::uint32_t>
      slots_;  // 0: free, else 1 + index of the entry; a power of two of them
};

class IntegerSet {
 public:
  IntegerSet() = default;
  explicit IntegerSet(std::vector<std::pair<std::int64_t, std::int64_t>> ranges);
  bool contains(std::int64_t value) const noexcept;
  std::size_t size() const { return numbers_ + ranges_.size(); }
  std::size_t memory_bytes() const;

 private:
  bool in_numbers(std::int64_t value) const noexcept;

  std::vector<std::pair<std::int64_t, std::int64_t>> ranges_;  // sorted, disjoint
  // Single numbers, hashed; the number that marks a free slot is kept as a range.
  static constexpr std::int64_t free_slot = INT64_MIN;
  std::vector<std::int64_t> slots_;
  std::size_t numbers_ = 0;
};

class AddressSet {
 public:
  AddressSet() = default;
  // REQUIRES of each range: one family, first <= last.
  explicit AddressSet(std::vector<std::pair<IpAddress, IpAddress>> const& ranges);
  // 16 bytes in network order, IPv4 in the first four.
  bool contains(std::uint8_t const* address, bool is_v4) const noexcept;
  std::size_t size() const { return v4_.size() + v6_.size(); }
  std::size_t memory_bytes() const;

 private:
  struct V6 {
    std::uint64_t high;
    std::uint64_t low;
    friend auto operator<=>(V6 const&, V6 const&) = default;
  };
  static V6 v6_of(std::uint8_t const* bytes) noexcept;

  std::vector<std::pair<std::uint32_t, std::uint32_t>> v4_;  // sorted, disjoint
  std::vector<std::uint32_t> v4_start_;  // for each upper half: the first range that may hold it
  std::vector<std::pair<V6, V6>> v6_;
  std::vector<std::uint32_t> v6_start_;
};

}  // namespace certgate::rules
