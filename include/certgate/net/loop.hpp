// One worker's event loop: one thread runs it, everything of a connection happens on it.
//
// Wraps an Asio io_context so that no other layer needs Asio's headers. Only post() and stop() may
// be called from other threads.
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

  struct Inside;  // the io_context; for this layer's sources only
  Inside& inside() { return *inside_; }

 private:
  std::unique_ptr<Inside> inside_;
};

}  // namespace certgate::net
