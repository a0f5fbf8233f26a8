// The access log's own thread: gathers the workers' queues and writes them out.
//
// Sleeps until there is something to do. While records arrive it wakes once per interval, or when a
// queue is a quarter full; after an interval without records it sleeps until the next one, whose
// worker then pays for one wake-up. So an idle proxy is quiet, and a busy one never pays.
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "certgate/telemetry/access_log.hpp"
#include "file_descriptor.hpp"
#include "line_ring.hpp"

namespace certgate::telemetry {

// Where lines go, and how to get them there without waiting for a reader who does not read.
class LogTarget {
 public:
  // Empty path: standard output.
  static Result<LogTarget> open(std::string const& path);
  // As writev(2), but never waits longer than `patience`; 0 when the other side is not ready.
  ssize_t write(iovec const* pieces, int count, std::chrono::milliseconds patience) const;

 private:
  enum class Kind { file, socket, pipe };
  FileDescriptor file_;
  int descriptor_ = -1;
  Kind kind_ = Kind::file;
};

class AccessLog::Writer {
 public:
  Writer(AccessLog const& log, AccessLogOptions options, LogTarget target, FileDescriptor event);
  ~Writer();  // writes the rest, ends the thread

  // From a worker, after a record was queued.
  void record_queued(LineRing& ring) {
    // Half full: every change of threads costs a worker more than a longer write does.
    if (asleep_.load(std::memory_order_relaxed) || ring.holds_more_than(ring.capacity() / 2)) {
      wake_once();
    }
  }
  void replace(std::string path, LogTarget target);
  std::string path() const;
  bool flush(std::chrono::milliseconds timeout);
  std::uint64_t written() const { return written_.load(std::memory_order_relaxed); }
  std::uint64_t write_errors() const { return write_errors_.load(std::memory_order_relaxed); }

 private:
  enum class Drained { nothing, all, stuck };
  void wake_once();
  void wake();
  void run();
  void wait(Drained last);
  void take_new_target();
  Drained drain();
  void finish_torn_line();
  // `text`, which waited in this worker's queue and in which so many lines end, is written.
  void consumed(std::size_t worker, std::string_view text, std::uint64_t lines);
  static std::string shown(std::string const& path);
  void failing(int reason);
  void working();

  LineRing& ring(std::size_t worker) { return *log_.workers_[worker]->ring_; }

  AccessLog const& log_;
  AccessLogOptions const options_;
  LogTarget target_;  // the thread's
  std::size_t first_ =
      0;                  // the thread's: the queue to begin with, because its line is half written
  bool torn_ = false;     // the thread's: the last byte written was not a line's end
  bool failing_ = false;  // the thread's
  FileDescriptor event_;
  std::atomic<bool> asleep_{false};
  std::atomic<bool> woken_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> write_errors_{0};
  mutable std::mutex mutex_;
  std::condition_variable drained_;
  std::string path_;                     // guarded
  std::optional<LogTarget> new_target_;  // guarded
  std::thread thread_;
};

}  // namespace certgate::telemetry
