#include "body.hpp"

#include <algorithm>
#include <cstring>

namespace certgate::proxy {

BodyDecoder::Piece BodyDecoder::decode(std::span<char> bytes) {
  switch (kind_) {
    case http::BodyKind::none:
      return {Status::complete, 0, {}};
    case http::BodyKind::until_close:
      return {Status::more, bytes.size(), bytes};
    case http::BodyKind::length: {
      auto const taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
      left_ -= taken;
      complete_ = left_ == 0;
      return {complete_ ? Status::complete : Status::more, taken, bytes.first(taken)};
    }
    case http::BodyKind::chunked: {
      auto const decoded = chunked_.decode(bytes);
      complete_ = chunked_.complete();
      auto status = Status::more;
      if (decoded.status == http1::ChunkedDecoder::Status::complete) status = Status::complete;
      if (decoded.status == http1::ChunkedDecoder::Status::refused) status = Status::refused;
      auto* const data = const_cast<char*>(decoded.data.data());
      return {status, decoded.consumed, {data, decoded.data.size()}};
    }
  }
  return {Status::refused, 0, {}};
}

BodyDecoder::Status BodyDecoder::end_of_stream() {
  if (kind_ != http::BodyKind::until_close) return is_complete() ? Status::complete : Status::refused;
  complete_ = true;
  return Status::complete;
}

std::string_view encode_in_place(http::BodyKind kind, std::span<char> data, Piece piece) {
  if (kind != http::BodyKind::chunked) return {data.data(), data.size()};
  auto* begin = data.data();
  auto* end = data.data() + data.size();
  if (!data.empty()) {
    auto const framed = http1::frame_chunk_in_place(data);
    begin = const_cast<char*>(framed.data());
    end = begin + framed.size();
  }
  if (piece == Piece::last) {
    std::memcpy(end, http1::last_chunk.data(), http1::last_chunk.size());
    end += http1::last_chunk.size();
  }
  return {begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace certgate::proxy
