// Bodies off one framing and onto another: every size, cut at every byte, torn and too long.
#include "body.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace certgate::proxy {
namespace {

using http::BodyKind;
using Status = BodyDecoder::Status;

struct Decoded {
  Status status = Status::more;
  std::string data;
  std::string rest;
};

// Feeds the bytes in pieces of this size, each in memory of its own.
Decoded decode(BodyDecoder& decoder, std::string_view bytes, std::size_t piece_size) {
  Decoded decoded;
  while (!bytes.empty() && decoded.status == Status::more) {
    std::vector<char> piece(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                               piece_size, bytes.size())));
    auto const result = decoder.decode(piece);
    decoded.status = result.status;
    decoded.data.append(result.data.data(), result.data.size());
    if (result.status == Status::more) {
      EXPECT_EQ(result.consumed, piece.size());
    }
    bytes.remove_prefix(result.consumed);
  }
  decoded.rest = bytes;
  return decoded;
}

struct Row {
  char const* name;
  http::BodyFraming framing;
  std::string wire;
  std::string data;
};

std::vector<Row> rows() {
  return {
      {"one byte", {BodyKind::length, 1}, "x", "x"},
      {"length", {BodyKind::length, 11}, "hello world", "hello world"},
      {"no chunks", {BodyKind::chunked, 0}, "0\r\n\r\n", ""},
      {"one chunk", {BodyKind::chunked, 0}, "5\r\nhello\r\n0\r\n\r\n", "hello"},
      {"chunks with everything", {BodyKind::chunked, 0},
       "5;a=b\r\nhello\r\n00006\r\n world\r\n0\r\nX-Trailer: y\r\n\r\n", "hello world"},
  };
}

TEST(BodyDecoder, in_pieces_of_every_size) {
  for (auto const& row : rows()) {
    for (std::size_t piece = 1; piece <= row.wire.size() + 5; ++piece) {
      BodyDecoder decoder(row.framing);
      EXPECT_FALSE(decoder.is_complete());
      auto const decoded = decode(decoder, row.wire + "NEXT!", piece);
      EXPECT_EQ(decoded.status, Status::complete) << row.name << piece;
      EXPECT_EQ(decoded.data, row.data) << row.name << piece;
      EXPECT_EQ(decoded.rest, "NEXT!") << row.name << piece;
      EXPECT_TRUE(decoder.is_complete());
      EXPECT_EQ(decoder.end_of_stream(), Status::complete);
    }
  }
}

TEST(BodyDecoder, torn_at_every_byte_is_refused) {
  for (auto const& row : rows()) {
    for (std::size_t size = 0; size < row.wire.size(); ++size) {
      BodyDecoder decoder(row.framing);
      auto const decoded = decode(decoder, row.wire.substr(0, size), 1);
      EXPECT_EQ(decoded.status, Status::more) << row.name << size;
      EXPECT_EQ(decoder.end_of_stream(), Status::refused) << row.name << size;
      EXPECT_FALSE(decoder.is_complete());
    }
  }
}

TEST(BodyDecoder, until_close_ends_with_the_stream) {
  BodyDecoder decoder({BodyKind::until_close, 0});
  auto const decoded = decode(decoder, "anything at all", 4);
  EXPECT_EQ(decoded.data, "anything at all");
  EXPECT_FALSE(decoder.is_complete());
  EXPECT_EQ(decoder.end_of_stream(), Status::complete);
  EXPECT_TRUE(decoder.is_complete());
}

TEST(BodyDecoder, no_body_takes_nothing) {
  for (auto decoder : {BodyDecoder(), BodyDecoder({BodyKind::none, 0}),
                       BodyDecoder({BodyKind::length, 0})}) {
    EXPECT_TRUE(decoder.is_complete());
    std::string next = "GET";
    auto const piece = decoder.decode(next);
    EXPECT_EQ(piece.status, Status::complete);
    EXPECT_EQ(piece.consumed, 0u);
  }
}

TEST(BodyDecoder, bad_chunks_are_refused_with_a_token) {
  for (std::string const wire : {"x\r\n", "5\r\nhelloX", "5\nhello", "-1\r\n", "1 \r\nx",
                                 "ffffffffffffffffff\r\n"}) {
    for (std::size_t piece : {std::size_t{1}, wire.size()}) {
      BodyDecoder decoder({BodyKind::chunked, 0});
      EXPECT_EQ(decode(decoder, wire, piece).status, Status::refused) << wire;
      EXPECT_FALSE(decoder.reason().empty());
      EXPECT_FALSE(decoder.is_complete());
    }
  }
}

std::string encode(BodyKind kind, std::string const& payload, Piece piece) {
  std::vector<char> room(body_headroom + payload.size() + body_tailroom);
  std::copy(payload.begin(), payload.end(), room.begin() + body_headroom);
  return std::string(encode_in_place(
      kind, std::span<char>(room).subspan(body_headroom, payload.size()), piece));
}

TEST(EncodeInPlace, leaves_a_counted_body_as_it_is) {
  EXPECT_EQ(encode(BodyKind::length, "hello", Piece::more_to_come), "hello");
  EXPECT_EQ(encode(BodyKind::length, "hello", Piece::last), "hello");
  EXPECT_EQ(encode(BodyKind::until_close, "", Piece::last), "");
}

TEST(EncodeInPlace, makes_chunks_that_decode_to_the_same) {
  for (std::size_t const size : {1, 15, 16, 255, 256, 4095, 4096, 65535, 65536}) {
    std::string const payload(size, 'p');
    auto const wire = encode(BodyKind::chunked, payload, Piece::more_to_come) +
                      encode(BodyKind::chunked, "end", Piece::last);
    BodyDecoder decoder({BodyKind::chunked, 0});
    auto const decoded = decode(decoder, wire, 1000);
    EXPECT_EQ(decoded.status, Status::complete);
    EXPECT_EQ(decoded.data, payload + "end");
    EXPECT_EQ(decoded.rest, "");
  }
}

TEST(EncodeInPlace, nothing_is_no_chunk) {
  // An empty chunk would end the body.
  EXPECT_EQ(encode(BodyKind::chunked, "", Piece::more_to_come), "");
  EXPECT_EQ(encode(BodyKind::chunked, "", Piece::last), "0\r\n\r\n");
}

}  // namespace
}  // namespace certgate::proxy
