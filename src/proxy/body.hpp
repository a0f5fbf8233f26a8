// A message body on its way through: taken off its framing on one side, framed anew on the other.
//
// Quiet: bytes in, bytes out, in place. The pump (transfer.hpp) does the waiting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "certgate/http/framing.hpp"
#include "certgate/http1/chunked.hpp"

namespace certgate::proxy {

// Takes the framing off what is received.
class BodyDecoder {
 public:
  enum class Status { more, complete, refused };
  struct Piece {
    Status status = Status::more;
    std::size_t consumed = 0;
    std::span<char> data;  // payload, within the bytes given
  };

  BodyDecoder() = default;  // no body
  explicit BodyDecoder(http::BodyFraming framing) : kind_(framing.kind), left_(framing.length) {
    if (!framing.has_body()) kind_ = http::BodyKind::none;
  }

  Piece decode(std::span<char> bytes);
  // The sender ended its connection: complete only for a body that ends that way.
  Status end_of_stream();
  bool is_complete() const { return complete_ || kind_ == http::BodyKind::none; }
  http::BodyKind kind() const { return kind_; }
  std::string_view reason() const { return chunked_.reason(); }

 private:
  http::BodyKind kind_ = http::BodyKind::none;
  std::uint64_t left_ = 0;
  bool complete_ = false;
  http1::ChunkedDecoder chunked_;
};

// Room that encode_in_place() needs around the payload.
inline constexpr std::size_t body_headroom = http1::chunk_headroom;
inline constexpr std::size_t body_tailroom = http1::chunk_end.size() + http1::last_chunk.size();

enum class Piece { more_to_come, last };

// Frames payload that lies in a buffer with body_headroom before and body_tailroom behind it.
std::string_view encode_in_place(http::BodyKind kind, std::span<char> data, Piece piece);

}  // namespace certgate::proxy
