#include "certgate/gateway/gateway.hpp"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "certgate/admin/server.hpp"
#include "certgate/config/format_config.hpp"
#include "certgate/gateway/kept_state.hpp"
#include "certgate/net/deadlines.hpp"
#include "certgate/net/socket.hpp"
#include "certgate/proxy/worker.hpp"
#include "certgate/telemetry/log.hpp"
#include "certgate/telemetry/prometheus.hpp"
#include "certgate/upstream/health.hpp"
#include "crl_sources.hpp"
#include "crl_watch.hpp"
#include "deny_book.hpp"
#include "status.hpp"
#include "trust_change.hpp"

namespace certgate::gateway {
namespace {

constexpr int listen_backlog = 4096;
constexpr auto one_day = std::chrono::hours{24};

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

Diagnostics one(Diagnostic diagnostic) {
  Diagnostics diagnostics;
  diagnostics.add(std::move(diagnostic));
  return diagnostics;
}

std::size_t worker_count(config::Config const& config) {
  if (*config.workers != 0) return static_cast<std::size_t>(*config.workers);
  return std::max(1U, std::thread::hardware_concurrency());
}

// A listening address in use: one socket per worker.
struct OpenListener {
  std::string written;  // of the configuration
  std::shared_ptr<proxy::ListenerSettings> settings;
  std::vector<int> sockets;  // until the workers have them
};

void close_sockets(std::vector<OpenListener>& listeners) {
  for (auto& listener : listeners) {
    for (int const fd : listener.sockets) ::close(fd);
    listener.sockets.clear();
  }
}

}  // namespace

std::string Receipt::to_string() const {
  std::string text = "version " + std::to_string(version) + ": ";
  if (changes.empty()) text += "nothing changed";
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (i > 0) text += "; ";
    text += changes[i];
  }
  text += " (" + std::to_string(took.count() / 1000) + "." +
          std::to_string(took.count() / 100 % 10) + " ms)";
  return text;
}

struct Gateway::Inside final : admin::Control {
  explicit Inside(GatewayOptions gateway_options) : options(std::move(gateway_options)) {
    if (options.clock == nullptr) options.clock = &system_clock;
  }
  ~Inside() override;

  Result<void, Diagnostics> start();
  Result<void, Diagnostics> start_telemetry();
  Result<void, Diagnostics> start_workers();
  Result<void, Diagnostics> start_admin();
  Result<std::vector<OpenListener>, Diagnostics> open_listeners(config::Config const& wanted);
  void take_listeners(std::vector<OpenListener> wanted);
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
  Builder builder;
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

  std::unique_ptr<CrlWatch> crl_watch;
  std::atomic<std::uint64_t> lists_renewed{0}, lists_refused{0};
  std::vector<std::string> list_problems;  // of the last look; under the mutex

  std::unique_ptr<admin::Server> admin_server;
};

tls::ServerOptions Gateway::Inside::tls_options() const {
  tls::ServerOptions tls;
  tls.clock = options.clock;
  tls.sessions = sessions;
  tls.ticket_keys = ticket_keys;
  tls.admission.in_progress =
      std::max<std::size_t>(1, static_cast<std::size_t>(*config->limits.handshakes) / workers.size());
  tls.client_hello_facts = reads_client_hello(*current.generation->policy);
  return tls;
}

Result<void, Diagnostics> Gateway::Inside::start_telemetry() {
  telemetry::LogOptions log_options;
  log_options.level = level_of(*config->log.level);
  log_options.path = config->log.file.resolved;
  if (auto const opened = log.configure(log_options); !opened) {
    return fail(one(config->log.file.mark.diagnostic(opened.error().detail)));
  }
  telemetry::AccessLogOptions access;
  access.path = config->log.access_file.resolved;
  access.format = format_of(*config->log.access_format);
  access.workers = worker_count(*config);
  access.report = [this](std::string const& sentence) { log.error(sentence); };
  auto opened = telemetry::AccessLog::open(std::move(access));
  if (!opened) return fail(one(config->log.access_file.mark.diagnostic(opened.error().detail)));
  access_log = std::move(*opened);
  return {};
}

