// Where the time of day comes from, so that tests can set it.
//
// Quiet layers never read a clock: they are given a UnixSeconds. Whoever owns a Clock reads it once
// per decision, so that one request sees one time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace certgate {

// Seconds since 1970-01-01T00:00:00Z, without leap seconds, as X.509 and HTTP count them.
using UnixSeconds = std::int64_t;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::chrono::system_clock::time_point now() const = 0;
  UnixSeconds unix_seconds() const {
    return std::chrono::floor<std::chrono::seconds>(now()).time_since_epoch().count();
  }
};

class SystemClock final : public Clock {
 public:
  std::chrono::system_clock::time_point now() const override {
    return std::chrono::system_clock::now();
  }
};

// Stands still until told otherwise; any thread may set it.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(UnixSeconds start) : seconds_(start) {}
  std::chrono::system_clock::time_point now() const override {
    return std::chrono::system_clock::time_point{std::chrono::seconds{seconds_.load()}};
  }
  void set(UnixSeconds seconds) { seconds_ = seconds; }
  void advance(std::chrono::seconds by) { seconds_ += by.count(); }

 private:
  std::atomic<UnixSeconds> seconds_;
};

}  // namespace certgate
