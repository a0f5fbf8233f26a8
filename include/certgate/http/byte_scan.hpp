// Finds the first byte that needs a closer look, eight bytes at a time.
//
// Names and values pass here several times on their way through, so these are inline. Each marks the
// high bit of every byte of a word that it looks for, without a carry from one byte to the next.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace certgate::http {

namespace detail {

static_assert(std::endian::native == std::endian::little, "the first byte is the lowest");

constexpr std::uint64_t in_every_byte(std::uint64_t value) { return 0x0101010101010101U * value; }
constexpr auto high_bits = in_every_byte(0x80);
constexpr auto low_bits = in_every_byte(0x7F);

// The high bit where the low seven bits of a byte are at least `bound`, 1 to 127.
constexpr std::uint64_t mark_at_least(std::uint64_t low, std::uint64_t bound) {
  return low + in_every_byte(0x80 - bound);
}
// The high bit where a byte's low seven bits are not `value`.
constexpr std::uint64_t mark_other_than(std::uint64_t low, std::uint64_t value) {
  return (low ^ in_every_byte(value)) + low_bits;
}

// Anything but ASCII letters, digits and hyphens.
constexpr std::uint64_t mark_odd_in_names(std::uint64_t word) {
  auto const low = word & low_bits;
  auto const lower = low | in_every_byte(0x20);
  auto const letter = mark_at_least(lower, 'a') & ~mark_at_least(lower, 'z' + 1);
  auto const digit = mark_at_least(low, '0') & ~mark_at_least(low, '9' + 1);
  auto const hyphen = ~mark_other_than(low, '-');
  return (~(letter | digit | hyphen) | word) & high_bits;
}

// Anything but 0x20 to 0x7E.
constexpr std::uint64_t mark_not_printable(std::uint64_t word) {
  auto const low = word & low_bits;
  return (~mark_at_least(low, 0x20) | ~mark_other_than(low, 0x7F) | word) & high_bits;
}

// 0x00 to 0x1F and 0x7F; bytes above ASCII are none.
constexpr std::uint64_t mark_controls(std::uint64_t word) {
  auto const low = word & low_bits;
  return (~mark_at_least(low, 0x20) | ~mark_other_than(low, 0x7F)) & ~word & high_bits;
}

template <std::uint64_t mark(std::uint64_t)>
char const* find_marked(char const* at, char const* end) {
  for (; end - at >= 8; at += 8) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof(word));
    auto const marks = mark(word);
    if (marks != 0) return at + std::countr_zero(marks) / 8;
  }
  while (at != end && mark(static_cast<unsigned char>(*at)) << 56 == 0) ++at;
  return at;
}

}  // namespace detail

// The first byte that is none of ASCII letters, digits and hyphens, of which all but odd field names
// consist; `end` when there is none.
inline char const* find_odd_in_name(char const* at, char const* end) {
  return detail::find_marked<detail::mark_odd_in_names>(at, end);
}

// The first byte outside 0x20 to 0x7E; `end` when there is none.
inline char const* find_not_printable(char const* at, char const* end) {
  return detail::find_marked<detail::mark_not_printable>(at, end);
}
inline bool is_printable(std::string_view text) {
  auto const* const end = text.data() + text.size();
  return find_not_printable(text.data(), end) == end;
}

// The first control character: 0x00 to 0x1F, 0x7F; `end` when there is none.
inline char const* find_control(char const* at, char const* end) {
  return detail::find_marked<detail::mark_controls>(at, end);
}

}  // namespace certgate::http
