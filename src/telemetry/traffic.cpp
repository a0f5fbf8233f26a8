// Names certgate's metric families, and adds one record to them.
#include "certgate/telemetry/traffic.hpp"

#include <algorithm>

namespace certgate::telemetry {
namespace {

template <class Enum>
std::string label_of(std::size_t value) {
  return std::string(name_of(static_cast<Enum>(value)));
}

template <class Enum>
std::size_t index_of(Enum value) {
  return static_cast<std::size_t>(value);
}

}  // namespace

std::string_view name_of(HandshakeResult result) {
  switch (result) {
    case HandshakeResult::full:
      return "full";
    case HandshakeResult::resumed:
      return "resumed";
    case HandshakeResult::failed:
      return "failed";
  }
  return "failed";
}

TrafficMetrics::TrafficMetrics(MetricRegistry& registry, std::span<RuleLabel const> rules,
                               std::span<std::string_view const> failures) {
  for (std::size_t action = 0; action < request_action_count; ++action) {
    for (std::size_t verdict = 0; verdict < certificate_verdict_count; ++verdict) {
      requests_[action][verdict] =
          registry.counter("certgate_requests_total", "Requests by what became of them.",
                           {{"action", label_of<RequestAction>(action)},
                            {"cert", label_of<CertificateVerdict>(verdict)}});
    }
  }
  for (std::size_t result = 0; result < handshake_result_count; ++result) {
    for (std::size_t verdict = 0; verdict < certificate_verdict_count; ++verdict) {
      handshakes_[result][verdict] =
          registry.counter("certgate_handshakes_total", "TLS handshakes with clients.",
                           {{"result", label_of<HandshakeResult>(result)},
                            {"cert", label_of<CertificateVerdict>(verdict)}});
    }
  }
  for (std::size_t i = 0; i < status_classes_.size(); ++i) {
    status_classes_[i] =
        registry.counter("certgate_responses_total", "Answers by class of their status code.",
                         {{"class", i == 0 ? "none" : std::to_string(i) + "xx"}});
  }
  for (RuleLabel const& rule : rules) {
    rules_.push_back(registry.counter("certgate_rule_matches_total",
                                      "Requests that a rule decided, or logged.",
                                      {{"rule", rule.name}, {"action", rule.action}}));
  }
  default_action_ =
      registry.counter("certgate_default_action_total", "Requests that no rule decided.");
  shadow_differences_ =
      registry.counter("certgate_shadow_differences_total",
                       "Requests that the shadow rules would have decided differently.");
  auto const failure = [&](std::string_view token) {
    return registry.counter("certgate_failures_total",
                            "Requests and handshakes that failed, by reason.",
                            {{"reason", std::string(token)}});
  };
  for (std::string_view const token : failures) failures_.emplace_back(token, failure(token));
  std::sort(failures_.begin(), failures_.end(),
            [](auto const& a, auto const& b) { return a.first < b.first; });
  other_failure_ = failure("other");
  bytes_in_ = registry.counter("certgate_request_bytes_total", "Bytes of requests received.");
  bytes_out_ = registry.counter("certgate_response_bytes_total", "Bytes of answers sent.");
  total_ = registry.histogram("certgate_request_duration_seconds",
                              "From the first byte of a request to the last of its answer.");
  origin_ = registry.histogram("certgate_origin_duration_seconds",
                               "From the request sent to the head of the origin's answer.");
  origin_connect_ = registry.histogram("certgate_origin_connect_duration_seconds",
                                       "Making a new connection to an origin, TLS included.");
  handshake_ =
      registry.histogram("certgate_handshake_duration_seconds", "TLS handshakes with clients.");
  open_connections_ = registry.gauge("certgate_open_connections", "Connections of clients.");
}

void TrafficMetrics::count(WorkerMetrics& worker, AccessRecord const& record,
                           std::size_t rule) const {
  worker.add(requests_[index_of(record.action)][index_of(record.certificate.verdict)]);
  unsigned const status_class = record.status / 100;
  worker.add(status_classes_[status_class < status_classes_.size() ? status_class : 0]);
  if (record.action != RequestAction::refused) {
    worker.add(rule < rules_.size() ? rules_[rule] : default_action_);
  }
  if (!record.shadow.empty()) worker.add(shadow_differences_);
  worker.add(bytes_in_, record.bytes_in);
  worker.add(bytes_out_, record.bytes_out);
  worker.observe(total_, record.total);
  worker.observe(origin_, record.origin_time);
  worker.observe(origin_connect_, record.origin_connect);
  if (!record.failure.empty()) count_failure(worker, record.failure);
}

void TrafficMetrics::count_logging_rule(WorkerMetrics& worker, std::size_t rule) const {
  if (rule < rules_.size()) worker.add(rules_[rule]);
}

void TrafficMetrics::count(WorkerMetrics& worker, HandshakeRecord const& record) const {
  count_handshake(worker, HandshakeResult::failed, record.certificate.verdict, record.handshake);
  if (!record.failure.empty()) count_failure(worker, record.failure);
}

void TrafficMetrics::count_handshake(WorkerMetrics& worker, HandshakeResult result,
                                     CertificateVerdict verdict,
                                     std::chrono::microseconds duration) const {
  worker.add(handshakes_[index_of(result)][index_of(verdict)]);
  worker.observe(handshake_, duration);
}

void TrafficMetrics::count_failure(WorkerMetrics& worker, std::string_view token) const {
  auto const known = std::lower_bound(
      failures_.begin(), failures_.end(), token,
      [](auto const& entry, std::string_view wanted) { return entry.first < wanted; });
  bool const found = known != failures_.end() && known->first == token;
  worker.add(found ? known->second : other_failure_);
}

}  // namespace certgate::telemetry
