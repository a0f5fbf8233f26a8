// Encodings: the tables of the RFCs, strictness, and agreement with the slow obvious way.
#include "certgate/base/encoding.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <random>
#include <string>

namespace certgate {
namespace {

std::string random_text(std::mt19937& random, std::size_t length) {
  std::string text(length, '\0');
  for (char& c : text) c = static_cast<char>(random() & 0xFF);
  return text;
}

std::string slow_hex(std::string_view text) {
  std::string out;
  for (char const c : text) {
    char pair[3];
    std::snprintf(pair, sizeof(pair), "%02x", static_cast<unsigned char>(c));
    out += pair;
  }
  return out;
}

std::string slow_base64(std::string_view text) {
  static constexpr char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bits;
  for (char const c : text) {
    for (int bit = 7; bit >= 0; --bit)
      bits += (static_cast<unsigned char>(c) >> bit & 1) ? '1' : '0';
  }
  while (bits.size() % 6 != 0) bits += '0';
  std::string out;
  for (std::size_t i = 0; i < bits.size(); i += 6) {
    out += digits[std::stoul(bits.substr(i, 6), nullptr, 2)];
  }
  while (out.size() % 4 != 0) out += '=';
  return out;
}

std::string json_escaped(std::string_view text) {
  std::string out;
  append_json_escaped(out, text);
  return out;
}

TEST(Hex, writes_both_cases_and_appends) {
  std::string out = "serial=";
  append_hex(out, as_bytes("\x01\xab\xFF"), HexCase::lower);
  EXPECT_EQ(out, "serial=01abff");
  EXPECT_EQ(format_hex(as_bytes("\x01\xab\xFF"), HexCase::upper), "01ABFF");
  EXPECT_EQ(format_hex({}, HexCase::lower), "");
}

TEST(Hex, agrees_with_printf_and_comes_back) {
  std::mt19937 random{1};
  for (std::size_t length = 0; length < 70; ++length) {
    std::string const text = random_text(random, length);
    EXPECT_EQ(format_hex(as_bytes(text), HexCase::lower), slow_hex(text));
    EXPECT_EQ(parse_hex(slow_hex(text)), text);
  }
}

TEST(Hex, refuses_anything_but_pairs_of_digits) {
  EXPECT_EQ(parse_hex("0aF9"), std::string("\x0a\xf9"));
  for (auto const* text : {"0", "0g", "0 ", " 00", "0x00", "00\n", "0:0", "\xC2\xB9\x30"}) {
    EXPECT_EQ(parse_hex(text), std::nullopt) << text;
  }
  EXPECT_EQ(hex_digit('f'), 15);
  EXPECT_EQ(hex_digit('F'), 15);
  EXPECT_EQ(hex_digit('g'), -1);
  EXPECT_EQ(hex_digit('\xFF'), -1);
}

// RFC 4648 §10.
TEST(Base64, rfc_4648_test_vectors) {
  struct Case {
    char const* plain;
    char const* encoded;
  };
  for (auto const& [plain, encoded] :
       {Case{"", ""}, Case{"f", "Zg=="}, Case{"fo", "Zm8="}, Case{"foo", "Zm9v"},
        Case{"foob", "Zm9vYg=="}, Case{"fooba", "Zm9vYmE="}, Case{"foobar", "Zm9vYmFy"}}) {
    EXPECT_EQ(format_base64(as_bytes(plain)), encoded);
    EXPECT_EQ(parse_base64(encoded), plain);
    EXPECT_EQ(base64_length(std::string_view(plain).size()), std::string_view(encoded).size());
  }
}

TEST(Base64, agrees_with_the_slow_way_in_every_variant) {
  std::mt19937 random{2};
  for (std::size_t length = 0; length < 70; ++length) {
    std::string const text = random_text(random, length);
    EXPECT_EQ(format_base64(as_bytes(text)), slow_base64(text));
    for (auto const alphabet : {Base64Alphabet::standard, Base64Alphabet::url_safe}) {
      for (auto const padding : {Base64Padding::padded, Base64Padding::unpadded}) {
        auto const encoded = format_base64(as_bytes(text), alphabet, padding);
        EXPECT_EQ(parse_base64(encoded, alphabet, padding), text);
      }
    }
  }
}

// Decoded in pieces of `size` characters; nullopt as parse_base64().
std::optional<std::string> in_pieces(std::string_view text, std::size_t size) {
  std::string out;
  Base64Decoder decoder(out);
  for (std::size_t at = 0; at < text.size(); at += size) {
    if (!decoder.decode(text.substr(at, size))) return std::nullopt;
  }
  return decoder.finish() ? std::optional(out) : std::nullopt;
}

TEST(Base64, pieces_and_the_whole_are_the_same) {
  std::mt19937 random{3};
  for (std::size_t length = 0; length < 70; ++length) {
    auto text = format_base64(as_bytes(random_text(random, length)));
    for (std::size_t size = 1; size < 12; ++size) EXPECT_EQ(in_pieces(text, size), parse_base64(text));
    if (text.empty()) continue;
    // A mistake anywhere is seen whatever the pieces are.
    for (char const wrong : {'=', '-', '\n', '\0', '\xFF', 'A'}) {
      auto spoilt = text;
      spoilt[random() % spoilt.size()] = wrong;
      for (std::size_t size = 1; size < 12; ++size) {
        EXPECT_EQ(in_pieces(spoilt, size), parse_base64(spoilt)) << spoilt << ' ' << size;
      }
    }
  }
  for (auto const* text : {"Zg==Zg==", "Zg==Z", "Zg", "Zm9v=", "=Zm9"}) {
    for (std::size_t size = 1; size < 9; ++size) EXPECT_EQ(in_pieces(text, size), std::nullopt);
  }
}

TEST(Base64, the_piece_to_blame_has_the_foreign_character) {
  std::string out;
  Base64Decoder decoder(out);
  EXPECT_TRUE(decoder.decode("Zm9vYg"));
  EXPECT_FALSE(decoder.decode("!"));
  Base64Decoder another(out);
  EXPECT_TRUE(another.decode("Zg="));
  EXPECT_TRUE(another.decode("="));
  EXPECT_TRUE(another.decode(""));
  EXPECT_FALSE(another.decode("Zg=="));
}

TEST(Base64, url_safe_has_its_own_digits) {
  EXPECT_EQ(format_base64(as_bytes("\xFB\xFF"), Base64Alphabet::url_safe, Base64Padding::unpadded),
            "-_8");
  EXPECT_EQ(parse_base64("+/8=", Base64Alphabet::url_safe), std::nullopt);
  EXPECT_EQ(parse_base64("-_8="), std::nullopt);
}

TEST(Base64, refuses_what_is_not_canonical) {
  for (auto const* text : {"Zg", "Zg=", "Zg===", "=", "==", "====", "Z===", "Zh==", "Zm9=",
                           "Zm9v\n", " Zm9v", "Zm=v", "Zg==Zg==", "Z", "Zm9vZ"}) {
    EXPECT_EQ(parse_base64(text), std::nullopt) << text;
  }
  for (auto const* text : {"Zg==", "Z", "Zh", "Zm9vZ"}) {
    EXPECT_EQ(parse_base64(text, Base64Alphabet::standard, Base64Padding::unpadded), std::nullopt)
        << text;
  }
}

TEST(Percent, decodes_strictly_and_encodes_reserved) {
  EXPECT_EQ(parse_percent("a%20b%2Fc%c3%A4"), "a b/c\xC3\xA4");
  EXPECT_EQ(parse_percent("%00"), std::string(1, '\0'));
  EXPECT_EQ(parse_percent("a+b"), "a+b");
  for (auto const* text : {"%", "%2", "a%", "%G0", "%0G", "%%41", "% 41"}) {
    EXPECT_EQ(parse_percent(text), std::nullopt) << text;
  }
  EXPECT_EQ(format_percent("a-Z_0.9~ /\xC3\xA4%"), "a-Z_0.9~%20%2F%C3%A4%25");
}

TEST(Ascii, lower_touches_only_a_to_z) { EXPECT_EQ(ascii_lower("AZaz@[`{\xC4"), "azaz@[`{\xC4"); }

TEST(Ascii, iequal_agrees_with_folding_both) {
  std::mt19937 random{3};
  for (int i = 0; i < 3000; ++i) {
    std::string left = random_text(random, random() % 24);
    std::string right = left;
    for (char& c : right) {
      if (random() % 2 == 0) c = ascii_upper(c);
    }
    if (!right.empty() && random() % 2 == 0) right[random() % right.size()] ^= 0x20;
    EXPECT_EQ(ascii_iequal(left, right), ascii_lower(left) == ascii_lower(right));
  }
  EXPECT_TRUE(ascii_iequal("X-Forwarded-For", "x-forwarded-for"));
  EXPECT_FALSE(ascii_iequal("Client-Cert", "Client_Cert"));
  EXPECT_FALSE(ascii_iequal("a", "ab"));
}

struct EscapeCase {
  char const* name;
  std::string_view text;
  std::string_view escaped;
};
void PrintTo(EscapeCase const& row, std::ostream* out) { *out << row.name; }

class JsonEscape : public testing::TestWithParam<EscapeCase> {};

TEST_P(JsonEscape, gives_valid_json_text) {
  EXPECT_EQ(json_escaped(GetParam().text), GetParam().escaped);
}

using namespace std::string_view_literals;
INSTANTIATE_TEST_SUITE_P(
    Table, JsonEscape,
    testing::Values(
        EscapeCase{"nothing", "", ""},
        EscapeCase{"plain_text_longer_than_a_word", "GET /v1/things HTTP/1.1",
                   "GET /v1/things HTTP/1.1"},
        EscapeCase{"quote_and_backslash", R"(a"b\c)", R"(a\"b\\c)"},
        EscapeCase{"short_escapes", "\b\t\n\f\r", R"(\b\t\n\f\r)"},
        EscapeCase{"nul_and_escape_and_delete", "\0\x1B[31m\x7F"sv, "\\u0000\\u001b[31m\\u007f"},
        EscapeCase{"utf8_stays", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x94\x92",
                   "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x94\x92"},
        EscapeCase{"c1_controls_are_controls", "\xC2\x9B\xC2\xA0", "\\u009b\xC2\xA0"},
        EscapeCase{"lone_continuation", "a\x80z", "a\\u0080z"},
        EscapeCase{"cut_short", "a\xE2\x82", "a\\u00e2\\u0082"},
        EscapeCase{"overlong", "\xC0\xAF\xE0\x80\xAF", "\\u00c0\\u00af\\u00e0\\u0080\\u00af"},
        EscapeCase{"surrogate", "\xED\xA0\x80", "\\u00ed\\u00a0\\u0080"},
        EscapeCase{"above_unicode", "\xF4\x90\x80\x80\xF5", "\\u00f4\\u0090\\u0080\\u0080\\u00f5"},
        EscapeCase{"last_of_unicode", "\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},
        EscapeCase{"special_in_the_eighth_place", "1234567\"90", "1234567\\\"90"}),
    [](auto const& row) { return std::string(row.param.name); });

TEST(JsonEscape, every_position_in_a_word_is_seen) {
  for (std::size_t at = 0; at < 20; ++at) {
    for (int byte = 0; byte < 128; ++byte) {
      std::string text(20, 'x');
      text[at] = static_cast<char>(byte);
      bool const plain = byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7F;
      EXPECT_EQ(json_escaped(text) == text, plain) << at << ' ' << byte;
    }
  }
}

}  // namespace
}  // namespace certgate
