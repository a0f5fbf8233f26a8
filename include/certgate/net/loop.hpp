// One worker's event loop: one thread runs it, everything of a connection happens on it.
//
// It sleeps until a socket is ready, a deadline passes or work is posted. Only post() and stop() may be
// called from other threads.
//
// See: docs/decisions/0024-own-readiness.md
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace certgate::net {

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(Loop const&) = delete;
  Loop& operator=(Loop const&) = delete;

  // Runs until stop(); waits for events even when there is nothing to do.
  void run();
  // Runs what is ready and what becomes ready until `done` is true or the time is over; for tests
  // and for draining. Returns done().
  bool run_until(std::function<bool()> const& done, std::chrono::milliseconds at_most);
  void stop();
  // Runs `work` on this loop's thread, after what is running now. Any thread.
  void post(std::function<void()> work);

  // Milliseconds of the monotonic clock, read cheaply (a few ms coarse): for deadlines.
  static std::int64_t coarse_milliseconds();
  // Nanoseconds of the monotonic clock: for durations that are shown.
  static std::int64_t nanoseconds();

  struct Inside;  // for this layer's sources only
  Inside& inside() { return *inside_; }

 private:
  static constexpr std::chrono::milliseconds forever{-1};
  // Waits, unless there is work already, and does what there is to do.
  void turn(std::chrono::milliseconds at_most);
  void ring_alarms();
  void run_posted();
  void resume_waiters();

  std::unique_ptr<Inside> inside_;
};

}  // namespace certgate::net
