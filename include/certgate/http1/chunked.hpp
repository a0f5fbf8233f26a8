// The chunked transfer coding: a strict streaming decoder that works in place, and an encoder.
//
// The decoder keeps a few counters and no bytes, so any split of the input gives the same result.
// Chunk sizes have 1 to 16 hexadecimal digits and stay below 2^63; extensions are skipped; every
// line ends in CRLF; trailer fields are checked, limited and dropped, and those that would change
// framing or routing (RFC 9110 §6.5.1) are refused.
//
// See: RFC 9112 §7.1.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "certgate/http/message.hpp"

namespace certgate::http1 {

inline constexpr std::size_t max_chunk_size_digits = 16;
inline constexpr std::size_t max_chunk_extension_bytes = 256;  // in one chunk
// All extensions of one body: `;`-floods cost more than the data they frame.
inline constexpr std::uint64_t max_body_extension_bytes = 16 * 1024;
inline constexpr std::size_t max_trailer_bytes = 8 * 1024;
inline constexpr std::size_t max_trailer_fields = 32;

class ChunkedDecoder {
 public:
  enum class Status : std::uint8_t { need_more, complete, refused };

  struct Decoded {
    Status status = Status::need_more;
    std::size_t consumed = 0;  // everything unless the body ended or is refused
    std::string_view data;     // payload, within `bytes`
  };

  // Payload pieces after the first are moved down to follow it, so that `data` is contiguous.
  Decoded decode(std::span<char> bytes);

  bool complete() const { return state_ == State::complete; }
  std::uint64_t total() const { return total_; }       // payload bytes so far
  std::string_view reason() const { return reason_; }  // after `refused`: a token for the log

 private:
  enum class State : std::uint8_t {
    size_first,
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_start,
    trailer_name,
    trailer_value,
    trailer_lf,
    end_lf,
    complete,
    refused,
  };
  bool step(char c);
  bool refuse(std::string_view reason);
  bool end_trailer_name();

  State state_ = State::size_first;
  std::uint8_t digits_ = 0;
  std::uint8_t name_length_ = 0;
  std::uint16_t trailer_fields_ = 0;
  std::uint32_t trailer_bytes_ = 0;
  std::uint32_t extension_bytes_ = 0;
  std::uint64_t extensions_ = 0;
  std::uint64_t remaining_ = 0;
  std::uint64_t total_ = 0;
  std::string_view reason_;
  std::array<char, 24> name_{};  // enough for every name that is refused
};

// `1A3\r\n` in front of a chunk's data; `\r\n` follows the data.
class ChunkHeader {
 public:
  static constexpr std::size_t max_bytes = 18;
  explicit ChunkHeader(std::uint64_t size);  // REQUIRES: size > 0, for 0 ends the body
  std::string_view text() const { return {text_.data() + begin_, max_bytes - begin_}; }

 private:
  std::array<char, max_bytes> text_;
  std::uint8_t begin_;
};
inline constexpr std::string_view chunk_end = "\r\n";
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

void append_chunk(std::string& out, std::string_view data);  // nothing for empty data

// Frames data that already lies in a buffer with room around it. The chunk begins at or behind
// data.data() - chunk_headroom. REQUIRES: data not empty; chunk_headroom bytes before it and
// chunk_end.size() behind it are the caller's.
inline constexpr std::size_t chunk_headroom = ChunkHeader::max_bytes;
std::string_view frame_chunk_in_place(std::span<char> data);

}  // namespace certgate::http1
