// Makes sure that a file is text before YAML looks at it, and counts its characters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace certgate::config {

struct TextMistake {
  std::size_t offset;
  std::size_t length;
  std::string message;
  std::string hint;
};

// The first thing that must not be in a configuration file: a byte-order mark of UTF-16 or UTF-32,
// bytes that are not UTF-8, control characters, and the line separators on which YAML 1.1 and 1.2
// disagree. An UTF-8 byte-order mark at the start is fine.
std::optional<TextMistake> find_text_mistake(std::string_view text);

// libyaml counts characters, diagnostics count bytes. REQUIRES: valid UTF-8.
class CharacterIndex {
 public:
  explicit CharacterIndex(std::string_view text);
  // The byte where a character starts; the end of the text for anything behind it.
  std::size_t byte_of(std::size_t character) const;

 private:
  std::string_view text_;
  bool ascii_ = true;
  std::vector<std::uint32_t> every_64th_;  // empty when ascii_
};

}  // namespace certgate::config
