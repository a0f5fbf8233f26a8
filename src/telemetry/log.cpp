// Formats the daemon's log lines and hands them to spdlog's sinks.
#include "certgate/telemetry/log.hpp"

#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <mutex>

#include "certgate/base/encoding.hpp"

namespace certgate::telemetry {
namespace {

using SinkPointer = std::shared_ptr<spdlog::sinks::sink>;

Result<SinkPointer> open_sink(std::string const& path) {
  SinkPointer sink;
  try {
    if (path.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
      // spdlog would make the folders: a misspelt path must be told, as that of any other file is.
      auto const folder = std::filesystem::path(path).parent_path();
      std::error_code ignored;
      if (!folder.empty() && !std::filesystem::is_directory(folder, ignored)) {
        return fail(ErrorCode::not_found, "cannot open log " + path + ": there is no folder `" +
                                              folder.string() + "`");
      }
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
    }
    // The line comes complete; spdlog adds its end.
    sink->set_formatter(std::make_unique<spdlog::pattern_formatter>("%v"));
  } catch (std::exception const& error) {
    return fail(ErrorCode::io, "cannot open log: " + std::string(error.what()));
  }
  return sink;
}

std::string now_text() {
  using namespace std::chrono;
  auto const now = floor<milliseconds>(system_clock::now());
  auto const second = floor<seconds>(now);
  std::time_t const since = second.time_since_epoch().count();
  std::tm civil{};
  gmtime_r(&since, &civil);
  char text[64];
  std::size_t const length = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.", &civil);
  std::string const fraction = std::to_string(1000 + (now - second).count());
  return std::string(text, length) + fraction.substr(1) + 'Z';
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_json_escaped(out, text);
  out += '"';
}

bool needs_no_quotes(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7F && c != '"' && c != '\\' && c != '=';
  });
}

void append_text_value(std::string& out, LogField const& field) {
  if (field.is_number) {
    out += std::to_string(field.number);
  } else if (needs_no_quotes(field.text)) {
    out += field.text;
  } else {
    append_quoted(out, field.text);
  }
}

void append_json_member(std::string& out, LogField const& field) {
  out += ',';
  append_quoted(out, field.name);
  out += ':';
  if (field.is_number) {
    out += std::to_string(field.number);
  } else {
    append_quoted(out, field.text);
  }
}

std::string text_line(LogLevel level, std::string_view sentence, LogFields fields) {
  std::string line = now_text();
  line += ' ';
  line += name_of(level);
  line += ' ';
  append_json_escaped(line, sentence);
  for (LogField const& field : fields) {
    line += ' ';
    line += field.name;
    line += '=';
    append_text_value(line, field);
  }
  return line;
}

std::string json_line(LogLevel level, std::string_view sentence, LogFields fields) {
  std::string line = "{\"time\":\"" + now_text() + "\",\"level\":\"";
  line += name_of(level);
  line += "\",\"message\":";
  append_quoted(line, sentence);
  for (LogField const& field : fields) append_json_member(line, field);
  return line;
}

}  // namespace

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
    case LogLevel::off:
      return "off";
  }
  return "off";
}

std::optional<LogLevel> parse_log_level(std::string_view text) {
  if (text == "warn") return LogLevel::warning;
  for (auto const level :
       {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error, LogLevel::off}) {
    if (text == name_of(level)) return level;
  }
  return std::nullopt;
}

// The virtual-scheduling form of a token bucket: one number says how empty it is.
std::optional<std::uint64_t> LogLimit::admit(std::chrono::steady_clock::time_point now) {
  std::int64_t const at = std::chrono::nanoseconds(now.time_since_epoch()).count();
  std::int64_t const capacity = per_line_.count() * burst_;
  std::int64_t full_at = full_at_.load(std::memory_order_relaxed);
  while (true) {
    std::int64_t const next = std::max(full_at, at) + per_line_.count();
    if (next - at > capacity) {
      suppressed_.fetch_add(1, std::memory_order_relaxed);
      return std::nullopt;
    }
    if (full_at_.compare_exchange_weak(full_at, next, std::memory_order_relaxed)) {
      return suppressed_.exchange(0, std::memory_order_relaxed);
    }
  }
}

class Log::Sink {
 public:
  Sink(std::string path, SinkPointer sink) : path_(std::move(path)), sink_(std::move(sink)) {}

  void write(std::string const& line, LogLevel level) {
    std::lock_guard const lock{mutex_};
    try {
      sink_->log(spdlog::details::log_msg{{}, spdlog::level::info, line});
      if (level != LogLevel::debug) sink_->flush();
    } catch (std::exception const&) {
      // A full disk must not stop the proxy, and there is nowhere left to say so.
    }
  }
  void replace(std::string path, SinkPointer sink) {
    std::lock_guard const lock{mutex_};
    path_ = std::move(path);
    sink_ = std::move(sink);
  }
  std::string path() const {
    std::lock_guard const lock{mutex_};
    return path_;
  }

 private:
  mutable std::mutex mutex_;
  std::string path_;
  SinkPointer sink_;
};

Result<std::unique_ptr<Log>> Log::open(LogOptions options) {
  auto log = std::make_unique<Log>();
  auto const configured = log->configure(std::move(options));
  if (!configured) return fail(configured.error());
  return log;
}

Log::Log() : level_(LogLevel::info), format_(LogFormat::text) {
  // Standard error needs no opening: this cannot fail.
  sink_ = std::make_unique<Sink>("", open_sink("").value());
}

Log::~Log() = default;

Result<void> Log::configure(LogOptions options) {
  CERTGATE_TRY(auto sink, open_sink(options.path));
  sink_->replace(std::move(options.path), std::move(sink));
  level_.store(options.level, std::memory_order_relaxed);
  format_.store(options.format, std::memory_order_relaxed);
  return {};
}

Result<void> Log::reopen() {
  std::string path = sink_->path();
  CERTGATE_TRY(auto sink, open_sink(path));
  sink_->replace(std::move(path), std::move(sink));
  return {};
}

void Log::write(LogLevel level, std::string_view sentence, LogFields fields) {
  if (enabled(level)) write_line(level, sentence, fields, 0);
}

void Log::write(LogLevel level, LogLimit& limit, std::string_view sentence, LogFields fields) {
  if (!enabled(level)) return;
  auto const suppressed = limit.admit(std::chrono::steady_clock::now());
  if (suppressed) write_line(level, sentence, fields, *suppressed);
}

void Log::write_line(LogLevel level, std::string_view sentence, LogFields fields,
                     std::uint64_t suppressed) {
  bool const json = format_.load(std::memory_order_relaxed) == LogFormat::json;
  std::string line = json ? json_line(level, sentence, fields) : text_line(level, sentence, fields);
  if (suppressed != 0) {
    line += json ? ",\"suppressed\":" : " suppressed=";
    line += std::to_string(suppressed);
  }
  if (json) line += '}';
  sink_->write(line, level);
}

Log& process_log() {
  static Log log;
  return log;
}

}  // namespace certgate::telemetry
