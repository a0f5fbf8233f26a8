// The fetching of lists as a start, a reload and the status page see it.
//
// A start waits a bounded time for lists that nobody ever had, and then serves: clients that they
// would speak for are not verified until the list comes. A reload that asks for a new list which
// cannot be had is refused: what is in force is better than that.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "certgate/base/diagnostic.hpp"
#include "certgate/telemetry/metrics.hpp"
#include "crl_fetcher.hpp"

namespace certgate::gateway {

class CrlFetching {
 public:
  // `changed` is called on the fetcher's thread when a list differs; it must not wait.
  CrlFetching(Clock const& clock, std::shared_ptr<CrlStore> store, telemetry::Log& log,
              std::function<void()> changed);

  // Reads what is kept, then waits for what is not. What is to be logged waits for log_is_open().
  Result<void, Diagnostics> start(config::Config const& config);
  void log_is_open();
  // The process serves: from now on `changed` is called.
  void is_in_force();

  // Before a reload's build; then exactly one of commit() and roll_back(). Not from several threads.
  Result<void, Diagnostics> prepare(config::Config const& wanted);
  void commit();
  void roll_back();

  std::vector<CrlFetchState> states() const { return fetcher_->states(); }
  void register_metrics(telemetry::MetricRegistry& registry) const;

 private:
  void write_log(telemetry::LogLevel level, std::string const& sentence);

  Clock const& clock_;
  std::shared_ptr<CrlStore> store_;
  telemetry::Log& log_;
  std::function<void()> changed_;
  std::atomic<bool> in_force_{false};

  std::mutex early_mutex_;
  bool log_is_open_ = false;
  std::vector<std::pair<telemetry::LogLevel, std::string>> early_;

  std::vector<CrlUrl> urls_, next_urls_;
  CrlFetchSettings settings_, next_settings_;
  std::unique_ptr<CrlFetcher> fetcher_;  // last: its thread uses what stands above
};

}  // namespace certgate::gateway
