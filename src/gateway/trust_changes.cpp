// What changes between reloads: lists that were renewed, and the operator's deny list.
#include <algorithm>

#include "build_policy.hpp"
#include "inside.hpp"

namespace certgate::gateway {
namespace {

// Whether anything is made of a revoked certificate: by some rule, or by every host that asks.
bool stops_revoked(proxy::Generation const& generation) {
  auto const is_revoked = [](rules::FieldId id) {
    return id == policy::id_of(policy::Field::cert_revoked);
  };
  if (keeps_out_by(*generation.policy, is_revoked)) return true;
  return std::none_of(generation.sites.begin(), generation.sites.end(), [](auto const& site) {
    return site->tls->client().mode == x509::ClientAuthMode::request;
  });
}

}  // namespace

// REQUIRES: the caller holds `changing`.
Result<void> Gateway::Inside::change_trust(TrustChange const& change) {
  CERTGATE_TRY(auto next, with_change(*current.generation, change));
  return put_in_force(std::move(next));
}

// Every change between two reloads goes this way. REQUIRES: the caller holds `changing`.
Result<void> Gateway::Inside::put_in_force(std::shared_ptr<proxy::Generation> next) {
  std::atomic<bool> all_have_it{true};
  on_each_worker([&](proxy::Worker& worker) {
    if (!worker.adopt(next)) all_have_it = false;
  });
  {
    std::lock_guard const lock(mutex);
    current.generation = std::move(next);
  }
  publish_expiries();
  if (all_have_it) return {};
  return fail(ErrorCode::internal, "a worker could not take the change; restart certgate");
}

// The lists of the running configuration anew, without a reload. What is wrong is told, and the last
// good one stays.
void Gateway::Inside::refresh_lists() {
  std::lock_guard const no_build(building);
  auto const began = std::chrono::steady_clock::now();
  Built running;
  {
    std::lock_guard const lock(mutex);
    running = current;
  }
  auto refreshed = builder.refresh(*config, *running.generation, running.expiries,
                                   options.clock->unix_seconds());
  std::vector<std::string> problems;
  for (auto const& problem : refreshed.problems) {
    problems.push_back(render_short(problem));
    log.error("CRL refused, the last good one stays in force: " + problems.back());
  }
  if (!problems.empty()) ++lists_refused;
  bool const is_well = problems.empty();
  std::lock_guard const no_change(changing);
  {
    std::lock_guard const lock(mutex);
    list_problems.swap(problems);
    current.expiries = std::move(refreshed.expiries);
  }
  if (is_well && !problems.empty()) log.info("CRLs are well again: those in force are those on disk");
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
  std::lock_guard const no_change(changing);
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
  if (!stops_revoked(*current.generation)) {
    target.doubt =
        "no rule blocks by cf.tls_client_auth.cert_revoked, so hosts with `mode: request` let it in";
  }
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
  commands.post([this, kind, body = std::string(body), done = std::move(done)] {
    done(change_denied(kind, body));
  });
  return true;
}

}  // namespace certgate::gateway
