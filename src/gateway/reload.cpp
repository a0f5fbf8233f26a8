// A reload: the next Generation beside the running one, one swap, a receipt; or nothing changes.
#include <algorithm>

#include "certgate/config/format_config.hpp"
#include "inside.hpp"
#include "json_answers.hpp"
#include "name_changes.hpp"
#include "settings.hpp"
#include "status.hpp"

namespace certgate::gateway {
namespace {

std::vector<std::string> changes_between(config::Config const& was_configured,
                                         proxy::Generation const& before,
                                         config::Config const& wanted,
                                         proxy::Generation const& now) {
  auto changes = config::diff(was_configured, wanted);
  // Paths that stayed the same may lead to other contents.
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
  for (auto const& origin : now.origins) {
    auto const old = std::find_if(
        before.origins.begin(), before.origins.end(),
        [&](auto const& known) { return known->settings().name == origin->settings().name; });
    if (old == before.origins.end()) continue;
    for (auto& change : address_changes(**old, *origin)) changes.push_back(std::move(change));
  }
  return changes;
}

// What a running process cannot take up.
void add_what_waits(config::Config const& was, config::Config const& wanted,
                    std::vector<std::string>& changes) {
  auto const waits = [&](bool differs, char const* key) {
    if (differs) changes.push_back(std::string(key) + ": takes effect after a restart");
  };
  waits(worker_count(wanted) != worker_count(was), "workers");
  waits(!(wanted.admin == was.admin), "admin");
  waits(!(wanted.state_directory == was.state_directory), "state_directory");
  waits(!(wanted.sessions == was.sessions), "sessions");
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
    return fail(one(log_mistake(wanted.log.file, done.error())));
  }
  auto const done = access_log->retarget(wanted.log.access_file.resolved,
                                         format_of(*wanted.log.access_format));
  if (done) return {};
  if (auto const back = log.configure(options_of(*config)); !back) {
    log.error("cannot go back to the former log: " + back.error().detail);
  }
  return fail(one(log_mistake(wanted.log.access_file, done.error())));
}

Result<Receipt, Diagnostics> Gateway::Inside::reload_now() {
  std::lock_guard const no_build(building);
  auto receipt = try_reload();
  if (receipt) return receipt;
  builder.roll_back();
  crl_fetching->roll_back();
  std::string first;
  for (auto const& diagnostic : receipt.error()) {
    if (diagnostic.severity != Severity::error) continue;
    log.error("reload refused: " + render_short(diagnostic));
    if (first.empty()) first = render_short(diagnostic);
  }
  std::uint64_t version = 0;
  {
    std::lock_guard const lock(mutex);
    ++failed_reloads;
    last_failure = std::move(first);
    version = current.generation->number;
  }
  log.error("the configuration in force stays", {{"version", version}});
  return receipt;
}

// A denial may have come into force while `built` was being built. REQUIRES: `changing` is held.
Result<void> Gateway::Inside::bring_up_to_date(Built& built) {
  auto const list = denied->list();
  if (built.generation->deny_list != list) {
    TrustChange change;
    change.deny_list = list;
    CERTGATE_TRY(built.generation, with_change(*built.generation, change));
  }
  built.generation->number = current.generation->number + 1;
  return {};
}

// REQUIRES: `building` is held.
Result<Receipt, Diagnostics> Gateway::Inside::try_reload() {
  auto const began = std::chrono::steady_clock::now();
  auto loaded = load_config(options.config_path, options.clock->unix_seconds());
  if (!loaded) return fail(std::move(loaded.error()));
  auto const wanted = std::make_shared<config::Config const>(std::move(*loaded));
  if (auto had = crl_fetching->prepare(*wanted); !had) return fail(std::move(had.error()));
  auto const before = generation_in_force();
  auto built = builder.build(*wanted, before->number + 1, options.clock->unix_seconds(), *registry,
                             denied->list());
  if (!built) return fail(std::move(built.error()));

  // What only a worker could refuse is tried on one that serves nobody.
  proxy::WorkerOptions trial;
  trial.tls.clock = options.clock;
  trial.connections = connections;
  trial.metrics = &registry->worker(0);
  auto const& first_host = wanted->hosts.front().mark;
  auto const rehearsal = proxy::Worker::build(std::move(trial), built->generation);
  if (!rehearsal) return fail(one(first_host.diagnostic(rehearsal.error().detail)));
  auto opened = open_listeners(*wanted, listeners, workers.size());
  if (!opened) return fail(std::move(opened.error()));
  auto const give_up = [&](Diagnostics diagnostics) {
    close_sockets(*opened);
    return fail(std::move(diagnostics));
  };

  std::lock_guard const no_change(changing);
  if (draining) {
    Diagnostic ending;  // the file is not at fault: no line
    ending.place.file = options.config_path;
    ending.message = "certgate is ending and takes no other configuration";
    return give_up(one(std::move(ending)));
  }
  if (auto const done = bring_up_to_date(*built); !done) {
    return give_up(one(first_host.diagnostic(done.error().detail)));
  }
  if (auto logs = retarget_logs(*wanted); !logs) return give_up(std::move(logs.error()));
  if (auto listening = start_listening(*opened); !listening) {
    return give_up(std::move(listening.error()));
  }

  // From here on nothing can fail.
  auto const generation = built->generation;
  Receipt receipt;
  receipt.version = generation->number;
  receipt.changes = changes_between(*config, *current.generation, *wanted, *generation);
  add_what_waits(*config, *wanted, receipt.changes);
  bool const hello = generation->reads_client_hello;
  on_each_worker([&](proxy::Worker& worker) {
    worker.set_client_hello_facts(hello);
    auto const adopted = worker.adopt(generation);
    if (!adopted) log.error("a worker cannot take the new hosts: " + adopted.error().detail);
  });
  limit_connections(wanted->limits);
  auto serves = listeners;
  take_listeners(serves, std::move(*opened), workers);
  background.post([this, origins = generation->origins] {
    health->watch(origins);
    names->watch(origins);
  });
  builder.commit();
  crl_fetching->commit();
  receipt.warnings = built->warnings;
  {
    std::lock_guard const lock(mutex);
    config = wanted;
    current = std::move(*built);
    listeners = std::move(serves);
    loaded_at = options.clock->now();
    last_failure.clear();
    ++reloads_taken;
  }
  publish_expiries();
  receipt.took = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - began);
  for (auto const& warning : receipt.warnings) log.warning(render_short(warning));
  log.info("reloaded: " + receipt.to_string(), {{"version", receipt.version}});
  return receipt;
}

// One that has not begun yet will see everything that this one would.
void Gateway::Inside::reload_soon(std::function<void(Result<Receipt, Diagnostics> const&)> done) {
  if (reload_waits.exchange(true)) return;
  reloads.post([this, done = std::move(done)] {
    reload_waits = false;
    done(reload_now());
  });
}

void Gateway::Inside::reload(std::string_view body, admin::Done done) {
  // Off the admin thread, which must go on answering health checks.
  reloads.post([this, as_json = wants_json(body), done = std::move(done)] {
    auto const result = reload_now();
    admin::Outcome outcome;
    outcome.ok = result.has_value();
    if (as_json) {
      outcome.text = format_reload_json(result, generation_in_force()->number);
    } else {
      outcome.text = result ? result->to_string() + "\n" : render(result.error());
    }
    done(std::move(outcome));
  });
}

Result<void> Gateway::Inside::reopen_logs() {
  // Not while a reload sends the logs elsewhere.
  std::lock_guard const no_change(changing);
  auto const opened = log.reopen();
  auto const access = access_log->reopen();
  if (!opened) return fail(opened.error());
  if (!access) return fail(access.error());
  log.info("log files opened again");
  return {};
}

}  // namespace certgate::gateway
