// One byte at a time between pieces of data, which are taken whole.
#include "certgate/http1/chunked.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "certgate/base/encoding.hpp"

namespace certgate::http1 {
namespace {

bool is_visible_or_white(char c) {
  auto const byte = static_cast<unsigned char>(c);
  return byte == '\t' || (byte >= 0x20 && byte != 0x7F);
}

// RFC 9110 §6.5.1: "a sender MUST NOT generate a trailer field" that is needed for "message
// framing, routing, request modifiers, authentication …". Those that frame or route are refused;
// the others are dropped like every trailer.
bool is_forbidden_trailer(std::string_view name) {
  switch (http::field_name(name)) {
    case http::FieldName::content_length:
    case http::FieldName::transfer_encoding:
    case http::FieldName::host:
    case http::FieldName::connection:
    case http::FieldName::trailer:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool ChunkedDecoder::refuse(std::string_view reason) {
  state_ = State::refused;
  reason_ = reason;
  return false;
}

bool ChunkedDecoder::end_trailer_name() {
  if (name_length_ == 0) return refuse("bad_trailer");
  // A longer name than the array holds cannot be a forbidden one.
  bool const whole = name_length_ <= name_.size();
  if (whole && is_forbidden_trailer({name_.data(), name_length_})) {
    return refuse("forbidden_trailer");
  }
  state_ = State::trailer_value;
  return true;
}

bool ChunkedDecoder::step(char c) {
  switch (state_) {
    case State::size_first:
    case State::size: {
      int const digit = hex_digit(c);
      if (digit >= 0) {
        if (++digits_ > max_chunk_size_digits) return refuse("chunk_size_too_long");
        if (remaining_ >> 59 != 0) return refuse("chunk_size_overflow");
        remaining_ = remaining_ << 4 | static_cast<unsigned>(digit);
        state_ = State::size;
        return true;
      }
      if (state_ == State::size_first) return refuse("bad_chunk_size");
      if (c == '\r') {
        state_ = State::size_lf;
      } else if (c == ';') {
        extension_bytes_ = 0;
        state_ = State::extension;
      } else {
        return refuse("bad_chunk_size");
      }
      return true;
    }
    case State::extension:
      // RFC 9112 §7.1.1: "A recipient MUST ignore unrecognized chunk extensions." They are not
      // forwarded: "A server ought to limit the total length of chunk extensions".
      if (c == '\r') {
        state_ = State::size_lf;
        return true;
      }
      if (!is_visible_or_white(c)) return refuse("bad_chunk_extension");
      if (++extension_bytes_ > max_chunk_extension_bytes ||
          ++extensions_ > max_body_extension_bytes) {
        return refuse("chunk_extension_too_long");
      }
      return true;
    case State::size_lf:
      if (c != '\n') return refuse("bad_chunk_line");
      state_ = remaining_ == 0 ? State::trailer_start : State::data;
      return true;
    case State::data_cr:
      if (c != '\r') return refuse("bad_chunk_end");
      state_ = State::data_lf;
      return true;
    case State::data_lf:
      if (c != '\n') return refuse("bad_chunk_end");
      digits_ = 0;
      state_ = State::size_first;
      return true;
    case State::trailer_start:
      if (c == '\r') {
        state_ = State::end_lf;
        return true;
      }
      if (++trailer_fields_ > max_trailer_fields) return refuse("too_many_trailers");
      name_length_ = 0;
      state_ = State::trailer_name;
      [[fallthrough]];
    case State::trailer_name:
      if (++trailer_bytes_ > max_trailer_bytes) return refuse("trailers_too_large");
      if (c == ':') return end_trailer_name();
      if (!http::is_token({&c, 1})) return refuse("bad_trailer");
      if (name_length_ < name_.size()) name_[name_length_] = c;
      if (name_length_ <= name_.size()) ++name_length_;
      return true;
    case State::trailer_value:
      if (++trailer_bytes_ > max_trailer_bytes) return refuse("trailers_too_large");
      if (c == '\r') {
        state_ = State::trailer_lf;
      } else if (!is_visible_or_white(c)) {
        return refuse("bad_trailer");
      }
      return true;
    case State::trailer_lf:
      if (c != '\n') return refuse("bad_trailer");
      state_ = State::trailer_start;
      return true;
    case State::end_lf:
      if (c != '\n') return refuse("bad_chunk_line");
      state_ = State::complete;
      return true;
    case State::data:
    case State::complete:
    case State::refused:
      break;
  }
  return false;
}

ChunkedDecoder::Decoded ChunkedDecoder::decode(std::span<char> bytes) {
  Decoded decoded;
  char* const begin = bytes.data();
  char* data_begin = begin;
  char* data_end = begin;
  std::size_t at = 0;
  while (at < bytes.size() && state_ != State::complete && state_ != State::refused) {
    if (state_ != State::data) {
      if (!step(begin[at])) break;
      ++at;
      continue;
    }
    auto const length =
        static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, bytes.size() - at));
    if (data_end == data_begin) {
      data_begin = data_end = begin + at;
    } else if (data_end != begin + at) {
      std::memmove(data_end, begin + at, length);
    }
    data_end += length;
    at += length;
    remaining_ -= length;
    total_ += length;
    if (remaining_ == 0) state_ = State::data_cr;
  }
  decoded.consumed = at;
  decoded.data = {data_begin, static_cast<std::size_t>(data_end - data_begin)};
  if (state_ == State::complete) decoded.status = Status::complete;
  if (state_ == State::refused) decoded.status = Status::refused;
  return decoded;
}

ChunkHeader::ChunkHeader(std::uint64_t size) : begin_(max_bytes - 2) {
  assert(size > 0);
  constexpr std::string_view digits = "0123456789ABCDEF";
  text_[max_bytes - 2] = '\r';
  text_[max_bytes - 1] = '\n';
  for (; size != 0; size >>= 4) text_[--begin_] = digits[size & 15];
}

void append_chunk(std::string& out, std::string_view data) {
  if (data.empty()) return;
  out += ChunkHeader(data.size()).text();
  out += data;
  out += chunk_end;
}

std::string_view frame_chunk_in_place(std::span<char> data) {
  ChunkHeader const header(data.size());
  auto const text = header.text();
  char* const begin = data.data() - text.size();
  std::memcpy(begin, text.data(), text.size());
  std::memcpy(data.data() + data.size(), chunk_end.data(), chunk_end.size());
  return {begin, text.size() + data.size() + chunk_end.size()};
}

}  // namespace certgate::http1
