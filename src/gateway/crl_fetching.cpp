#include "crl_fetching.hpp"

#include <algorithm>

namespace certgate::gateway {

CrlFetching::CrlFetching(Clock const& clock, std::shared_ptr<CrlStore> store, telemetry::Log& log,
                         std::function<void()> changed)
    : clock_(clock), store_(std::move(store)), log_(log), changed_(std::move(changed)) {}

void CrlFetching::write_log(telemetry::LogLevel level, std::string const& sentence) {
  {
    std::lock_guard const lock(early_mutex_);
    if (!log_is_open_) {
      early_.emplace_back(level, sentence);
      return;
    }
  }
  switch (level) {
    case telemetry::LogLevel::error: log_.error(sentence); break;
    case telemetry::LogLevel::warning: log_.warning(sentence); break;
    default: log_.info(sentence); break;
  }
}

void CrlFetching::log_is_open() {
  decltype(early_) early;
  {
    std::lock_guard const lock(early_mutex_);
    log_is_open_ = true;
    early.swap(early_);
  }
  for (auto const& [level, sentence] : early) write_log(level, sentence);
}

Result<void, Diagnostics> CrlFetching::start(config::Config const& config) {
  CrlFetchTarget target;
  target.clock = &clock_;
  target.state_directory = config.state_directory.resolved;
  target.changed = [this] {
    if (in_force_) changed_();
  };
  target.log = [this](telemetry::LogLevel level, std::string const& sentence) {
    write_log(level, sentence);
  };
  fetcher_ = std::make_unique<CrlFetcher>(std::move(target), store_);
  CERTGATE_TRY(settings_, crl_fetch_settings(config.crl_refresh));
  urls_ = wanted_crl_urls(config);
  fetcher_->add(urls_, settings_);
  fetcher_->wait_for(urls_, *config.crl_refresh.start_wait);
  return {};
}

// A list may have come between the first build and this moment. What an earlier run kept of other
// addresses goes only now: a start that fails changes nothing.
void CrlFetching::is_in_force() {
  in_force_ = true;
  fetcher_->keep_only(urls_, settings_);
  if (!urls_.empty()) changed_();
}

Result<void, Diagnostics> CrlFetching::prepare(config::Config const& wanted) {
  next_urls_ = urls_;
  next_settings_ = settings_;
  CERTGATE_TRY(next_settings_, crl_fetch_settings(wanted.crl_refresh));
  next_urls_ = wanted_crl_urls(wanted);
  std::vector<CrlUrl> fresh;
  for (auto const& url : next_urls_) {
    bool const is_known = std::any_of(urls_.begin(), urls_.end(),
                                      [&](auto const& known) { return known.key == url.key; });
    if (!is_known) fresh.push_back(url);
  }
  fetcher_->add(fresh, next_settings_);
  // Each fetch ends within its timeout; judging what came takes a little longer.
  auto const patience = *wanted.crl_refresh.timeout + std::chrono::seconds{5};
  Diagnostics diagnostics;
  for (auto const& missing : fetcher_->wait_for(fresh, patience)) {
    auto const url = std::find_if(fresh.begin(), fresh.end(), [&](auto const& candidate) {
      return candidate.key == missing.key;
    });
    auto const why = missing.last_failure.empty() ? "it took too long" : missing.last_failure;
    diagnostics.add(url->mark.diagnostic(
        "the CRL cannot be fetched from " + missing.url + ": " + why,
        "without it every client of its CA would count as not verified; mend the address or the "
        "server, then reload again"));
  }
  if (diagnostics.has_errors()) return fail(std::move(diagnostics));
  return {};
}

void CrlFetching::commit() {
  urls_ = std::move(next_urls_);
  settings_ = std::move(next_settings_);
  fetcher_->keep_only(urls_, settings_);
}

void CrlFetching::roll_back() { fetcher_->keep_only(urls_, settings_); }

void CrlFetching::register_metrics(telemetry::MetricRegistry& registry) const {
  using telemetry::MetricType;
  using Values = telemetry::MetricRegistry::Values;
  using Value = std::function<std::optional<double>(CrlFetchState const&, UnixSeconds)>;
  auto const add = [&](char const* name, char const* help, MetricType type, Value value) {
    registry.read_with(name, help, type, [this, value = std::move(value)] {
      Values values;
      for (auto const& state : states()) {
        auto const number = value(state, clock_.unix_seconds());
        if (number) values.push_back({{{"url", state.url}, {"host", state.host}}, *number});
      }
      return values;
    });
  };
  add("certgate_crl_fetch_age_seconds",
      "Time since the server of a CRL last gave or confirmed the list", MetricType::gauge,
      [](CrlFetchState const& state, UnixSeconds now) -> std::optional<double> {
        if (!state.good_at) return std::nullopt;
        return static_cast<double>(std::max<UnixSeconds>(now - *state.good_at, 0));
      });
  add("certgate_crl_fetch_next_seconds", "Time until a CRL is fetched next", MetricType::gauge,
      [](CrlFetchState const& state, UnixSeconds now) -> std::optional<double> {
        return static_cast<double>(std::max<UnixSeconds>(state.next_at - now, 0));
      });
  add("certgate_crl_fetch_failures_total", "Fetches of a CRL that failed or gave a bad list",
      MetricType::counter, [](CrlFetchState const& state, UnixSeconds) -> std::optional<double> {
        return static_cast<double>(state.failures);
      });
  add("certgate_crl_fetch_failures_in_a_row",
      "Failures since a CRL was last fetched well; 0 when it is well", MetricType::gauge,
      [](CrlFetchState const& state, UnixSeconds) -> std::optional<double> {
        return static_cast<double>(state.failures_in_a_row);
      });
  add("certgate_crl_fetch_bytes", "Size of a fetched CRL; absent when there never was one",
      MetricType::gauge, [](CrlFetchState const& state, UnixSeconds) -> std::optional<double> {
        if (!state.has_list) return std::nullopt;
        return static_cast<double>(state.bytes);
      });
}

}  // namespace certgate::gateway
