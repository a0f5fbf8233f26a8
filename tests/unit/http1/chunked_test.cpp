// The chunked coding against a slow reading of its grammar, at every split and at every limit.
#include "certgate/http1/chunked.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <random>
#include <vector>

#include "certgate/base/encoding.hpp"

namespace certgate::http1 {
namespace {

struct Read {
  std::string verdict;
  std::string data;
  std::string leftover;
  friend bool operator==(Read const&, Read const&) = default;
};
void PrintTo(Read const& read, std::ostream* out) {
  *out << read.verdict << " '" << read.data << "' left '" << read.leftover << "'";
}

Read decode_in_pieces(std::string_view text, std::vector<std::size_t> const& cuts) {
  ChunkedDecoder decoder;
  Read read{"more", {}, {}};
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    std::size_t const end = i == cuts.size() ? text.size() : cuts[i];
    std::string piece(text.substr(begin, end - begin));
    auto const decoded = decoder.decode(piece);
    read.data += decoded.data;
    if (decoded.status == ChunkedDecoder::Status::refused) {
      return {std::string(decoder.reason()), {}, {}};
    }
    if (decoded.status == ChunkedDecoder::Status::complete) {
      EXPECT_EQ(decoder.total(), read.data.size());
      return {"ok", read.data, std::string(text.substr(begin + decoded.consumed))};
    }
    EXPECT_EQ(decoded.consumed, piece.size());
    begin = end;
  }
  return {"more", {}, {}};
}

struct Case {
  char const* name;
  std::string text;
  Read expected;
};
void PrintTo(Case const& test, std::ostream* out) { *out << test.name; }

class Chunks : public ::testing::TestWithParam<Case> {};

TEST_P(Chunks, ReadTheSameAtEverySplit) {
  auto const& test = GetParam();
  auto expected = test.expected;
  auto const check = [&](std::vector<std::size_t> const& cuts) {
    auto read = decode_in_pieces(test.text, cuts);
    if (read.verdict == "more") read.data.clear();
    EXPECT_EQ(read, expected);
  };
  check({});
  std::vector<std::size_t> every;
  for (std::size_t i = 1; i < test.text.size(); ++i) {
    every.push_back(i);
    check({i});
  }
  check(every);
  for (std::size_t i = 1; i < test.text.size() && test.text.size() < 60; ++i) {
    for (std::size_t j = i + 1; j < test.text.size(); ++j) check({i, j});
  }
}

INSTANTIATE_TEST_SUITE_P(
    table, Chunks,
    ::testing::ValuesIn(std::vector<Case>{
        Case{"empty_body", "0\r\n\r\n", {"ok", "", ""}},
        Case{"one", "3\r\nabc\r\n0\r\n\r\n", {"ok", "abc", ""}},
        Case{"three_and_leftover",
             "1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\nGET",
             {"ok", "abcdef", "GET"}},
        Case{"data_like_framing", "7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", {"ok", "0\r\n\r\n\r\n", ""}},
        Case{"upper_and_lower_hex",
             "A\r\n0123456789\r\na\r\n0123456789\r\n00\r\n\r\n",
             {"ok", "01234567890123456789", ""}},
        Case{"extensions", "1;a;b=\"c;d\"\r\nx\r\n0;e\r\n\r\n", {"ok", "x", ""}},
        Case{"trailers", "0\r\nA: b\r\nC:\r\n\r\nX", {"ok", "", "X"}},
        Case{"no_size", ";a\r\n", {"bad_chunk_size", "", ""}},
        Case{"sign", "+1\r\na\r\n", {"bad_chunk_size", "", ""}},
        Case{"space_before_size", " 1\r\na\r\n", {"bad_chunk_size", "", ""}},
        Case{"space_before_extension", "1 ;a\r\na\r\n", {"bad_chunk_size", "", ""}},
        Case{"underscore_in_size", "1_0\r\n", {"bad_chunk_size", "", ""}},
        Case{"cr_without_lf", "1\ra", {"bad_chunk_line", "", ""}},
        Case{"nul_in_extension", std::string("1;\0\r\n", 5), {"bad_chunk_extension", "", ""}},
        Case{"lf_in_quoted_extension", "1;a=\"\n\"\r\n", {"bad_chunk_extension", "", ""}},
        Case{"data_too_long", "1\r\nab\r\n0\r\n\r\n", {"bad_chunk_end", "", ""}},
        Case{"data_end_cr_only", "1\r\na\r0\r\n\r\n", {"bad_chunk_end", "", ""}},
        Case{"end_without_lf", "0\r\n\rX", {"bad_chunk_line", "", ""}},
        Case{"trailer_without_name", "0\r\n: a\r\n\r\n", {"bad_trailer", "", ""}},
        Case{"trailer_with_space", "0\r\nA : b\r\n\r\n", {"bad_trailer", "", ""}},
        Case{"trailer_folded", "0\r\nA: b\r\n c\r\n\r\n", {"bad_trailer", "", ""}},
        Case{"trailer_control", "0\r\nA: b\x01\r\n\r\n", {"bad_trailer", "", ""}},
        Case{"trailer_bare_lf", "0\r\nA: b\nC: d\r\n\r\n", {"bad_trailer", "", ""}},
        Case{"trailer_bare_cr", "0\r\nA: b\rC: d\r\n\r\n", {"bad_trailer", "", ""}},
        Case{
            "trailer_te", "0\r\ntransfer-encoding: chunked\r\n\r\n", {"forbidden_trailer", "", ""}},
        Case{"trailer_host", "0\r\nHOST: a\r\n\r\n", {"forbidden_trailer", "", ""}},
        Case{"threat_46_identity_trailer_dropped",
             "0\r\nClient-Cert: :a:\r\nClient_Cert: x\r\n\r\n",
             {"ok", "", ""}},
        Case{"trailer_name_longer_than_any",
             "0\r\nTransfer-Encoding-And-More: 1\r\n\r\n",
             {"ok", "", ""}},
        Case{"size_largest_refused", "8000000000000000\r\n", {"chunk_size_overflow", "", ""}},
        Case{"size_largest_taken", "7fffffffffffffff\r\n", {"more", "", ""}}}),
    [](auto const& tested) { return std::string(tested.param.name); });

TEST(ChunkedLimits, AreExact) {
  auto const verdict = [](std::string const& text) { return decode_in_pieces(text, {}).verdict; };
  std::string const end = "\r\n\r\n";
  EXPECT_EQ(verdict(std::string(max_chunk_size_digits, '0') + end), "ok");
  EXPECT_EQ(verdict(std::string(max_chunk_size_digits + 1, '0') + end), "chunk_size_too_long");
  EXPECT_EQ(verdict("0;" + std::string(max_chunk_extension_bytes, 'a') + end), "ok");
  EXPECT_EQ(verdict("0;" + std::string(max_chunk_extension_bytes + 1, 'a') + end),
            "chunk_extension_too_long");

  std::string flood;
  for (std::size_t i = 0; i < max_body_extension_bytes / 256; ++i) {
    flood += "1;" + std::string(256, 'a') + "\r\nx\r\n";
  }
  EXPECT_EQ(verdict(flood + "0" + end), "ok");
  EXPECT_EQ(verdict(flood + "0;a" + end), "chunk_extension_too_long");

  std::string fields;
  for (std::size_t i = 0; i < max_trailer_fields; ++i) fields += "A: b\r\n";
  EXPECT_EQ(verdict("0\r\n" + fields + "\r\n"), "ok");
  EXPECT_EQ(verdict("0\r\n" + fields + "A: b\r\n\r\n"), "too_many_trailers");
  // Name, colon, value and the CR are counted.
  EXPECT_EQ(verdict("0\r\nA:" + std::string(max_trailer_bytes - 3, 'x') + "\r\n\r\n"), "ok");
  EXPECT_EQ(verdict("0\r\nA:" + std::string(max_trailer_bytes - 2, 'x') + "\r\n\r\n"),
            "trailers_too_large");
}

// A slow reading of RFC 9112 §7.1 for whole bodies, with certgate's strictness and without limits.
std::optional<Read> read_slowly(std::string_view text) {
  std::string data;
  auto const line = [&text]() -> std::optional<std::string_view> {
    auto const end = text.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    auto const found = text.substr(0, end);
    for (char const c : found) {
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F) return std::nullopt;
    }
    text.remove_prefix(end + 2);
    return found;
  };
  while (true) {
    auto const size_line = line();
    if (!size_line) return std::nullopt;
    auto const digits = size_line->substr(0, size_line->find(';'));
    if (digits.empty() || digits.size() > 16) return std::nullopt;
    std::size_t size = 0;
    for (char const c : digits) {
      if (hex_digit(c) < 0 || size > 1u << 20) return std::nullopt;
      size = size * 16 + static_cast<std::size_t>(hex_digit(c));
    }
    if (size == 0) break;
    if (text.size() < size + 2 || text.substr(size, 2) != "\r\n") return std::nullopt;
    data += text.substr(0, size);
    text.remove_prefix(size + 2);
  }
  while (true) {
    auto const field = line();
    if (!field) return std::nullopt;
    if (field->empty()) return Read{"ok", data, std::string(text)};
    auto const colon = field->find(':');
    if (colon == std::string_view::npos || !http::is_token(field->substr(0, colon))) {
      return std::nullopt;
    }
    for (char const* const name :
         {"host", "content-length", "transfer-encoding", "connection", "trailer"}) {
      if (ascii_iequal(field->substr(0, colon), name)) return std::nullopt;
    }
  }
}