Result<std::vector<OpenListener>, Diagnostics> Gateway::Inside::open_listeners(
    config::Config const& wanted) {
  std::vector<OpenListener> opened;
  Diagnostics diagnostics;
  for (auto const& listener : wanted.listeners) {
    OpenListener open;
    open.written = listener.address->to_string();
    open.settings = std::make_shared<proxy::ListenerSettings>();
    open.settings->name = open.written;
    open.settings->proxy_protocol = protocol_of(*listener.proxy_protocol);
    for (auto const& source : listener.trusted_sources) {
      open.settings->trusted_sources.push_back(*source);
    }
    open.settings->endpoint = *listener.address;

    auto const known = std::find_if(listeners.begin(), listeners.end(), [&](auto const& running) {
      return running.written == open.written;
    });
    if (known != listeners.end()) {
      open.settings->endpoint = known->settings->endpoint;
      opened.push_back(std::move(open));
      continue;
    }
    Result<void> const is_free = net::check_address_free(*listener.address);
    if (!is_free) {
      diagnostics.add(listener.address.mark.diagnostic(
          is_free.error().detail, "choose another port, or stop the other program"));
      continue;
    }
    for (std::size_t i = 0; i < worker_count(*config); ++i) {
      auto const fd = net::open_listener(open.settings->endpoint, listen_backlog);
      if (!fd) {
        diagnostics.add(listener.address.mark.diagnostic(fd.error().detail));
        break;
      }
      open.sockets.push_back(*fd);
      // The port that the first socket got, for the others.
      auto const bound = net::local_endpoint(*fd);
      if (bound) open.settings->endpoint = *bound;
    }
    opened.push_back(std::move(open));
  }
  if (diagnostics.has_errors()) {
    close_sockets(opened);
    return fail(std::move(diagnostics));
  }
  return opened;
}

// Hands new sockets to the workers and closes what is no longer wanted. Listeners that stay keep
// their sockets, so no connection that waits to be accepted is lost.
void Gateway::Inside::take_listeners(std::vector<OpenListener> wanted) {
  for (auto& running : listeners) {
    auto const next = std::find_if(wanted.begin(), wanted.end(), [&](auto const& listener) {
      return listener.written == running.written;
    });
    if (next != wanted.end()) continue;
    auto const settings = running.settings;
    for (auto const& worker : workers) {
      auto& target = *worker;
      target.loop().post([&target, settings] { target.stop_listening(*settings); });
    }
    log.info("stopped listening", {{"address", settings->endpoint.to_string()}});
  }
  for (auto& listener : wanted) {
    if (listener.sockets.empty()) {
      // Runs already; its PROXY settings may have changed.
      auto const settings = listener.settings;
      for (auto const& worker : workers) {
        auto& target = *worker;
        target.loop().post([&target, settings] { target.change_listener(settings); });
      }
      continue;
    }
    for (std::size_t i = 0; i < workers.size(); ++i) {
      auto& target = *workers[i];
      auto const settings = listener.settings;
      int const fd = listener.sockets[i];
      target.loop().post([&target, settings, fd] { target.listen(settings, fd); });
    }
    listener.sockets.clear();
    log.info("listening", {{"address", listener.settings->endpoint.to_string()}});
  }
  listeners = std::move(wanted);
}

Result<void, Diagnostics> Gateway::Inside::start_workers() {
  tls::SessionStoreLimits store;
  store.sessions = static_cast<std::size_t>(*config->sessions.cache_entries);
  store.bytes = static_cast<std::size_t>(config->sessions.cache_bytes->bytes);
  sessions = std::make_shared<tls::SessionStore>(store);
  if (*config->sessions.tickets == config::SessionTickets::stateless) {
    auto const rotation =
        std::chrono::floor<std::chrono::seconds>(*config->sessions.ticket_rotation);
    // An old key opens as long as the longest session may last.
    auto longest = std::chrono::floor<std::chrono::seconds>(*config->tls.session_lifetime);
    for (auto const& host : config->hosts) {
      longest = std::max(longest,
                         std::chrono::floor<std::chrono::seconds>(*host.tls.session_lifetime));
    }
    ticket_keys = std::make_shared<tls::TicketKeys>(rotation, longest);
  }
  connections->limit = static_cast<std::size_t>(*config->limits.connections);
  workers.resize(worker_count(*config));
  for (std::size_t i = 0; i < workers.size(); ++i) {
    proxy::WorkerOptions worker;
    worker.tls = tls_options();
    worker.connections = connections;
    worker.access_log = &access_log->worker(i);
    worker.metrics = &registry->worker(i);
    auto built = proxy::Worker::build(std::move(worker), current.generation);
    if (!built) {
      return fail(one(config->hosts.front().mark.diagnostic(built.error().detail)));
    }
    workers[i] = std::move(*built);
  }
  for (auto const& worker : workers) {
    auto& target = *worker;
    threads.emplace_back([&target] { target.loop().run(); });
  }
  return {};
}

