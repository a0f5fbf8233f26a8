// One byte string of a few, made to be compared quickly: its length and both its ends stand in the
// table, so that most comparisons look at no other memory.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace certgate::rules {

// The first and the last eight bytes; they overlap below 16, and below eight they are packed into
// one word. Equal lengths and equal ends are equal strings up to 16 bytes.
struct Ends {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

// The bytes of a string below eight in one word, in an order of their own.
inline std::uint64_t packed_word(char const* at, std::size_t size) noexcept {
  if (size >= 4) {
    std::uint32_t low;
    std::uint32_t high;
    std::memcpy(&low, at, 4);
    std::memcpy(&high, at + size - 4, 4);
    return low | static_cast<std::uint64_t>(high) << 32;
  }
  if (size == 0) return 0;
  return static_cast<unsigned char>(at[0]) |
         static_cast<std::uint64_t>(static_cast<unsigned char>(at[size / 2])) << 8 |
         static_cast<std::uint64_t>(static_cast<unsigned char>(at[size - 1])) << 16;
}

inline std::uint64_t word_at(char const* at) noexcept {
  std::uint64_t word;
  std::memcpy(&word, at, 8);
  return word;
}

inline Ends ends_of(std::string_view text) noexcept {
  if (text.size() >= 8) return {word_at(text.data()), word_at(text.data() + text.size() - 8)};
  return {packed_word(text.data(), text.size()), 0};
}

struct Needle {
  Ends ends;
  std::uint32_t offset = 0;  // in the text that holds all of a table's strings
  std::uint32_t length = 0;
};

// REQUIRES: `ends` are those of `value`; `text` holds the needle's string.
inline bool is_needle(Needle const& needle, char const* text, std::string_view value,
                      Ends ends) noexcept {
  return needle.length == value.size() && needle.ends.first == ends.first &&
         needle.ends.last == ends.last &&
         (value.size() <= 16 ||
          std::memcmp(text + needle.offset + 8, value.data() + 8, value.size() - 16) == 0);
}

inline bool is_one_of(Needle const* needle, std::uint32_t count, char const* text,
                      std::string_view value) noexcept {
  auto const ends = ends_of(value);
  for (auto const* const end = needle + count; needle != end; ++needle) {
    if (is_needle(*needle, text, value, ends)) return true;
  }
  return false;
}

}  // namespace certgate::rules
