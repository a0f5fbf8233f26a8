// The metrics of certgate's own traffic, counted from the records that are logged.
//
// Counting from the same record keeps log and metrics from disagreeing. One TrafficMetrics is made
// per configuration (its rules have their own counters); all of them share the registry's series.
// Immutable after that, so every worker may use it with its own WorkerMetrics.
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "certgate/telemetry/access_record.hpp"
#include "certgate/telemetry/metrics.hpp"

namespace certgate::telemetry {

enum class HandshakeResult : std::uint8_t { full, resumed, failed };
inline constexpr std::size_t handshake_result_count = 3;
std::string_view name_of(HandshakeResult result);

// A rule as its counter is labelled.
struct RuleLabel {
  std::string name;
  std::string action;  // as configured: "block", "allow", "log"
};

class TrafficMetrics {
 public:
  static constexpr std::size_t no_rule = std::numeric_limits<std::size_t>::max();

  // `rules`: in the order of their indices. `failures`: every token that AccessRecord::failure and
  // HandshakeRecord::failure may have, kept as views of static text; others count as "other".
  TrafficMetrics(MetricRegistry& registry, std::span<RuleLabel const> rules,
                 std::span<std::string_view const> failures = {});

  // `rule`: index of the rule that decided, or no_rule for the default action.
  void count(WorkerMetrics& worker, AccessRecord const& record, std::size_t rule) const;
  // A rule with action `log` that matched.
  void count_logging_rule(WorkerMetrics& worker, std::size_t rule) const;
  void count(WorkerMetrics& worker, HandshakeRecord const& record) const;
  void count_handshake(WorkerMetrics& worker, HandshakeResult result, CertificateVerdict verdict,
                       std::chrono::microseconds duration) const;

  void connection_opened(WorkerMetrics& worker) const { worker.change(open_connections_, 1); }
  void connection_closed(WorkerMetrics& worker) const { worker.change(open_connections_, -1); }

 private:
  void count_failure(WorkerMetrics& worker, std::string_view token) const;

  std::array<std::array<Counter, certificate_verdict_count>, request_action_count> requests_;
  std::array<Counter, 6> status_classes_;  // 0 (no answer) to 5xx
  std::array<std::array<Counter, certificate_verdict_count>, handshake_result_count> handshakes_;
  std::vector<Counter> rules_;
  Counter default_action_;
  Counter shadow_differences_;
  std::vector<std::pair<std::string_view, Counter>> failures_;  // sorted by token
  Counter other_failure_;
  Counter bytes_in_;
  Counter bytes_out_;
  Histogram total_;
  Histogram origin_;
  Histogram origin_connect_;
  Histogram handshake_;
  Gauge open_connections_;
};

}  // namespace certgate::telemetry
