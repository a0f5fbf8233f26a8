// What the running process says of itself: status and metrics.
#include <algorithm>
#include <array>
#include <map>

#include "certgate/telemetry/prometheus.hpp"
#include "inside.hpp"
#include "status.hpp"

namespace certgate::gateway {
namespace {

constexpr auto one_day = std::chrono::hours{24};

}  // namespace

std::shared_ptr<proxy::Generation const> Gateway::Inside::generation_in_force() const {
  std::lock_guard const lock(mutex);
  return current.generation;
}

void Gateway::Inside::publish_expiries() {
  std::vector<Expiry> expiries;
  std::uint64_t number = 0;
  {
    std::lock_guard const lock(mutex);
    expiries = current.expiries;
    number = current.generation->number;
  }
  // A file may hold two of one name (lists of two scopes, a CA renewed): the one that ends first.
  std::map<std::array<std::string, 3>, Expiry const*> first;
  for (auto const& expiry : expiries) {
    auto& known = first[{std::string(name_of(expiry.kind)), expiry.name, expiry.file}];
    if (known == nullptr || expiry.until < known->until) known = &expiry;
  }
  telemetry::MetricRegistry::Values days, shares;
  auto const now = options.clock->unix_seconds();
  for (auto const& [labels, expiry] : first) {
    auto const left = static_cast<double>(expiry->until - now);
    auto const whole = static_cast<double>(std::max<UnixSeconds>(expiry->until - expiry->from, 1));
    auto const& [kind, name, file] = labels;
    days.push_back({{{"kind", kind}, {"name", name}, {"file", file}},
                    left / static_cast<double>(std::chrono::seconds(one_day).count())});
    shares.push_back(
        {{{"kind", kind}, {"name", name}, {"file", file}}, std::clamp(left / whole, 0.0, 1.0)});
  }
  registry->set_values("certgate_expiry_days",
                       "Days until a certificate, CA or CRL in use ends; negative: it has ended",
                       std::move(days));
  registry->set_values("certgate_time_left_ratio",
                       "Share of its time that a certificate, CA or CRL in use has left; a CRL's is "
                       "from thisUpdate to nextUpdate",
                       std::move(shares));
  registry->set_values("certgate_config_version",
                       "Version of the configuration in force; counts up with every reload",
                       {{{}, static_cast<double>(number)}});
}

std::string Gateway::Inside::metrics() {
  publish_expiries();
  return telemetry::format_prometheus(registry->read());
}

std::string Gateway::Inside::status() {
  StatusFacts facts;
  Built shown;
  {
    std::lock_guard const lock(mutex);
    shown = current;
    facts.loaded_at =
        std::chrono::floor<std::chrono::seconds>(loaded_at).time_since_epoch().count();
    facts.failed_reloads = failed_reloads;
    facts.last_failure = last_failure;
    for (auto const& listener : listeners) {
      facts.listeners.push_back(listener.settings->endpoint.to_string());
    }
    facts.list_problems = list_problems;
  }
  facts.version = shown.generation->number;
  facts.config_path = options.config_path;
  facts.is_ready = serving && !draining;
  facts.is_draining = draining;
  facts.workers = workers.size();
  facts.connections = connections->open.load();
  facts.now = options.clock->unix_seconds();
  facts.names = names->states();
  facts.crl_urls = crl_fetching->states();
  facts.denied = denied->entries(facts.now);
  facts.denied_is_kept = denied->is_kept();
  return format_status(facts, *shown.generation, shown.expiries, shown.warnings);
}

}  // namespace certgate::gateway
