#include "settings.hpp"

#include <algorithm>
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
