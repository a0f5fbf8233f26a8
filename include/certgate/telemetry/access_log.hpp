// Gets access records to a file without ever making a worker wait.
//
// Each worker formats its records straight into a queue of its own: no lock, no allocation, no
// system call. One thread of the log's own gathers the queues and writes them. A queue that is full
// (a slow or full disk) drops the record and counts it; the proxy goes on. Lines are whole and in
// order per worker, and about `interval` late at most (the first after a pause comes at once).
//
// Threads: open, retarget, reopen, flush and counts from any thread; a Worker belongs to one
// thread. The destructor writes what is queued, for at most `shutdown`; workers must have stopped.
// Errors:  open, retarget and reopen report a file that cannot be opened, and then nothing changes.
//          Later write errors are counted, reported once per outage, and tried again.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "certgate/base/result.hpp"
#include "certgate/telemetry/access_record.hpp"

namespace certgate::telemetry {

enum class AccessLogFormat : std::uint8_t { json, text, off };

struct AccessLogOptions {
  std::string path;  // empty: standard output
  AccessLogFormat format = AccessLogFormat::json;
  std::size_t workers = 1;
  std::size_t queue_bytes = 1024 * 1024;  // per worker, rounded up to a power of two
  std::chrono::milliseconds interval{100};
  std::chrono::milliseconds shutdown{2000};
  // Told when writing begins to fail and when it works again, on the log's own thread.
  std::function<void(std::string const& sentence)> report;
};

struct AccessLogCounts {
  std::uint64_t written = 0;  // lines handed to the operating system
  std::uint64_t dropped = 0;  // records that found their queue full
  std::uint64_t write_errors = 0;
};

class LineRing;
class ReadyMembers;

class AccessLog {
 public:
  // One worker's end of the log.
  class Worker {
   public:
    void write(AccessRecord const& record);
    void write(HandshakeRecord const& record);
    // A record of this connection (AccessRecord::connection) is to be written soon.
    void expect(std::uint64_t connection) const;
    // Memory that only work needs; it comes back by itself.
    void release_spare();

    ~Worker();

   private:
    friend class AccessLog;
    template <class Record>
    void queue(Record const& record);
    char* write_line(AccessRecord const& record, AccessLogFormat format, char* to);
    char* write_line(HandshakeRecord const& record, AccessLogFormat format, char* to);
    Worker();

    AccessLog* log_ = nullptr;
    std::unique_ptr<LineRing> ring_;
    std::unique_ptr<ReadyMembers> ready_;
    std::string scratch_;  // for a record that might not fit, until its true length is known
    alignas(128) std::atomic<std::uint64_t> dropped_{0};
  };

  static Result<std::unique_ptr<AccessLog>> open(AccessLogOptions options);
  AccessLog(AccessLog const&) = delete;
  AccessLog& operator=(AccessLog const&) = delete;
  ~AccessLog();

  // REQUIRES: index < options.workers.
  Worker& worker(std::size_t index) { return *workers_[index]; }

  // Opens the same path again, after a log rotation has renamed the file.
  Result<void> reopen();
  // A reload that changed `log.access`. Records queued before go to the new file.
  Result<void> retarget(std::string path, AccessLogFormat format);
  // Waits until everything queued before the call is written; false when the time is over.
  bool flush(std::chrono::milliseconds timeout);
  AccessLogCounts counts() const;

 private:
  class Writer;
  AccessLog() = default;

  std::atomic<AccessLogFormat> format_{AccessLogFormat::json};
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Writer> writer_;
};

}  // namespace certgate::telemetry