Result<void, Diagnostics> Gateway::Inside::start_admin() {
  if (!config->admin) return {};
  auto const text = config::format_admin_address(*config->admin->address);
  auto address = admin::Address::parse(text);
  if (!address) {
    return fail(one(config->admin->address.mark.diagnostic(address.error().detail)));
  }
  admin::ServerOptions server;
  server.address = std::move(*address);
  server.allow_remote = *config->admin->allow_remote;
  auto started = admin::Server::start(std::move(server), *this);
  if (!started) {
    return fail(one(config->admin->address.mark.diagnostic(started.error().detail)));
  }
  admin_server = std::move(*started);
  log.info("admin address", {{"address", admin_server->address().to_string()}});
  return {};
}

Result<void, Diagnostics> Gateway::Inside::start() {
  // The threads that start on the way may want to change what is still being put together.
  std::lock_guard const lock(mutex);
  auto loaded = load_config(options.config_path);
  if (!loaded) return fail(std::move(loaded.error()));
  config = std::make_shared<config::Config const>(std::move(*loaded));
  registry = std::make_unique<telemetry::MetricRegistry>(worker_count(*config));
  auto seen = look_at_crl_files(*config);
  auto book = DenyBook::open(config->state_directory.resolved, options.clock->unix_seconds());
  if (!book) return fail(one(config->state_directory.mark.diagnostic(book.error().detail)));
  denied = std::move(*book);
  auto built = builder.build(*config, 1, options.clock->unix_seconds(), *registry, denied->list());
  if (!built) return fail(std::move(built.error()));
  current = std::move(*built);
  builder.commit();
  loaded_at = options.clock->now();

  auto opened = open_listeners(*config);
  if (!opened) return fail(std::move(opened.error()));
  if (auto done = start_telemetry(); !done) {
    close_sockets(*opened);
    return fail(std::move(done.error()));
  }
  if (auto done = start_workers(); !done) {
    close_sockets(*opened);
    return fail(std::move(done.error()));
  }
  for (auto const& warning : current.warnings) log.warning(render_short(warning));
  take_listeners(std::move(*opened));
  health = std::make_unique<upstream::HealthChecker>(
      background, background_deadlines, [this](upstream::HealthChange const& change) {
        log.warning(change.is_up ? "origin server is up" : "origin server is down",
                    {{"origin", change.origin}, {"server", change.server},
                     {"reason", change.reason}});
      });
  health->watch(current.generation->origins);
  background_thread = std::thread([this] { background.run(); });
  reload_thread = std::thread([this] { reloads.run(); });
  watch_lists(std::move(seen));
  if (auto done = start_admin(); !done) return fail(std::move(done.error()));
  publish_expiries();
  register_process_metrics(*registry, *access_log, *connections, *sessions);
  registry->read_with("certgate_denied_entries", "Entries of the operator's deny list in force",
                      telemetry::MetricType::gauge, [this] {
                        auto const count = denied->entries(options.clock->unix_seconds()).size();
                        return telemetry::MetricRegistry::Values{{{}, static_cast<double>(count)}};
                      });
  // Every listener accepts once the messages that were posted before this one have run.
  on_each_worker([](proxy::Worker&) {});
  serving = true;
  log.info("serving", {{"version", std::uint64_t{1}}, {"workers", workers.size()},
                       {"hosts", config->hosts.size()}, {"rules", config->rules.size()}});
  return {};
}

Gateway::Inside::~Inside() {
  serving = false;
  admin_server = nullptr;
  crl_watch = nullptr;
  reloads.stop();
  if (reload_thread.joinable()) reload_thread.join();
  if (!threads.empty()) drain();
  for (auto const& worker : workers) {
    if (worker != nullptr) worker->loop().stop();
  }
  for (auto& thread : threads) thread.join();
  background.stop();
  if (background_thread.joinable()) background_thread.join();
  if (health != nullptr) {
    background.run_until([this] { return health->stop(); }, std::chrono::seconds{5});
  }
}

