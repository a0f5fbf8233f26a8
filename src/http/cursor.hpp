// Writes into memory whose size was worked out beforehand, without a check per piece.
#pragma once

#include <cassert>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace certgate::http {

// Grows a string by a bound, hands out the new bytes, and cuts it to what was written.
class Cursor {
 public:
  // REQUIRES: no more than `bound` bytes are put before the cursor is finished.
  Cursor(std::string& out, std::size_t bound) : out_(out), bound_end_(out.size() + bound) {
    std::size_t const before = out.size();
    out.resize(bound_end_);
    at_ = out.data() + before;
  }
  Cursor(Cursor const&) = delete;
  Cursor& operator=(Cursor const&) = delete;

  void put(std::string_view text) { put(text.data(), text.size()); }
  void put(char const* text, std::size_t length) {
    assert(at_ + length <= out_.data() + bound_end_);
    if (length == 0) return;  // an empty view may be null, which memcpy may not
    std::memcpy(at_, text, length);
    at_ += length;
  }
  void put(char c) {
    assert(at_ < out_.data() + bound_end_);
    *at_++ = c;
  }
  void put_number(std::uint64_t number) {
    at_ = std::to_chars(at_, out_.data() + bound_end_, number).ptr;
  }
  void finish() { out_.resize(static_cast<std::size_t>(at_ - out_.data())); }

 private:
  std::string& out_;
  std::size_t bound_end_;
  char* at_;
};

}  // namespace certgate::http
