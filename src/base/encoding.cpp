// Hexadecimal, base64, percent-encoding and JSON escaping, one table look-up per byte.
#include "certgate/base/encoding.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace certgate {
namespace {

constexpr std::string_view lower_digits = "0123456789abcdef";
constexpr std::string_view upper_digits = "0123456789ABCDEF";
constexpr std::string_view standard_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url_safe_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

using ValueTable = std::array<std::int8_t, 256>;

constexpr ValueTable values_of(std::string_view alphabet) {
  ValueTable table{};
  for (auto& value : table) value = -1;
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  }
  return table;
}

constexpr ValueTable make_hex_values() {
  ValueTable table = values_of(lower_digits);
  for (int i = 10; i < 16; ++i) {
    table[static_cast<unsigned char>(upper_digits[static_cast<std::size_t>(i)])] =
        static_cast<std::int8_t>(i);
  }
  return table;
}

constexpr ValueTable hex_values = make_hex_values();
constexpr ValueTable standard_values = values_of(standard_alphabet);
constexpr ValueTable url_safe_values = values_of(url_safe_alphabet);

// For each place in a group of four characters what the character there adds to the 24 bits.
struct GroupTables {
  std::array<std::array<std::uint32_t, 256>, 4> bits;
};
constexpr std::uint32_t foreign_character = 0x8000'0000;

constexpr GroupTables group_tables_of(ValueTable const& values) {
  GroupTables tables{};
  for (std::size_t c = 0; c < values.size(); ++c) {
    for (std::size_t place = 0; place < 4; ++place) {
      tables.bits[place][c] = values[c] < 0 ? foreign_character
                                            : static_cast<std::uint32_t>(values[c])
                                                  << (6 * (3 - place));
    }
  }
  return tables;
}
constexpr GroupTables standard_groups = group_tables_of(standard_values);
constexpr GroupTables url_safe_groups = group_tables_of(url_safe_values);

// Decodes whole groups of four characters up to the first that has a foreign one; gives how many
// characters that were. REQUIRES: text.size() % 4 == 0, room for three bytes a group.
std::size_t decode_groups(std::string_view text, GroupTables const& tables, char* to) {
  auto const* const from = reinterpret_cast<unsigned char const*>(text.data());
  auto const& bits = tables.bits;
  std::size_t at = 0;
  for (; at < text.size(); at += 4, to += 3) {
    std::uint32_t const group =
        bits[0][from[at]] | bits[1][from[at + 1]] | bits[2][from[at + 2]] | bits[3][from[at + 3]];
    if ((group & foreign_character) != 0) break;
    to[0] = static_cast<char>(group >> 16);
    to[1] = static_cast<char>(group >> 8);
    to[2] = static_cast<char>(group);
  }
  return at;
}

// Part of a group that ends later: digits and padding.
bool could_go_on(std::string_view part) {
  return std::all_of(part.begin(), part.end(), [](char c) {
    return c == '=' || standard_values[static_cast<unsigned char>(c)] >= 0;
  });
}

// Both digits of every byte, so that a byte costs one load and one store.
struct DigitPairs {
  std::array<char, 512> text;
};
constexpr DigitPairs pairs_of(std::string_view digits) {
  DigitPairs pairs{};
  for (std::size_t i = 0; i < 256; ++i) {
    pairs.text[2 * i] = digits[i >> 4];
    pairs.text[2 * i + 1] = digits[i & 15];
  }
  return pairs;
}
constexpr DigitPairs lower_pairs = pairs_of(lower_digits);
constexpr DigitPairs upper_pairs = pairs_of(upper_digits);

char* extend(std::string& out, std::size_t length) {
  std::size_t const before = out.size();
  out.resize(before + length);
  return out.data() + before;
}

// RFC 3986 §2.3: "unreserved = ALPHA / DIGIT / "-" / "." / "_" / "~""
constexpr bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

// The length of the UTF-8 character at the front (RFC 3629 §4: no surrogates, nothing overlong,
// nothing above U+10FFFF); 0 when there is none. REQUIRES: text is not empty.
std::size_t utf8_length(std::string_view text) {
  auto const at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  auto const tail = [&](std::size_t i) { return i < text.size() && (at(i) & 0xC0) == 0x80; };
  unsigned char const first = at(0);
  if (first < 0x80) return 1;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return tail(1) ? 2 : 0;
  if (first < 0xF0) {
    if (!tail(1) || !tail(2)) return 0;
    if (first == 0xE0 && at(1) < 0xA0) return 0;
    if (first == 0xED && at(1) > 0x9F) return 0;
    return 3;
  }
  if (first > 0xF4 || !tail(1) || !tail(2) || !tail(3)) return 0;
  if (first == 0xF0 && at(1) < 0x90) return 0;
  if (first == 0xF4 && at(1) > 0x8F) return 0;
  return 4;
}