void Gateway::Inside::on_each_worker(std::function<void(proxy::Worker&)> const& work) {
  std::mutex waiting;
  std::condition_variable all_done;
  std::size_t left = workers.size();
  for (auto const& worker : workers) {
    auto& target = *worker;
    target.loop().post([&, &target = target] {
      work(target);
      std::lock_guard const lock(waiting);
      if (--left == 0) all_done.notify_one();
    });
  }
  std::unique_lock lock(waiting);
  all_done.wait(lock, [&] { return left == 0; });
}

// --- Reload ---------------------------------------------------------------------------------------

// Both or neither: a refused reload goes on logging where it did.
Result<void, Diagnostics> Gateway::Inside::retarget_logs(config::Config const& wanted) {
  if (wanted.log == config->log) return {};
  auto const options_of = [](config::Config const& from) {
    telemetry::LogOptions log_options;
    log_options.level = level_of(*from.log.level);
    log_options.path = from.log.file.resolved;
    return log_options;
  };
  if (auto const done = log.configure(options_of(wanted)); !done) {
    return fail(one(wanted.log.file.mark.diagnostic(done.error().detail)));
  }
  auto const done = access_log->retarget(wanted.log.access_file.resolved,
                                         format_of(*wanted.log.access_format));
  if (done) return {};
  if (auto const back = log.configure(options_of(*config)); !back) {
    log.error("cannot go back to the former log: " + back.error().detail);
  }
  return fail(one(wanted.log.access_file.mark.diagnostic(done.error().detail)));
}

std::vector<std::string> Gateway::Inside::changes_to(config::Config const& wanted,
                                                     Built const& next) const {
  auto changes = config::diff(*config, wanted);
  // Paths that stayed the same may lead to other contents.
  auto const& before = *current.generation;
  auto const& now = *next.generation;
  for (auto const& site : now.sites) {
    auto const old = std::find_if(before.sites.begin(), before.sites.end(),
                                  [&](auto const& known) { return known->name == site->name; });
    if (old == before.sites.end()) continue;
    auto const& was = (*old)->tls->client();
    auto const& is = site->tls->client();
    if (was.trust != nullptr && is.trust != nullptr &&
        was.trust->digest() != is.trust->digest()) {
      changes.push_back("host " + site->name + ": other client CAs");
    }
    if (was.revocations != is.revocations) {
      auto const entries = is.revocations == nullptr ? 0 : is.revocations->entry_count();
      changes.push_back("host " + site->name + ": other CRLs, " + std::to_string(entries) +
                        " revoked");
    }
    auto const& was_shown = (*old)->tls->identities();
    auto const& is_shown = site->tls->identities();
    bool const same_identities =
        was_shown.size() == is_shown.size() &&
        std::equal(was_shown.begin(), was_shown.end(), is_shown.begin(),
                   [](auto const& a, auto const& b) {
                     return a->leaf().fingerprint() == b->leaf().fingerprint();
                   });
    if (!same_identities) changes.push_back("host " + site->name + ": other certificate");
  }
  return changes;
}

