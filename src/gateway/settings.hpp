// Words of the configuration as the layers below say them.
#pragma once

#include <cstddef>

#include "certgate/base/diagnostic.hpp"
#include "certgate/config/config.hpp"
#include "certgate/proxy/worker.hpp"
#include "certgate/telemetry/access_log.hpp"
#include "certgate/telemetry/log.hpp"

namespace certgate::gateway {

telemetry::LogLevel level_of(config::LogLevel level);
telemetry::AccessLogFormat format_of(config::AccessFormat format);
proxy::ProxyProtocol protocol_of(config::ProxyProtocol protocol);
std::size_t worker_count(config::Config const& config);  // `auto`: one per CPU

// Why a log file cannot be opened, and what to do.
Diagnostic log_mistake(config::FilePath const& file, Error const& error);
// What start would say of the log files, without making them.
Diagnostics look_at_logs(config::LogSettings const& log);
// The one thing that is wrong.
Diagnostics one(Diagnostic diagnostic);

}  // namespace certgate::gateway