constexpr std::uint64_t every_byte(unsigned char value) { return 0x0101010101010101u * value; }

std::uint64_t load8(char const* from) {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

// A high bit where a byte is 0; exact when no byte has its high bit set.
constexpr std::uint64_t zero_bytes(std::uint64_t word) {
  return (word - every_byte(1)) & ~word & every_byte(0x80);
}

// True when none of the eight bytes is a control, a quote, a backslash, DEL or above ASCII.
constexpr bool all_plain(std::uint64_t word) {
  std::uint64_t const high = word & every_byte(0x80);
  std::uint64_t const control = (word - every_byte(0x20)) & ~word & every_byte(0x80);
  std::uint64_t const special = zero_bytes(word ^ every_byte('"')) |
                                zero_bytes(word ^ every_byte('\\')) |
                                zero_bytes(word ^ every_byte(0x7F));
  return (high | control | special) == 0;
}

constexpr bool is_plain(char c) {
  auto const byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\';
}

std::size_t plain_length(std::string_view text) {
  std::size_t i = 0;
  while (i + 8 <= text.size() && all_plain(load8(text.data() + i))) i += 8;
  while (i < text.size() && is_plain(text[i])) ++i;
  return i;
}

void append_unicode_escape(std::string& out, unsigned char byte) {
  char const escape[] = {'\\', 'u', '0', '0', lower_digits[byte >> 4], lower_digits[byte & 15]};
  out.append(escape, sizeof(escape));
}

}  // namespace

void append_hex(std::string& out, Bytes bytes, HexCase hex_case) {
  char* to = extend(out, 2 * bytes.size());
  char const* const pairs =
      hex_case == HexCase::lower ? lower_pairs.text.data() : upper_pairs.text.data();
  for (std::uint8_t const byte : bytes) {
    std::memcpy(to, pairs + 2 * std::size_t{byte}, 2);
    to += 2;
  }
}

std::string format_hex(Bytes bytes, HexCase hex_case) {
  std::string out;
  append_hex(out, bytes, hex_case);
  return out;
}

int hex_digit(char digit) { return hex_values[static_cast<unsigned char>(digit)]; }

std::optional<std::string> parse_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out(text.size() / 2, '\0');
  for (std::size_t i = 0; i < out.size(); ++i) {
    int const high = hex_digit(text[2 * i]);
    int const low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out[i] = static_cast<char>(high * 16 + low);
  }
  return out;
}

void append_base64(std::string& out, Bytes bytes, Base64Alphabet alphabet, Base64Padding padding) {
  char const* const digits =
      (alphabet == Base64Alphabet::standard ? standard_alphabet.data() : url_safe_alphabet.data());
  std::size_t const rest = bytes.size() % 3;
  std::size_t const whole = bytes.size() - rest;
  std::size_t const tail = rest == 0 ? 0 : padding == Base64Padding::padded ? 4 : rest + 1;
  char* to = extend(out, whole / 3 * 4 + tail);
  std::uint8_t const* from = bytes.data();
  for (std::size_t i = 0; i < whole; i += 3, to += 4) {
    unsigned const group = unsigned{from[i]} << 16 | unsigned{from[i + 1]} << 8 | from[i + 2];
    to[0] = digits[group >> 18];
    to[1] = digits[group >> 12 & 63];
    to[2] = digits[group >> 6 & 63];
    to[3] = digits[group & 63];
  }
  if (rest == 0) return;
  unsigned const group =
      unsigned{from[whole]} << 16 | (rest == 2 ? unsigned{from[whole + 1]} << 8 : 0u);
  to[0] = digits[group >> 18];
  to[1] = digits[group >> 12 & 63];
  if (rest == 2) to[2] = digits[group >> 6 & 63];
  if (padding == Base64Padding::unpadded) return;
  if (rest == 1) to[2] = '=';
  to[3] = '=';
}

std::string format_base64(Bytes bytes, Base64Alphabet alphabet, Base64Padding padding) {
  std::string out;
  append_base64(out, bytes, alphabet, padding);
  return out;
}