TEST(ChunkedDecoder, AgreesWithTheSlowReadingOnDamagedBodies) {
  std::mt19937 random(7);
  std::string const alphabet = "0123aF;:\r\n \tAx=\"";
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (unsigned chunks = random() % 4; chunks != 0; --chunks) {
      std::string data;
      for (unsigned n = random() % 20 + 1; n != 0; --n)
        data += alphabet[random() % alphabet.size()];
      append_chunk(text, data);
    }
    text += random() % 2 == 0 ? "0\r\n\r\n" : "0\r\nA: b\r\n\r\nrest";
    if (random() % 4 != 0) {
      for (unsigned n = random() % 2 + 1; n != 0; --n) {
        auto const at = random() % text.size();
        switch (random() % 3) {
          case 0:
            text[at] = alphabet[random() % alphabet.size()];
            break;
          case 1:
            text.erase(at, 1);
            break;
          default:
            text.insert(at, 1, alphabet[random() % alphabet.size()]);
        }
      }
    }
    std::vector<std::size_t> cuts;
    for (std::size_t at = random() % 9; at < text.size(); at += random() % 9 + 1)
      cuts.push_back(at);
    auto const read = decode_in_pieces(text, cuts);
    auto const slow = read_slowly(text);
    EXPECT_EQ(read.verdict == "ok", slow.has_value()) << text;
    if (slow && read.verdict == "ok") {
      EXPECT_EQ(read, *slow) << text;
    }
  }
}