Result<Receipt, Diagnostics> Gateway::Inside::reload_now() {
  std::lock_guard const lock(mutex);
  auto const began = std::chrono::steady_clock::now();
  auto refuse = [&](Diagnostics diagnostics) {
    builder.roll_back();
    ++failed_reloads;
    last_failure.clear();
    for (auto const& diagnostic : diagnostics) {
      if (diagnostic.severity != Severity::error) continue;
      log.error("reload refused: " + render_short(diagnostic));
      if (last_failure.empty()) last_failure = render_short(diagnostic);
    }
    log.error("the configuration in force stays", {{"version", current.generation->number}});
    return fail(std::move(diagnostics));
  };

  auto loaded = load_config(options.config_path);
  if (!loaded) return refuse(std::move(loaded.error()));
  auto const wanted = std::make_shared<config::Config const>(std::move(*loaded));
  auto const number = current.generation->number + 1;
  auto built = builder.build(*wanted, number, options.clock->unix_seconds(), *registry,
                             denied->list());
  if (!built) return refuse(std::move(built.error()));

  // What only a worker could refuse is tried on one that serves nobody.
  proxy::WorkerOptions trial;
  trial.tls.clock = options.clock;
  trial.connections = connections;
  trial.metrics = &registry->worker(0);
  auto const rehearsal = proxy::Worker::build(std::move(trial), built->generation);
  if (!rehearsal) {
    return refuse(one(wanted->hosts.front().mark.diagnostic(rehearsal.error().detail)));
  }
  auto opened = open_listeners(*wanted);
  if (!opened) return refuse(std::move(opened.error()));
  if (auto logs = retarget_logs(*wanted); !logs) {
    close_sockets(*opened);
    return refuse(std::move(logs.error()));
  }

  Receipt receipt;
  receipt.version = number;
  receipt.changes = changes_to(*wanted, *built);
  if (worker_count(*wanted) != workers.size()) {
    receipt.changes.push_back("workers: takes effect after a restart");
  }
  if (!(wanted->admin == config->admin)) {
    receipt.changes.push_back("admin: takes effect after a restart");
  }
  if (!(wanted->state_directory == config->state_directory)) {
    receipt.changes.push_back("state_directory: takes effect after a restart");
  }
  if (!(wanted->sessions == config->sessions)) {
    receipt.changes.push_back("sessions: takes effect after a restart");
  }

  // From here on nothing can fail.
  auto const generation = built->generation;
  bool const hello = reads_client_hello(*generation->policy);
  on_each_worker([&](proxy::Worker& worker) {
    worker.set_client_hello_facts(hello);
    auto const adopted = worker.adopt(generation);
    if (!adopted) log.error("a worker cannot take the new hosts: " + adopted.error().detail);
  });
  connections->limit = static_cast<std::size_t>(*wanted->limits.connections);
  take_listeners(std::move(*opened));
  background.post([this, origins = generation->origins] { health->watch(origins); });
  builder.commit();
  config = wanted;
  current = std::move(*built);
  loaded_at = options.clock->now();
  last_failure.clear();
  publish_expiries();
  receipt.warnings = current.warnings;
  receipt.took = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - began);
  for (auto const& warning : current.warnings) log.warning(render_short(warning));
  log.info("reloaded: " + receipt.to_string(), {{"version", receipt.version}});
  return receipt;
}

// Every change between two reloads goes this way. REQUIRES: the caller holds the mutex.
Result<void> Gateway::Inside::change_trust(TrustChange const& change) {
  CERTGATE_TRY(auto next, with_change(*current.generation, change));
  std::atomic<bool> all_have_it{true};
  on_each_worker([&](proxy::Worker& worker) {
    if (!worker.adopt(next)) all_have_it = false;
  });
  current.generation = std::move(next);
  publish_expiries();
  if (all_have_it) return {};
  return fail(ErrorCode::internal, "a worker could not take the change; restart certgate");
}

// The lists of the running configuration anew, without a reload. What is wrong is told, and the last
// good one stays.
void Gateway::Inside::refresh_lists() {
  std::lock_guard const lock(mutex);
  auto const began = std::chrono::steady_clock::now();
  auto refreshed = builder.refresh(*config, *current.generation, current.expiries,
                                   options.clock->unix_seconds());
  list_problems.clear();
  for (auto const& problem : refreshed.problems) {
    list_problems.push_back(render_short(problem));
    log.error("CRL refused, the last good one stays in force: " + list_problems.back());
  }
  if (!list_problems.empty()) ++lists_refused;
  current.expiries = std::move(refreshed.expiries);
  if (refreshed.changes.empty()) return;
  TrustChange change;
  change.revocations = std::move(refreshed.revocations);
  if (auto const done = change_trust(change); !done) log.error(done.error().detail);
  ++lists_renewed;
  for (auto const& warning : refreshed.warnings) log.warning(render_short(warning));
  Receipt receipt;
  receipt.version = current.generation->number;
  receipt.changes = std::move(refreshed.changes);
  receipt.took = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - began);
  log.info("revocations renewed: " + receipt.to_string(), {{"version", receipt.version}});
}