std::optional<std::string> parse_base64(std::string_view text, Base64Alphabet alphabet,
                                        Base64Padding padding) {
  ValueTable const& values =
      alphabet == Base64Alphabet::standard ? standard_values : url_safe_values;
  if (padding == Base64Padding::padded) {
    if (text.size() % 4 != 0) return std::nullopt;
    if (text.ends_with("==")) {
      text.remove_suffix(2);
      if (text.size() % 4 != 2) return std::nullopt;
    } else if (text.ends_with('=')) {
      text.remove_suffix(1);
    }
  }
  if (text.size() % 4 == 1) return std::nullopt;
  std::size_t const whole = text.size() / 4 * 4;
  std::string out(whole / 4 * 3, '\0');
  auto const& tables = alphabet == Base64Alphabet::standard ? standard_groups : url_safe_groups;
  if (decode_groups(text.substr(0, whole), tables, out.data()) != whole) return std::nullopt;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (char const c : text.substr(whole)) {
    int const value = values[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xFF);
      bits &= (1u << count) - 1;
    }
  }
  // Only one text stands for given bytes (RFC 4648 §3.5): left-over bits must be zero.
  if (bits != 0) return std::nullopt;
  return out;
}

// A group that has a foreign character: the padding, or a mistake.
bool Base64Decoder::decode_last(std::string_view group) {
  auto const bytes = parse_base64(group);
  if (!bytes) return false;
  out_.append(*bytes);
  has_ended_ = bytes->size() < 3;
  return true;
}

bool Base64Decoder::decode(std::string_view piece) {
  if (piece.empty()) return true;
  if (has_ended_) return false;
  if (!held_.empty()) {
    std::size_t const more = std::min(piece.size(), 4 - held_.size());
    if (!could_go_on(piece.substr(0, more))) return false;
    held_.append(piece.substr(0, more));
    piece.remove_prefix(more);
    if (held_.size() == 4) {
      if (!decode_last(held_)) return false;
      held_.clear();
      if (has_ended_) return piece.empty();
    }
  }
  std::size_t const whole = piece.size() / 4 * 4;
  std::size_t const before = out_.size();
  std::size_t const done =
      decode_groups(piece.substr(0, whole), standard_groups, extend(out_, whole / 4 * 3));
  out_.resize(before + done / 4 * 3);
  piece.remove_prefix(done);
  if (done < whole) return decode_last(piece.substr(0, 4)) && piece.size() == 4;
  if (!could_go_on(piece)) return false;
  held_.append(piece);
  return true;
}

std::optional<std::string> parse_percent(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    int const high = hex_digit(text[i + 1]);
    int const low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::string format_percent(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char const c : text) {
    if (is_unreserved(c)) {
      out += c;
      continue;
    }
    out += '%';
    out.append(upper_pairs.text.data() + 2 * std::size_t{static_cast<unsigned char>(c)}, 2);
  }
  return out;
}

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = ascii_lower(c);
  return out;
}

bool ascii_iequal(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  char const* a = left.data();
  char const* b = right.data();
  std::size_t rest = left.size();
  // Names mostly arrive in the spelling they are compared with: eight equal bytes need no folding.
  while (rest >= 8) {
    if (load8(a) != load8(b)) {
      for (int i = 0; i < 8; ++i) {
        if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
      }
    }
    a += 8;
    b += 8;
    rest -= 8;
  }
  for (; rest != 0; --rest, ++a, ++b) {
    if (ascii_lower(*a) != ascii_lower(*b)) return false;
  }
  return true;
}

void append_json_escaped(std::string& out, std::string_view text) {
  while (true) {
    std::size_t const plain = plain_length(text);
    out.append(text.data(), plain);
    text.remove_prefix(plain);
    if (text.empty()) return;
    auto const byte = static_cast<unsigned char>(text.front());
    if (byte < 0x80) {
      switch (byte) {
        case '"':
          out += "\\\"";
          break;
        case '\\':
          out += "\\\\";
          break;
        case '\b':
          out += "\\b";
          break;
        case '\t':
          out += "\\t";
          break;
        case '\n':
          out += "\\n";
          break;
        case '\f':
          out += "\\f";
          break;
        case '\r':
          out += "\\r";
          break;
        default:
          append_unicode_escape(out, byte);
      }
      text.remove_prefix(1);
      continue;
    }
    std::size_t const length = utf8_length(text);
    if (length == 0) {
      append_unicode_escape(out, byte);
      text.remove_prefix(1);
      continue;
    }
    // U+0080 to U+009F are control characters that some terminals obey.
    if (byte == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0) {
      append_unicode_escape(out, static_cast<unsigned char>(text[1]));
    } else {
      out.append(text.data(), length);
    }
    text.remove_prefix(length);
  }
}

}  // namespace certgate
