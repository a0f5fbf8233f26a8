#include "status.hpp"

#include <algorithm>
#include <chrono>

#include "certgate/base/encoding.hpp"
#include "deny_book.hpp"
#include "materials.hpp"
#include "name_changes.hpp"

namespace certgate::gateway {
namespace {

// Writes JSON one member at a time; strings are escaped, nesting is the caller's.
class JsonText {
 public:
  void open(char bracket) { text_ += bracket, first_ = true; }
  void close(char bracket) { text_ += bracket, first_ = false; }
  void key(std::string_view name) {
    separate();
    quote(name);
    text_ += ':';
    first_ = true;
  }
  void string(std::string_view value) { separate(), quote(value); }
  void number(std::int64_t value) { separate(), text_ += std::to_string(value); }
  void boolean(bool value) { separate(), text_ += value ? "true" : "false"; }
  void item() { separate(), first_ = true; }
  std::string take() { return std::move(text_); }

 private:
  void separate() {
    if (!first_) text_ += ',';
    first_ = false;
  }
  void quote(std::string_view value) {
    text_ += '"';
    append_json_escaped(text_, value);
    text_ += '"';
  }
  std::string text_;
  bool first_ = true;
};

std::string_view name_of(x509::ClientAuthMode mode) {
  switch (mode) {
    case x509::ClientAuthMode::require: return "require";
    case x509::ClientAuthMode::request: return "request";
    case x509::ClientAuthMode::off: break;
  }
  return "off";
}

std::string time_text(UnixSeconds time) { return format_day(time); }

}  // namespace

std::string format_status(StatusFacts const& facts, proxy::Generation const& generation,
                          std::vector<Expiry> const& expiries, Diagnostics const& warnings) {
  JsonText json;
  json.open('{');
  json.key("version"), json.number(static_cast<std::int64_t>(facts.version));
  json.key("ready"), json.boolean(facts.is_ready);
  json.key("draining"), json.boolean(facts.is_draining);
  json.key("config"), json.string(facts.config_path);
  json.key("loaded_at"), json.string(time_text(facts.loaded_at));
  json.key("workers"), json.number(static_cast<std::int64_t>(facts.workers));
  json.key("connections"), json.number(static_cast<std::int64_t>(facts.connections));
  json.key("failed_reloads"), json.number(static_cast<std::int64_t>(facts.failed_reloads));
  json.key("last_reload_failure"), json.string(facts.last_failure);
  json.key("listeners"), json.open('[');
  for (auto const& listener : facts.listeners) json.string(listener);
  json.close(']');

  json.key("hosts"), json.open('[');
  for (auto const& site : generation.sites) {
    json.item(), json.open('{');
    json.key("name"), json.string(site->name);
    json.key("client_auth"), json.string(name_of(site->tls->client().mode));
    auto const index = site->revocations;
    if (index != proxy::no_revocations) {
      json.key("revoked"),
          json.number(static_cast<std::int64_t>(generation.revocations[index]->entry_count()));
    }
    json.close('}');
  }
  json.close(']');

  auto const now = net::Loop::coarse_milliseconds();
  json.key("origins"), json.open('[');
  for (auto const& origin : generation.origins) {
    json.item(), json.open('{');
    json.key("name"), json.string(origin->settings().name);
    json.key("servers"), json.open('[');
    for (auto const& server : origin->servers()) {
      json.item(), json.open('{');
      json.key("server"), json.string(server->settings().label);
      auto const* state = "up";
      if (server->is_ejected(now)) state = "ejected";
      if (server->is_probed_down()) state = "down";
      json.key("state"), json.string(state);
      json.key("in_flight"), json.number(server->in_flight());
      json.close('}');
    }
    json.close(']');
    json.close('}');
  }
  json.close(']');

  json.key("names"), json.open('[');
  for (auto const& name : facts.names) {
    json.item(), json.open('{');
    json.key("name"), json.string(name.name);
    json.key("addresses"), json.number(static_cast<std::int64_t>(name.addresses));
    json.key("failures"), json.number(static_cast<std::int64_t>(name.failures));
    json.key("last_failure"), json.string(name.last_failure);
    json.close('}');
  }
  json.close(']');

  json.key("rules"), json.number(static_cast<std::int64_t>(generation.policy->live().size()));
  json.key("expiries"), json.open('[');
  for (auto const& expiry : expiries) {
    json.item(), json.open('{');
    json.key("kind"), json.string(name_of(expiry.kind));
    json.key("name"), json.string(expiry.name);
    json.key("file"), json.string(expiry.file);
    json.key("used_by"), json.string(expiry.used_by);
    json.key("until"), json.string(time_text(expiry.until));
    // Whole days, and negative as soon as it has ended.
    auto const left = std::chrono::seconds(expiry.until - facts.now);
    json.key("days_left"), json.number(std::chrono::floor<std::chrono::days>(left).count());
    json.key("then"), json.string(expiry.consequence);
    json.close('}');
  }
  json.close(']');
  json.key("crl_problems"), json.open('[');
  for (auto const& problem : facts.list_problems) json.string(problem);
  json.close(']');
  json.key("crl_urls"), json.open('[');
  for (auto const& url : facts.crl_urls) {
    json.item(), json.open('{');
    json.key("url"), json.string(url.url);
    json.key("host"), json.string(url.host);
    json.key("list"), json.string(url.has_list ? url.list : "none yet");
    json.key("bytes"), json.number(static_cast<std::int64_t>(url.bytes));
    if (url.good_at) json.key("fetched"), json.string(time_text(*url.good_at));
    json.key("next"), json.string(time_text(url.next_at));
    json.key("failures"), json.number(static_cast<std::int64_t>(url.failures));
    json.key("failures_in_a_row"), json.number(url.failures_in_a_row);
    json.key("last_failure"), json.string(url.last_failure);
    if (!url.delta_url.empty()) {
      json.key("delta"), json.string(url.delta_url);
      json.key("delta_failure"), json.string(url.delta_failure);
    }
    json.close('}');
  }
  json.close(']');
  json.key("denied"), json.open('[');
  for (auto const& entry : facts.denied) {
    json.item(), json.open('{');
    json.key("what"), json.string(describe(entry));
    if (!entry.reason.empty()) json.key("reason"), json.string(entry.reason);
    if (entry.expires != x509::never_expires) {
      json.key("until"), json.string(time_text(entry.expires));
    }
    json.close('}');
  }
  json.close(']');
  json.key("denied_is_kept"), json.boolean(facts.denied_is_kept);
  json.key("warnings"), json.open('[');
  for (auto const& warning : warnings) json.string(render_short(warning));
  json.close(']');
  json.close('}');
  return json.take() + "\n";
}

void register_process_metrics(telemetry::MetricRegistry& registry,
                              telemetry::AccessLog const& access_log,
                              proxy::ConnectionCount const& connections,
                              tls::SessionStore const& sessions) {
  using telemetry::MetricType;
  using Values = telemetry::MetricRegistry::Values;
  auto const one = [](auto value) { return Values{{{}, static_cast<double>(value)}}; };
  registry.read_with("certgate_access_log_records_dropped_total",
                     "Access records lost because their queue was full", MetricType::counter,
                     [&access_log, one] { return one(access_log.counts().dropped); });
  registry.read_with("certgate_access_log_write_errors_total",
                     "Failed writes of the access log", MetricType::counter,
                     [&access_log, one] { return one(access_log.counts().write_errors); });
  registry.read_with("certgate_connection_limit", "Connections that may be open at once",
                     MetricType::gauge, [&connections, one] { return one(connections.limit.load()); });
  registry.read_with("certgate_connections_refused_total",
                     "Connections closed at once because certgate_connection_limit were open",
                     MetricType::counter,
                     [&connections, one] { return one(connections.refused.load()); });
  registry.read_with("certgate_connections_refused_by_address_total",
                     "Connections closed at once because limits.connections_per_address of their "
                     "address were open",
                     MetricType::counter,
                     [&connections, one] { return one(connections.refused_by_address.load()); });
  registry.read_with("certgate_tls_sessions", "TLS sessions kept for resumption",
                     MetricType::gauge, [&sessions, one] { return one(sessions.size()); });
}

std::string describe_expiries(std::vector<Expiry> expiries, UnixSeconds at) {
  std::sort(expiries.begin(), expiries.end(),
            [](Expiry const& a, Expiry const& b) { return a.until < b.until; });
  std::string text;
  for (auto const& expiry : expiries) {
    auto const days = (expiry.until - at) / 86'400;
    bool const is_over = over_at(expiry) <= at;
    text += is_over ? "ended    " : "ends     ";
    text += format_day(expiry.until) + "  ";
    text += is_over ? "(over)" : "(" + std::to_string(days) + (days == 1 ? " day)" : " days)");
    text += "  " + std::string(gateway::name_of(expiry.kind)) + " " + expiry.name + ": " +
            expiry.consequence + "\n";
  }
  return text;
}

std::string describe_hosts(Checked const& checked, UnixSeconds at) {
  std::string text;
  auto const& generation = *checked.built.generation;
  for (auto const& site : generation.sites) {
    auto const& client = site->tls->client();
    text += "host";
    for (auto const& name : site->tls->names()) text += " " + name.to_string();
    text += "\n  certificate   ";
    bool first = true;
    for (auto const& identity : site->tls->identities()) {
      if (!first) text += "\n                ";
      first = false;
      text += std::string(identity->leaf().subject_dn()) + " (" +
              std::string(x509::name_of(identity->leaf().key_type())) + ", until " +
              format_day(identity->leaf().not_after()) + ")";
    }
    text += "\n  client_auth   " + std::string(name_of(client.mode));
    if (client.trust != nullptr) {
      for (auto const& anchor : client.trust->anchors()) {
        text += "\n    CA          " + std::string(anchor->subject_dn()) + " (until " +
                format_day(anchor->not_after()) + ")";
      }
      if (client.revocations == nullptr) {
        text += "\n    CRL         none: revocations are not known";
      } else {
        for (auto const& list : client.revocations->lists()) {
          text += "\n    CRL         " + list.issuer_dn + ", " + std::to_string(list.entries) +
                  " revoked";
          if (list.is_delta) text += " in its delta";
          if (list.counts_until && *list.counts_until <= at) {
            text += ", EXPIRED " + format_day(*list.counts_until);
          } else if (list.next_update) {
            text += ", next by " + format_day(*list.next_update);
          }
        }
      }
    }
    auto const origin_name = [&](std::size_t index) {
      return generation.origins[index]->settings().name;
    };
    text += "\n  origin        " + origin_name(site->origin);
    for (auto const& route : site->routes) {
      text += "\n    " + route.path + " -> " + origin_name(route.origin);
    }
    std::string forwarded;
    if (site->identity.rfc9440) forwarded += " rfc9440";
    if (site->identity.cloudflare) forwarded += " cloudflare";
    if (site->identity.xfcc) forwarded += " xfcc";
    if (!forwarded.empty()) text += "\n  tells origin " + forwarded;
    text += "\n";
  }
  for (auto const& origin : generation.origins) {
    auto const every = origin->settings().resolve_every;
    for (auto const& name : origin->names()) {
      text += "origin " + origin->settings().name + ": " + name + " is " +
              join_addresses(origin->addresses_of(name)) + ", looked up " +
              (every.count() == 0 ? "at load and reload only"
                                  : "again every " + config::format_duration(every)) +
              "\n";
    }
  }
  auto const& live = generation.policy->live();
  text += std::to_string(live.size()) + (live.size() == 1 ? " rule" : " rules") +
          ", then " + std::string(policy::name_of(live.default_action())) + "\n";
  return text;
}

}  // namespace certgate::gateway
