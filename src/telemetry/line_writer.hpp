// Writes the pieces of a log line to memory that is known to be large enough.
//
// The caller has summed up worst_case_text() and friends, so that nothing here checks for room.
// Copying eight bytes at a time may touch, but never need, up to `slack` bytes after the end.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "certgate/telemetry/access_record.hpp"

namespace certgate::telemetry {

class LineWriter {
 public:
  // What a line may need beyond the sum of its parts.
  static constexpr std::size_t slack = 16;
  static constexpr std::size_t number_size = 20;
  static constexpr std::size_t time_size = 32;
  // A byte becomes \u00XX at worst.
  static constexpr std::size_t worst_case_text(std::string_view text) {
    return 6 * (text.size() < max_logged_text ? text.size() : max_logged_text) + 3;
  }

  explicit LineWriter(char* to) : at_(to) {}
  char* end() const { return at_; }
  // What `write` writes.
  template <class Write>
  std::string_view since(Write write) {
    char const* const begin = at_;
    write();
    return {begin, static_cast<std::size_t>(at_ - begin)};
  }

  // A literal: its size is known, so the copy is a few moves.
  template <std::size_t size>
  void literal(char const (&text)[size]) {
    std::memcpy(at_, text, size - 1);
    at_ += size - 1;
  }
  void character(char c) { *at_++ = c; }
  // Text of our own making, short and plain.
  void plain(std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  // Text from anywhere, as the inside of a JSON string; the text format escapes in the same way.
  void escaped(std::string_view text);
  void number(std::uint64_t value);
  // 2026-03-01T12:00:00.123456Z (RFC 3339); years outside 0 to 9999 are clamped.
  void time(std::chrono::system_clock::time_point time);

 private:
  char* at_;
};

}  // namespace certgate::telemetry
