#include "base64_arena.hpp"

namespace certgate::rules {

std::optional<std::size_t> decode_base64_into(char* out, std::string_view text,
                                              Base64Alphabet alphabet) noexcept {
  if (text.size() % 4 == 0 && text.ends_with('=')) {
    text.remove_suffix(text.ends_with("==") ? 2 : 1);
  }
  if (text.size() % 4 == 1) return std::nullopt;
  char const plus = alphabet == Base64Alphabet::standard ? '+' : '-';
  char const slash = alphabet == Base64Alphabet::standard ? '/' : '_';
  std::size_t size = 0;
  unsigned bits = 0;
  int held = 0;
  for (char const c : text) {
    unsigned digit = 0;
    if (c >= 'A' && c <= 'Z') {
      digit = static_cast<unsigned>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      digit = static_cast<unsigned>(c - 'a') + 26;
    } else if (c >= '0' && c <= '9') {
      digit = static_cast<unsigned>(c - '0') + 52;
    } else if (c == plus) {
      digit = 62;
    } else if (c == slash) {
      digit = 63;
    } else {
      return std::nullopt;
    }
    bits = bits << 6 | digit;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out[size++] = static_cast<char>(bits >> held & 0xff);
  }
  if ((bits & ((1u << held) - 1)) != 0) return std::nullopt;
  return size;
}

}  // namespace certgate::rules
