// A reload: the next Generation beside the running one, one swap, a receipt; or nothing changes.
#include <algorithm>

#include "certgate/config/format_config.hpp"
#include "inside.hpp"
#include "settings.hpp"
#include "status.hpp"

namespace certgate::gateway {

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
    crl_fetching->roll_back();
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
  if (auto had = crl_fetching->prepare(*wanted); !had) return refuse(std::move(had.error()));
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
  auto opened = open_listeners(*wanted, listeners, workers.size());
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
  take_listeners(listeners, std::move(*opened), workers);
  background.post([this, origins = generation->origins] { health->watch(origins); });
  builder.commit();
  crl_fetching->commit();
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

}  // namespace certgate::gateway
