// Bytes to text and back: hexadecimal, base64, percent-encoding. Every decoder is strict.
//
// Pure functions; the append_* forms write into a string that the caller reuses.
// See: RFC 4648 §4 and §5 (base64), §8 (base16); RFC 3986 §2.1 (percent-encoding).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace certgate {

using Bytes = std::span<std::uint8_t const>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<std::uint8_t const*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

enum class HexCase { lower, upper };
void append_hex(std::string& out, Bytes bytes, HexCase hex_case);
std::string format_hex(Bytes bytes, HexCase hex_case);
// Both cases, an even number of digits, nothing else; nullopt otherwise.
std::optional<std::string> parse_hex(std::string_view text);
// 0 to 15, or -1 when `digit` is not hexadecimal.
int hex_digit(char digit);

enum class Base64Alphabet { standard, url_safe };
enum class Base64Padding { padded, unpadded };
constexpr std::size_t base64_length(std::size_t bytes) { return (bytes + 2) / 3 * 4; }
void append_base64(std::string& out, Bytes bytes,
                   Base64Alphabet alphabet = Base64Alphabet::standard,
                   Base64Padding padding = Base64Padding::padded);
std::string format_base64(Bytes bytes, Base64Alphabet alphabet = Base64Alphabet::standard,
                          Base64Padding padding = Base64Padding::padded);
// Padding as told, no white space, unused bits zero; nullopt otherwise.
std::optional<std::string> parse_base64(std::string_view text,
                                        Base64Alphabet alphabet = Base64Alphabet::standard,
                                        Base64Padding padding = Base64Padding::padded);

// The same for padded text that comes in pieces, as the lines of PEM; a piece may end anywhere.
class Base64Decoder {
 public:
  // Appends to `out`, which outlives it.
  explicit Base64Decoder(std::string& out) : out_(out) {}
  // False when it cannot become base64 any more; then only the piece with a foreign character, or
  // the first one after the padding, is to blame.
  bool decode(std::string_view piece);
  // Whether everything that came is whole.
  bool finish() const { return held_.empty(); }

 private:
  bool decode_last(std::string_view group);
  std::string& out_;
  std::string held_;  // 1 to 3 characters of a group that goes on in the next piece
  bool has_ended_ = false;
};

// `%XX` decoded; nullopt when a percent sign is not followed by two hexadecimal digits.
std::optional<std::string> parse_percent(std::string_view text);
// Everything but RFC 3986 unreserved characters as %XX, upper case.
std::string format_percent(std::string_view text);

// ASCII only: the locale is never asked.
constexpr char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr char ascii_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
std::string ascii_lower(std::string_view text);
bool ascii_iequal(std::string_view left, std::string_view right);

// A JSON string's inside (without the quotes): RFC 8259 §7. Bytes that are not UTF-8 become \u00XX,
// so that every record is valid JSON whatever a peer sent.
void append_json_escaped(std::string& out, std::string_view text);

}  // namespace certgate