TEST(ChunkEncoder, WritesWhatTheDecoderReads) {
  for (std::size_t const size : {std::size_t{1}, std::size_t{15}, std::size_t{16}, std::size_t{255},
                                 std::size_t{256}, std::size_t{65536}}) {
    std::string const data(size, 'x');
    std::string text;
    append_chunk(text, data);
    append_chunk(text, "");
    text += last_chunk;
    EXPECT_EQ(decode_in_pieces(text, {}), (Read{"ok", data, ""}));

    std::string room = std::string(chunk_headroom, '#') + data + "##";
    auto const framed = frame_chunk_in_place({room.data() + chunk_headroom, size});
    std::string expected;
    append_chunk(expected, data);
    EXPECT_EQ(framed, expected);
  }
  EXPECT_EQ(ChunkHeader(0x1a3).text(), "1A3\r\n");
  EXPECT_EQ(ChunkHeader(~std::uint64_t{0}).text(), "FFFFFFFFFFFFFFFF\r\n");
}

TEST(ChunkedDecoder, LeavesASingleChunkWhereItIs) {
  std::string text = "5\r\nhello\r\n";
  ChunkedDecoder decoder;
  auto const decoded = decoder.decode(text);
  EXPECT_EQ(decoded.data, "hello");
  EXPECT_EQ(decoded.data.data(), text.data() + 3);
}

}  // namespace
}  // namespace certgate::http1
