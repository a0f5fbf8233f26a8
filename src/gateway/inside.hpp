// What the running process is made of; its parts are in start, reload, trust changes, status, drain.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "certgate/admin/server.hpp"
#include "certgate/gateway/gateway.hpp"
#include "certgate/net/deadlines.hpp"
#include "certgate/proxy/worker.hpp"
#include "certgate/telemetry/log.hpp"
#include "certgate/upstream/health.hpp"
#include "crl_fetching.hpp"
#include "crl_watch.hpp"
#include "deny_book.hpp"
#include "listeners.hpp"
#include "trust_change.hpp"

namespace certgate::gateway {

struct Gateway::Inside final : admin::Control {
  explicit Inside(GatewayOptions gateway_options) : options(std::move(gateway_options)) {
    if (options.clock == nullptr) options.clock = &system_clock;
  }
  ~Inside() override;

  Result<void, Diagnostics> start();
  Result<void, Diagnostics> start_telemetry();
  Result<void, Diagnostics> start_workers();
  Result<void, Diagnostics> start_admin();
  Result<Receipt, Diagnostics> reload_now();
  Result<void, Diagnostics> retarget_logs(config::Config const& wanted);
  Result<void> change_trust(TrustChange const& change);
  void refresh_lists();
  void watch_lists(std::string seen);
  admin::Outcome change_denied(DenyChange::Kind kind, std::string const& body);
  std::vector<std::string> changes_to(config::Config const& wanted, Built const& next) const;
  tls::ServerOptions tls_options() const;
  void publish_expiries();
  void on_each_worker(std::function<void(proxy::Worker&)> const& work);
  void drain();

  // admin::Control
  bool ready() override { return serving && !draining; }
  std::string status() override;
  std::string metrics() override;
  void reload(admin::Done done) override;
  bool command(std::string_view name, std::string_view body, admin::Done done) override;

  SystemClock system_clock;
  GatewayOptions options;
  std::shared_ptr<CrlStore> crl_store = std::make_shared<CrlStore>();
  Builder builder{crl_store};
  std::unique_ptr<telemetry::MetricRegistry> registry;
  std::unique_ptr<telemetry::AccessLog> access_log;
  telemetry::Log& log = telemetry::process_log();
  std::shared_ptr<tls::SessionStore> sessions;
  std::shared_ptr<tls::TicketKeys> ticket_keys;
  std::shared_ptr<proxy::ConnectionCount> connections = std::make_shared<proxy::ConnectionCount>();

  // Changed by a reload, under the mutex.
  mutable std::mutex mutex;
  std::shared_ptr<config::Config const> config;
  Built current;
  std::unique_ptr<DenyBook> denied;
  std::vector<OpenListener> listeners;
  std::chrono::system_clock::time_point loaded_at;
  std::uint64_t failed_reloads = 0;
  std::string last_failure;

  std::vector<std::unique_ptr<proxy::Worker>> workers;
  std::vector<std::thread> threads;
  std::atomic<bool> serving{false};
  std::atomic<bool> draining{false};

  // Health checks and everything that is slow and nobody waits for.
  net::Loop background;
  net::Deadlines background_deadlines{background};
  std::unique_ptr<upstream::HealthChecker> health;
  std::thread background_thread;
  net::Loop reloads;  // those that the admin address asked for, one after the other
  std::thread reload_thread;

  std::unique_ptr<CrlFetching> crl_fetching;
  std::unique_ptr<CrlWatch> crl_watch;
  std::atomic<std::uint64_t> lists_renewed{0}, lists_refused{0};
  std::vector<std::string> list_problems;  // of the last look; under the mutex

  std::unique_ptr<admin::Server> admin_server;
};

}  // namespace certgate::gateway
