// A bounded queue of bytes between one thread that writes lines and one that reads them.
//
// The memory is mapped twice in a row, so that free room and waiting bytes are always in one piece:
// a line is formatted in place, and the reader hands the kernel one range. No lock and no system
// call after construction; the two sides share nothing but two positions on cache lines of their
// own.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "certgate/base/result.hpp"

namespace certgate::telemetry {

class LineRing {
 public:
  // `bytes` is rounded up to a power of two that is a multiple of the page size.
  static Result<std::unique_ptr<LineRing>> make(std::size_t bytes);
  LineRing(LineRing const&) = delete;
  LineRing& operator=(LineRing const&) = delete;
  ~LineRing();

  std::size_t capacity() const { return capacity_; }

  // Writer's side. `reserve` gives a place for `bytes`, or null when there is no room; `commit`
  // makes everything from that place up to `end` readable, as one more line.
  char* reserve(std::size_t bytes) {
    std::uint64_t const head = head_.load(std::memory_order_relaxed);
    known_tail_ = tail_.load(std::memory_order_acquire);
    if (head + bytes - known_tail_ > capacity_) return nullptr;
    // Nobody looks at the memory of an empty queue, so the front, which is in the cache, is used again.
    if (head == known_tail_) front_.store(head, std::memory_order_relaxed);
    return place_of(head);
  }
  void commit(char const* end) {
    std::uint64_t const head = head_.load(std::memory_order_relaxed);
    auto const length = static_cast<std::uint64_t>(end - place_of(head));
    std::uint64_t const lines = lines_after_.load(std::memory_order_relaxed) + 1;
    lines_before_.store(lines, std::memory_order_relaxed);
    head_.store(head + length, std::memory_order_release);
    lines_after_.store(lines, std::memory_order_release);
  }
  // A line is to be written soon: by then its memory is in the cache.
  void expect() const {
    char const* const place = place_of(head_.load(std::memory_order_relaxed));
    for (std::size_t ahead = 0; ahead < usual_line; ahead += cache_line) {
      __builtin_prefetch(place + ahead, 1);
    }
  }
  // More than `bytes` wait to be read. Looks at the reader's position only when it might be so.
  bool holds_more_than(std::size_t bytes) {
    std::uint64_t const head = head_.load(std::memory_order_relaxed);
    if (head - known_tail_ <= bytes) return false;
    known_tail_ = tail_.load(std::memory_order_acquire);
    return head - known_tail_ > bytes;
  }

  // Reader's side: everything that waits, in one piece; then how much of it is done with.
  std::string_view readable() const {
    std::uint64_t const tail = tail_.load(std::memory_order_relaxed);
    std::uint64_t const head = head_.load(std::memory_order_acquire);
    return {place_of(tail), static_cast<std::size_t>(head - tail)};
  }
  // As readable(), and how many lines that is; nullopt when one more was committed meanwhile.
  struct Waiting {
    std::string_view text;
    std::optional<std::uint64_t> lines;
  };
  Waiting waiting() const {
    std::uint64_t const lines = lines_after_.load(std::memory_order_acquire);
    Waiting waiting{readable(), std::nullopt};
    // The writer's side counts before and after it moves the head: equal counts belong to this head.
    if (lines_before_.load(std::memory_order_relaxed) == lines) waiting.lines = lines - lines_read_;
    return waiting;
  }
  // `lines`: how many end in these bytes.
  void consume(std::size_t bytes, std::uint64_t lines) {
    lines_read_ += lines;
    tail_.store(tail_.load(std::memory_order_relaxed) + bytes, std::memory_order_release);
  }

  // Positions since the beginning, for any thread.
  std::uint64_t written() const { return head_.load(std::memory_order_acquire); }
  std::uint64_t read() const { return tail_.load(std::memory_order_acquire); }

 private:
  static constexpr std::size_t usual_line = 1024, cache_line = 64;

  LineRing(char* memory, std::size_t capacity) : memory_(memory), capacity_(capacity) {}

  // The reader sees the front that belongs to what it reads: it changes only while nothing waits, and
  // before the next commit().
  char* place_of(std::uint64_t position) const {
    return memory_ + ((position - front_.load(std::memory_order_relaxed)) & (capacity_ - 1));
  }

  char* memory_;
  std::size_t capacity_;
  alignas(128) std::atomic<std::uint64_t> head_{0};
  std::atomic<std::uint64_t> front_{0};  // the position that lies at the beginning of the memory
  std::atomic<std::uint64_t> lines_before_{0}, lines_after_{0};
  std::uint64_t known_tail_ = 0;
  alignas(128) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t lines_read_ = 0;
};

}  // namespace certgate::telemetry
