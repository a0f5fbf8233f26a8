// The daemon's own log: what it did and what went wrong, one line per event.
//
// A line is a sentence and named values: `2026-03-01T12:00:00.123Z info reloaded version=7`, or the
// same as a JSON object. Everything is escaped, so that nothing a peer sends can forge a line.
// Writing takes a lock and may wait for the file: this is not for the request path. What a peer can
// provoke goes through a LogLimit.
//
// Threads: any. Errors: open, reopen and configure report a file that cannot be opened, and then
// nothing changes; a failed write is dropped.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "certgate/base/result.hpp"

namespace certgate::telemetry {

enum class LogLevel : std::uint8_t { debug, info, warning, error, off };
std::string_view name_of(LogLevel level);
// The names above, and "warn".
std::optional<LogLevel> parse_log_level(std::string_view text);

enum class LogFormat : std::uint8_t { text, json };

struct LogOptions {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  std::string path;  // empty: standard error
};

// A name and a value; lives as long as the call.
struct LogField {
  std::string_view name;
  std::string_view text;
  std::int64_t number = 0;
  bool is_number = false;

  LogField(std::string_view field, std::string_view value) : name(field), text(value) {}
  LogField(std::string_view field, std::string const& value) : name(field), text(value) {}
  LogField(std::string_view field, char const* value) : name(field), text(value) {}
  LogField(std::string_view field, std::integral auto value)
      : name(field), number(static_cast<std::int64_t>(value)), is_number(true) {}
};
using LogFields = std::initializer_list<LogField>;

// A token bucket for one place in the program, so that peers cannot fill the disk. Static there:
//   static LogLimit limit;
//   log.warning(limit, "handshake cut off", {{"client", address}});
// What was held back is said with the next line that passes: `suppressed=123`.
class LogLimit {
 public:
  explicit LogLimit(unsigned burst = 10,
                    std::chrono::nanoseconds per_line = std::chrono::seconds{1})
      : burst_(burst), per_line_(per_line) {}
  // How many were held back since the last one that passed; nullopt: hold this one back.
  std::optional<std::uint64_t> admit(std::chrono::steady_clock::time_point now);

 private:
  unsigned const burst_;
  std::chrono::nanoseconds const per_line_;
  std::atomic<std::int64_t> full_at_{0};  // nanoseconds: when the bucket will be full again
  std::atomic<std::uint64_t> suppressed_{0};
};

class Log {
 public:
  static Result<std::unique_ptr<Log>> open(LogOptions options);
  Log();  // text on standard error, from info
  Log(Log const&) = delete;
  Log& operator=(Log const&) = delete;
  ~Log();

  bool enabled(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }
  void write(LogLevel level, std::string_view sentence, LogFields fields = {});
  void write(LogLevel level, LogLimit& limit, std::string_view sentence, LogFields fields = {});

  void debug(std::string_view sentence, LogFields fields = {}) {
    write(LogLevel::debug, sentence, fields);
  }
  void info(std::string_view sentence, LogFields fields = {}) {
    write(LogLevel::info, sentence, fields);
  }
  void warning(std::string_view sentence, LogFields fields = {}) {
    write(LogLevel::warning, sentence, fields);
  }
  void warning(LogLimit& limit, std::string_view sentence, LogFields fields = {}) {
    write(LogLevel::warning, limit, sentence, fields);
  }
  void error(std::string_view sentence, LogFields fields = {}) {
    write(LogLevel::error, sentence, fields);
  }

  Result<void> configure(LogOptions options);
  // Opens the same path again, after a log rotation has renamed the file.
  Result<void> reopen();

 private:
  class Sink;
  void write_line(LogLevel level, std::string_view sentence, LogFields fields,
                  std::uint64_t suppressed);

  std::atomic<LogLevel> level_;
  std::atomic<LogFormat> format_;
  std::unique_ptr<Sink> sink_;
};

// The log of this process.
Log& process_log();

}  // namespace certgate::telemetry
