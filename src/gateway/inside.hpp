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
#include "certgate/upstream/name_watch.hpp"
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
  Result<Receipt, Diagnostics> try_reload();
  Result<void> bring_up_to_date(Built& built);
  void reload_soon(std::function<void(Result<Receipt, Diagnostics> const&)> done);
  Result<void> reopen_logs();
  Result<void, Diagnostics> retarget_logs(config::Config const& wanted);
  Result<void> change_trust(TrustChange const& change);
  Result<void> put_in_force(std::shared_ptr<proxy::Generation> next);
  void refresh_lists();
  void watch_names();
  void note_name(upstream::NameNews const& news);
  void follow_name(std::string const& name, std::vector<IpAddress> const& addresses);
  void watch_lists(std::string seen);
  admin::Outcome change_denied(DenyChange::Kind kind, std::string const& body);
  std::shared_ptr<proxy::Generation const> generation_in_force() const;
  tls::ServerOptions tls_options() const;
  void limit_connections(config::Limits const& limits);
  void publish_expiries();
  void register_own_metrics();
  void on_each_worker(std::function<void(proxy::Worker&)> const& work);
  void drain();

  // admin::Control
  bool ready() override { return serving && !draining; }
  std::string status() override;
  std::string metrics() override;
  void reload(std::string_view body, admin::Done done) override;
  bool command(std::string_view name, std::string_view body, admin::Done done) override;

  SystemClock system_clock;
  GatewayOptions options;

  // Three locks, always taken in this order, so that nobody who asks waits for a build.
  // `building`: one reads files and builds at a time, a reload or lists that are renewed. Seconds.
  std::mutex building;
  std::shared_ptr<CrlStore> crl_store = std::make_shared<CrlStore>();  // has a lock of its own
  Builder builder{crl_store, options.lookup};
  std::shared_ptr<config::Config const> config;  // written under `changing` and `mutex`, too
  std::vector<OpenListener> listeners;           // as above

  // `changing`: one changes what is in force at a time, while the workers take it up. Milliseconds.
  std::mutex changing;
  Built current;  // written under `mutex`, too

  // `mutex`: for reading what is above, and what follows. Held while something is copied.
  mutable std::mutex mutex;
  std::chrono::system_clock::time_point loaded_at;
  std::uint64_t reloads_taken = 0;
  std::uint64_t failed_reloads = 0;
  std::string last_failure;
  std::vector<std::string> list_problems;  // of the last look

  std::unique_ptr<telemetry::MetricRegistry> registry;
  std::unique_ptr<telemetry::AccessLog> access_log;
  telemetry::Log& log = telemetry::process_log();
  std::shared_ptr<tls::SessionStore> sessions;
  std::shared_ptr<tls::TicketKeys> ticket_keys;
  std::shared_ptr<proxy::ConnectionCount> connections = std::make_shared<proxy::ConnectionCount>();
  std::uint64_t descriptors = 0;  // that the process may have open

  std::unique_ptr<DenyBook> denied;

  std::vector<std::unique_ptr<proxy::Worker>> workers;
  std::vector<std::thread> threads;
  std::atomic<bool> serving{false};
  std::atomic<bool> draining{false};

  // Health checks and everything that is slow and nobody waits for.
  net::Loop background;
  net::Deadlines background_deadlines{background};
  std::unique_ptr<upstream::HealthChecker> health;
  std::unique_ptr<upstream::NameWatch> names;
  std::atomic<std::uint64_t> names_followed{0};
  std::thread background_thread;
  net::Loop reloads;  // one after the other
  std::thread reload_thread;
  std::atomic<bool> reload_waits{false};  // one that a signal asked for, and that has not begun
  net::Loop commands;  // a denial does not wait for a reload
  std::thread command_thread;

  std::unique_ptr<CrlFetching> crl_fetching;
  std::unique_ptr<CrlWatch> crl_watch;
  std::atomic<std::uint64_t> lists_renewed{0}, lists_refused{0};

  std::unique_ptr<admin::Server> admin_server;
};

}  // namespace certgate::gateway
