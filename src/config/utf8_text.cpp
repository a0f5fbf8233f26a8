// Makes sure that a file is text before YAML looks at it, and counts its characters.
#include "utf8_text.hpp"

#include <algorithm>

namespace certgate::config {
namespace {

constexpr std::size_t index_step = 64;

unsigned char byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

bool continues(std::string_view text, std::size_t at, unsigned char low = 0x80,
               unsigned char high = 0xBF) {
  return at < text.size() && byte_at(text, at) >= low && byte_at(text, at) <= high;
}

// Length of the well-formed character at `at` (Unicode table 3-7), or 0.
std::size_t character_length(std::string_view text, std::size_t at) {
  unsigned char const first = byte_at(text, at);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(text, at + 1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    unsigned char const low = first == 0xE0 ? 0xA0 : 0x80;
    unsigned char const high = first == 0xED ? 0x9F : 0xBF;
    return continues(text, at + 1, low, high) && continues(text, at + 2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    unsigned char const low = first == 0xF0 ? 0x90 : 0x80;
    unsigned char const high = first == 0xF4 ? 0x8F : 0xBF;
    bool const whole =
        continues(text, at + 1, low, high) && continues(text, at + 2) && continues(text, at + 3);
    return whole ? 4 : 0;
  }
  return 0;
}

bool is_forbidden_control(unsigned char c) {
  return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F;
}

}  // namespace

std::optional<TextMistake> find_text_mistake(std::string_view text) {
  using namespace std::string_view_literals;
  if (text.starts_with("\xFF\xFE"sv) || text.starts_with("\xFE\xFF"sv) ||
      text.starts_with("\0\0\xFE\xFF"sv)) {
    return TextMistake{0, 1, "the file is not UTF-8 but UTF-16 or UTF-32", "save it as UTF-8"};
  }
  std::size_t at = text.starts_with("\xEF\xBB\xBF"sv) ? 3 : 0;
  while (at < text.size()) {
    unsigned char const c = byte_at(text, at);
    if (c >= 0x20 && c < 0x7F) {
      ++at;
      continue;
    }
    if (is_forbidden_control(c)) {
      constexpr char digits[] = "0123456789ABCDEF";
      std::string const code{digits[c >> 4], digits[c & 15]};
      return TextMistake{at, 1, "control character 0x" + code + " in the file",
                         "remove it; in a \"quoted\" value it can be written as \\x" + code};
    }
    if (c == '\r' && (at + 1 >= text.size() || text[at + 1] != '\n')) {
      return TextMistake{at, 1, "a carriage return that does not end a line",
                         "end lines with a line feed"};
    }
    std::size_t const length = character_length(text, at);
    if (length == 0) {
      return TextMistake{at, 1, "the file is not valid UTF-8 here", "save it as UTF-8"};
    }
    std::string_view const character = text.substr(at, length);
    if (character == "\xC2\x85"sv || character == "\xE2\x80\xA8"sv ||
        character == "\xE2\x80\xA9"sv) {
      return TextMistake{at, length, "a Unicode line separator in the file",
                         "end lines with a line feed; YAML readers disagree about this one"};
    }
    if (character == "\xEF\xBB\xBF"sv) {
      return TextMistake{at, length, "a byte-order mark in the middle of the file", "remove it"};
    }
    at += length;
  }
  return std::nullopt;
}

CharacterIndex::CharacterIndex(std::string_view text) : text_(text) {
  ascii_ = std::all_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii_) return;
  std::size_t character = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if ((byte_at(text, at) & 0xC0) == 0x80) continue;
    if (character++ % index_step == 0) every_64th_.push_back(static_cast<std::uint32_t>(at));
  }
}

std::size_t CharacterIndex::byte_of(std::size_t character) const {
  if (ascii_) return std::min(character, text_.size());
  std::size_t const step = character / index_step;
  if (step >= every_64th_.size()) return text_.size();
  std::size_t at = every_64th_[step];
  for (std::size_t left = character % index_step; left > 0 && at < text_.size(); --left) {
    do {
      ++at;
    } while (at < text_.size() && (byte_at(text_, at) & 0xC0) == 0x80);
  }
  return at;
}

}  // namespace certgate::config