void Gateway::Inside::watch_lists(std::string seen) {
  CrlWatchTarget target;
  target.config = [this] {
    std::lock_guard const lock(mutex);
    return config;
  };
  target.expiries = [this] {
    std::lock_guard const lock(mutex);
    return current.expiries;
  };
  target.now = [this] { return options.clock->unix_seconds(); };
  target.refresh = [this] { refresh_lists(); };
  target.warn = [this](std::string const& sentence) { log.warning(sentence); };
  crl_watch = std::make_unique<CrlWatch>(std::move(target), std::move(seen));
  registry->read_with("certgate_crl_renewals_total",
                      "Changed CRLs that were put in force (ok) or refused (refused)",
                      telemetry::MetricType::counter, [this] {
                        return telemetry::MetricRegistry::Values{
                            {{{"result", "ok"}}, static_cast<double>(lists_renewed.load())},
                            {{{"result", "refused"}}, static_cast<double>(lists_refused.load())}};
                      });
}

admin::Outcome Gateway::Inside::change_denied(DenyChange::Kind kind, std::string const& body) {
  std::lock_guard const lock(mutex);
  auto const now = options.clock->unix_seconds();
  DenyTarget target;
  target.put_in_force = [this](x509::DenyList::Pointer list) {
    TrustChange change;
    change.deny_list = std::move(list);
    return change_trust(change);
  };
  target.count_connections = [this, now](x509::DenyList const& concerned) {
    std::atomic<std::size_t> count{0};
    on_each_worker([&](proxy::Worker& worker) {
      count += worker.count_clients([&](x509::ClientChain const& chain) {
        return concerned.find(chain.leaf(), now) != nullptr;
      });
    });
    return count.load();
  };
  auto const done = denied->change(kind, body, now, target);
  log.warning(done.log_line, {{"version", current.generation->number}});
  return {done.ok, done.text};
}

bool Gateway::Inside::command(std::string_view name, std::string_view body, admin::Done done) {
  if (name == "denies") {
    done({true, denied->format(body, options.clock->unix_seconds())});
    return true;
  }
  if (name != "deny" && name != "undeny") return false;
  auto const kind = name == "deny" ? DenyChange::Kind::deny : DenyChange::Kind::undeny;
  reloads.post([this, kind, body = std::string(body), done = std::move(done)] {
    done(change_denied(kind, body));
  });
  return true;
}

void Gateway::Inside::reload(admin::Done done) {
  // Off the admin thread, which must go on answering health checks.
  reloads.post([this, done = std::move(done)] {
    auto const result = reload_now();
    admin::Outcome outcome;
    outcome.ok = result.has_value();
    outcome.text = result ? result->to_string() + "\n" : render(result.error());
    done(std::move(outcome));
  });
}

// --- Status and the end ---------------------------------------------------------------------------

void Gateway::Inside::publish_expiries() {
  telemetry::MetricRegistry::Values days;
  auto const now = options.clock->unix_seconds();
  for (auto const& expiry : current.expiries) {
    auto const left = static_cast<double>(expiry.until - now) /
                      static_cast<double>(std::chrono::seconds(one_day).count());
    days.push_back({{{"kind", std::string(name_of(expiry.kind))},
                     {"name", expiry.name},
                     {"file", expiry.file}},
                    left});
  }
  registry->set_values("certgate_expiry_days",
                       "Days until a certificate, CA or CRL in use ends; negative: it has ended",
                       std::move(days));
  telemetry::MetricRegistry::Values shares;
  for (auto const& expiry : current.expiries) {
    if (expiry.kind != Expiry::Kind::crl) continue;
    auto const whole = std::max<UnixSeconds>(expiry.until - expiry.from, 1);
    auto const share = static_cast<double>(expiry.until - now) / static_cast<double>(whole);
    shares.push_back({{{"name", expiry.name}, {"file", expiry.file}},
                      std::max(0.0, std::min(1.0, share))});
  }
  registry->set_values("certgate_crl_time_left_ratio",
                       "Share of the time between thisUpdate and nextUpdate that a CRL has left",
                       std::move(shares));
  registry->set_values("certgate_config_version",
                       "Version of the configuration in force; counts up with every reload",
                       {{{}, static_cast<double>(current.generation->number)}});
}

std::string Gateway::Inside::metrics() {
  {
    std::lock_guard const lock(mutex);
    publish_expiries();
  }
  return telemetry::format_prometheus(registry->read());
}

