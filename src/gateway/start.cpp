// Puts the process together: everything is valid and every listener open before anybody is served.
#include <algorithm>

#include "certgate/config/format_config.hpp"
#include "crl_sources.hpp"
#include "descriptors.hpp"
#include "inside.hpp"
#include "settings.hpp"
#include "status.hpp"

namespace certgate::gateway {
namespace {

std::string hint_for_admin(config::AdminAddress const& address, ErrorCode code) {
  if (code == ErrorCode::conflict) return "choose another address, or end what is there";
  if (std::holds_alternative<IpEndpoint>(address)) return {};
  return "the socket's folder must be there, and the user that certgate runs as must be allowed to "
         "write in it";
}

}  // namespace

tls::ServerOptions Gateway::Inside::tls_options() const {
  tls::ServerOptions tls;
  tls.clock = options.clock;
  tls.sessions = sessions;
  tls.ticket_keys = ticket_keys;
  tls.admission.in_progress =
      std::max<std::size_t>(1, static_cast<std::size_t>(*config->limits.handshakes) / workers.size());
  tls.client_hello_facts = current.generation->reads_client_hello;
  return tls;
}

Result<void, Diagnostics> Gateway::Inside::start_telemetry() {
  telemetry::LogOptions log_options;
  log_options.level = level_of(*config->log.level);
  log_options.path = config->log.file.resolved;
  if (auto const opened = log.configure(log_options); !opened) {
    return fail(one(log_mistake(config->log.file, opened.error())));
  }
  telemetry::AccessLogOptions access;
  access.path = config->log.access_file.resolved;
  access.format = format_of(*config->log.access_format);
  access.workers = worker_count(*config);
  access.report = [this](std::string const& sentence) { log.error(sentence); };
  auto opened = telemetry::AccessLog::open(std::move(access));
  if (!opened) return fail(one(log_mistake(config->log.access_file, opened.error())));
  access_log = std::move(*opened);
  return {};
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
  descriptors = raise_descriptor_limit();
  limit_connections(config->limits);
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

// What cannot be kept is said: loudly when somebody asked for it.
void Gateway::Inside::limit_connections(config::Limits const& limits) {
  connections->by_address.set_limit(static_cast<std::size_t>(*limits.connections_per_address));
  connections->by_certificate.set_limit(
      static_cast<std::size_t>(*limits.connections_per_certificate));
  auto const& wanted = limits.connections;
  auto const possible = connections_within(descriptors, static_cast<std::size_t>(*wanted));
  bool const is_news = connections->limit.exchange(possible) != possible;
  if (possible == *wanted || !is_news) return;
  auto const sentence =
      "limits.connections is " + std::to_string(*wanted) + ", but this process may open only " +
      std::to_string(descriptors) + " files (LimitNOFILE, ulimit -n): " +
      std::to_string(possible) + " connections at once";
  if (wanted.mark.written()) {
    log.warning(sentence);
  } else {
    log.info(sentence);
  }
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
    auto const& setting = config->admin->address;
    auto const& why = started.error();
    return fail(one(setting.mark.diagnostic(why.detail, hint_for_admin(*setting, why.code))));
  }
  admin_server = std::move(*started);
  log.info("admin address", {{"address", admin_server->address().to_string()}});
  return {};
}

Result<void, Diagnostics> Gateway::Inside::start() {
  // The threads that start on the way may want to change what is still being put together.
  std::lock_guard const no_build(building);
  std::lock_guard const no_change(changing);
  auto loaded = load_config(options.config_path, options.clock->unix_seconds());
  if (!loaded) return fail(std::move(loaded.error()));
  // No other thread is there yet.
  config = std::make_shared<config::Config const>(std::move(*loaded));
  registry = std::make_unique<telemetry::MetricRegistry>(worker_count(*config));
  auto seen = look_at_crl_files(*config);
  auto book = DenyBook::open(config->state_directory.resolved, options.clock->unix_seconds());
  if (!book) return fail(one(config->state_directory.mark.diagnostic(book.error().detail)));
  denied = std::move(*book);
  crl_fetching = std::make_unique<CrlFetching>(*options.clock, crl_store, log, [this] {
    reloads.post([this] { refresh_lists(); });
  });
  if (auto done = crl_fetching->start(*config); !done) return fail(std::move(done.error()));
  auto built = builder.build(*config, 1, options.clock->unix_seconds(), *registry, denied->list());
  if (!built) return fail(std::move(built.error()));
  current = std::move(*built);
  builder.commit();
  loaded_at = options.clock->now();

  auto opened = open_listeners(*config, {}, worker_count(*config));
  if (!opened) return fail(std::move(opened.error()));
  if (auto done = start_listening(*opened); !done) {
    close_sockets(*opened);
    return fail(std::move(done.error()));
  }
  if (auto done = start_telemetry(); !done) {
    close_sockets(*opened);
    return fail(std::move(done.error()));
  }
  crl_fetching->log_is_open();
  if (auto done = start_workers(); !done) {
    close_sockets(*opened);
    return fail(std::move(done.error()));
  }
  for (auto const& warning : current.warnings) log.warning(render_short(warning));
  take_listeners(listeners, std::move(*opened), workers);
  health = std::make_unique<upstream::HealthChecker>(
      background, background_deadlines, [this](upstream::HealthChange const& change) {
        log.warning(change.is_up ? "origin server is up" : "origin server is down",
                    {{"origin", change.origin}, {"server", change.server},
                     {"reason", change.reason}});
      });
  health->watch(current.generation->origins);
  watch_names();
  background_thread = std::thread([this] { background.run(); });
  reload_thread = std::thread([this] { reloads.run(); });
  command_thread = std::thread([this] { commands.run(); });
  watch_lists(std::move(seen));
  if (auto done = start_admin(); !done) return fail(std::move(done.error()));
  publish_expiries();
  register_process_metrics(*registry, *access_log, *connections, *sessions);
  register_own_metrics();
  crl_fetching->register_metrics(*registry);
  crl_fetching->is_in_force();
  // Every listener accepts once the messages that were posted before this one have run.
  on_each_worker([](proxy::Worker&) {});
  serving = true;
  log.info("serving", {{"version", std::uint64_t{1}}, {"workers", workers.size()},
                       {"hosts", config->hosts.size()}, {"rules", config->rules.size()}});
  return {};
}

}  // namespace certgate::gateway
