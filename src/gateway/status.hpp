// The state of the process as JSON, as metrics, and as text for `check`.
#pragma once

#include <string>
#include <vector>

#include "certgate/gateway/gateway.hpp"
#include "certgate/proxy/worker.hpp"
#include "certgate/telemetry/access_log.hpp"
#include "certgate/tls/session_store.hpp"
#include "certgate/upstream/name_watch.hpp"
#include "crl_fetcher.hpp"

namespace certgate::gateway {

struct StatusFacts {
  std::uint64_t version = 0;
  UnixSeconds loaded_at = 0;
  UnixSeconds now = 0;
  std::string config_path;
  bool is_ready = false;
  bool is_draining = false;
  std::size_t workers = 0;
  std::size_t connections = 0;
  std::uint64_t failed_reloads = 0;
  std::string last_failure;
  std::vector<std::string> listeners;
  std::vector<std::string> list_problems;  // CRLs that were refused at the last look
  std::vector<CrlFetchState> crl_urls;
  std::vector<upstream::NameState> names;
  std::vector<x509::DenyEntry> denied;
  bool denied_is_kept = false;
};

std::string format_status(StatusFacts const& facts, proxy::Generation const& generation,
                          std::vector<Expiry> const& expiries, Diagnostics const& warnings);

// Gauges and counters that no worker keeps: read when somebody asks.
void register_process_metrics(telemetry::MetricRegistry& registry,
                              telemetry::AccessLog const& access_log,
                              proxy::ConnectionCount const& connections,
                              tls::SessionStore const& sessions);


}  // namespace certgate::gateway