std::string Gateway::Inside::status() {
  std::lock_guard const lock(mutex);
  StatusFacts facts;
  facts.version = current.generation->number;
  facts.loaded_at = std::chrono::floor<std::chrono::seconds>(loaded_at).time_since_epoch().count();
  facts.config_path = options.config_path;
  facts.is_ready = serving && !draining;
  facts.is_draining = draining;
  facts.workers = workers.size();
  facts.connections = connections->open.load();
  facts.failed_reloads = failed_reloads;
  facts.last_failure = last_failure;
  for (auto const& listener : listeners) {
    facts.listeners.push_back(listener.settings->endpoint.to_string());
  }
  facts.now = options.clock->unix_seconds();
  facts.list_problems = list_problems;
  facts.denied = denied->entries(facts.now);
  facts.denied_is_kept = denied->is_kept();
  return format_status(facts, *current.generation, current.expiries, current.warnings);
}

void Gateway::Inside::drain() {
  if (draining.exchange(true)) return;
  log.info("draining", {{"connections", connections->open.load()}});
  on_each_worker([](proxy::Worker& worker) { worker.drain(); });
  std::chrono::milliseconds patience{0};
  {
    std::lock_guard const lock(mutex);
    patience = *config->timeouts.drain;
  }
  auto const is_empty = [&] {
    bool empty = true;
    std::mutex sum;
    on_each_worker([&](proxy::Worker& worker) {
      std::lock_guard const lock(sum);
      empty = empty && worker.connection_count() == 0;
    });
    return empty;
  };
  auto const wait_until_empty = [&](std::chrono::milliseconds at_most) {
    auto const end = std::chrono::steady_clock::now() + at_most;
    while (!is_empty()) {
      if (std::chrono::steady_clock::now() >= end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return true;
  };
  if (!wait_until_empty(patience)) {
    log.warning("closing the connections that are left", {{"connections", connections->open.load()}});
    on_each_worker([](proxy::Worker& worker) { worker.close_all(); });
    wait_until_empty(std::chrono::seconds{5});
  }
  access_log->flush(std::chrono::seconds{2});
  log.info("stopped");
}

// --- Gateway --------------------------------------------------------------------------------------

Gateway::Gateway(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
Gateway::~Gateway() = default;

Result<std::unique_ptr<Gateway>, Diagnostics> Gateway::start(GatewayOptions options) {
  auto inside = std::make_unique<Inside>(std::move(options));
  if (auto started = inside->start(); !started) return fail(std::move(started.error()));
  return std::unique_ptr<Gateway>(new Gateway(std::move(inside)));
}

Result<Receipt, Diagnostics> Gateway::reload() { return inside_->reload_now(); }
void Gateway::drain() { inside_->drain(); }

Result<void> Gateway::reopen_logs() {
  auto const log = inside_->log.reopen();
  auto const access = inside_->access_log->reopen();
  if (!log) return fail(log.error());
  if (!access) return fail(access.error());
  inside_->log.info("log files opened again");
  return {};
}

std::vector<IpEndpoint> Gateway::endpoints() const {
  std::lock_guard const lock(inside_->mutex);
  std::vector<IpEndpoint> endpoints;
  for (auto const& listener : inside_->listeners) endpoints.push_back(listener.settings->endpoint);
  return endpoints;
}

std::string Gateway::status_json() const { return inside_->status(); }
std::string Gateway::metrics_text() const { return inside_->metrics(); }
bool Gateway::is_ready() const { return inside_->ready(); }

Result<Checked, Diagnostics> check(std::string const& config_path, UnixSeconds at) {
  auto loaded = load_config(config_path);
  if (!loaded) return fail(std::move(loaded.error()));
  Checked checked{std::move(*loaded), {}};
  telemetry::MetricRegistry metrics(1);
  Builder builder;
  auto const kept = load_kept_state(checked.config, SystemClock{});
  if (!kept) return fail(one(checked.config.state_directory.mark.diagnostic(kept.error().detail)));
  auto built = builder.build(checked.config, 1, at, metrics, kept->deny_list);
  if (!built) return fail(std::move(built.error()));
  checked.built = std::move(*built);
  return checked;
}

}  // namespace certgate::gateway
