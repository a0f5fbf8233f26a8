#include "settings.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <thread>

namespace certgate::gateway {

telemetry::LogLevel level_of(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::debug: return telemetry::LogLevel::debug;
    case config::LogLevel::info: return telemetry::LogLevel::info;
    case config::LogLevel::warning: return telemetry::LogLevel::warning;
    case config::LogLevel::error: break;
  }
  return telemetry::LogLevel::error;
}

telemetry::AccessLogFormat format_of(config::AccessFormat format) {
  switch (format) {
    case config::AccessFormat::json: return telemetry::AccessLogFormat::json;
    case config::AccessFormat::text: return telemetry::AccessLogFormat::text;
    case config::AccessFormat::off: break;
  }
  return telemetry::AccessLogFormat::off;
}

proxy::ProxyProtocol protocol_of(config::ProxyProtocol protocol) {
  switch (protocol) {
    case config::ProxyProtocol::v1: return proxy::ProxyProtocol::v1;
    case config::ProxyProtocol::v2: return proxy::ProxyProtocol::v2;
    case config::ProxyProtocol::any: return proxy::ProxyProtocol::any;
    case config::ProxyProtocol::off: break;
  }
  return proxy::ProxyProtocol::off;
}

Diagnostic log_mistake(config::FilePath const& file, Error const& error) {
  return file.mark.diagnostic(error.detail,
                              "its folder must be there, and the user that certgate runs as must be "
                              "allowed to write in it and to the file");
}

namespace {

// Why a file cannot be opened for appending; "" if it can.
std::string why_not_appendable(std::string const& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return std::strerror(EISDIR);
    return ::access(path.c_str(), W_OK) == 0 ? "" : std::strerror(errno);
  }
  if (errno != ENOENT) return std::strerror(errno);
  auto folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) return "there is no folder `" + folder + "`";
  return ::access(folder.c_str(), W_OK | X_OK) == 0 ? "" : std::strerror(errno);
}

}  // namespace

Diagnostics look_at_logs(config::LogSettings const& log) {
  Diagnostics diagnostics;
  auto const look = [&](config::FilePath const& file, char const* what) {
    if (file.empty()) return;
    auto why = why_not_appendable(file.resolved);
    if (why.empty()) return;
    auto detail = std::string("cannot open ") + what + " " + file.resolved + ": " + std::move(why);
    diagnostics.add(log_mistake(file, Error{ErrorCode::io, std::move(detail)}));
  };
  look(log.file, "log");
  look(log.access_file, "access log");
  return diagnostics;
}

Diagnostics one(Diagnostic diagnostic) {
  Diagnostics diagnostics;
  diagnostics.add(std::move(diagnostic));
  return diagnostics;
}

std::size_t worker_count(config::Config const& config) {
  if (*config.workers != 0) return static_cast<std::size_t>(*config.workers);
  return std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace certgate::gateway
