// The workers' side of the access log.
#include "certgate/telemetry/access_log.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstring>

#include "access_log_writer.hpp"
#include "line_ring.hpp"
#include "ready_members.hpp"
#include "record_format.hpp"

namespace certgate::telemetry {

AccessLog::Worker::Worker() : ready_(std::make_unique<ReadyMembers>()) {}
AccessLog::Worker::~Worker() = default;

char* AccessLog::Worker::write_line(AccessRecord const& record, AccessLogFormat format, char* to) {
  return format == AccessLogFormat::json ? write_json(record, to, *ready_) : write_text(record, to);
}

char* AccessLog::Worker::write_line(HandshakeRecord const& record, AccessLogFormat format,
                                    char* to) {
  return format == AccessLogFormat::json ? write_json(record, to) : write_text(record, to);
}

void AccessLog::Worker::expect(std::uint64_t connection) const {
  if (log_->format_.load(std::memory_order_relaxed) == AccessLogFormat::off) return;
  ready_->expect(connection);
  ring_->expect();
}

void AccessLog::Worker::release_spare() { ready_->release(); }

void AccessLog::Worker::write(AccessRecord const& record) { queue(record); }
void AccessLog::Worker::write(HandshakeRecord const& record) { queue(record); }

template <class Record>
void AccessLog::Worker::queue(Record const& record) {
  auto const format = log_->format_.load(std::memory_order_relaxed);
  if (format == AccessLogFormat::off) return;
  std::size_t const room = worst_case_size(record);
  char* at = ring_->reserve(room);
  char* end = nullptr;
  if (at) {
    end = write_line(record, format, at);
  } else if (room > ring_->capacity() / 4) {
    // Very long texts: most likely the line is far shorter than the worst that could become of it.
    scratch_.resize(room);
    char const* const line_end = write_line(record, format, scratch_.data());
    auto const length = static_cast<std::size_t>(line_end - scratch_.data());
    at = ring_->reserve(length);
    if (at) {
      std::memcpy(at, scratch_.data(), length);
      end = at + length;
    }
    scratch_ = {};
  }
  if (!at) {
    dropped_.store(dropped_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return;
  }
  ring_->commit(end);
  log_->writer_->record_queued(*ring_);
}

Result<std::unique_ptr<AccessLog>> AccessLog::open(AccessLogOptions options) {
  CERTGATE_TRY(auto target, LogTarget::open(options.path));
  FileDescriptor event{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (event.get() < 0) {
    return fail(ErrorCode::exhausted, std::string("cannot make an event: ") + std::strerror(errno));
  }
  std::unique_ptr<AccessLog> log{new AccessLog};
  log->format_ = options.format;
  for (std::size_t i = 0; i < options.workers; ++i) {
    std::unique_ptr<Worker> worker{new Worker};
    worker->log_ = log.get();
    CERTGATE_TRY(worker->ring_, LineRing::make(options.queue_bytes));
    log->workers_.push_back(std::move(worker));
  }
  log->writer_ =
      std::make_unique<Writer>(*log, std::move(options), std::move(target), std::move(event));
  return log;
}

AccessLog::~AccessLog() { writer_.reset(); }

Result<void> AccessLog::reopen() {
  return retarget(writer_->path(), format_.load(std::memory_order_relaxed));
}

Result<void> AccessLog::retarget(std::string path, AccessLogFormat format) {
  CERTGATE_TRY(auto target, LogTarget::open(path));
  writer_->replace(std::move(path), std::move(target));
  format_.store(format, std::memory_order_relaxed);
  return {};
}

bool AccessLog::flush(std::chrono::milliseconds timeout) { return writer_->flush(timeout); }

AccessLogCounts AccessLog::counts() const {
  AccessLogCounts counts;
  counts.written = writer_->written();
  counts.write_errors = writer_->write_errors();
  for (auto const& worker : workers_) {
    counts.dropped += worker->dropped_.load(std::memory_order_relaxed);
  }
  return counts;
}

}  // namespace certgate::telemetry
