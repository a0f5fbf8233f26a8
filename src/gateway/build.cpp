#include "certgate/gateway/build.hpp"

#include <algorithm>
#include <unordered_map>

#include "build_policy.hpp"
#include "builder_state.hpp"
#include "certgate/policy/lint.hpp"
#include "certgate/x509/name.hpp"
#include "materials.hpp"
#include "mistakes_of_parts.hpp"

namespace certgate::gateway {
namespace {

// Every token that the proxy and the TLS layer may give as a reason, for the metrics.
constexpr std::string_view failure_tokens[] = {
    // What happens to connections, requests and origins.
    "body_timeout", "body_too_large", "connection_lost", "client_certificate_required",
    "client_closed", "client_no_longer_allowed", "client_too_slow", "evaluation_failed",
    "header_timeout", "head_too_large", "misdirected_request", "no_server", "origin_closed",
    "too_many_connections",
    "origin_refused", "origin_unreachable", "origin_certificate_rejected", "origin_tls_failed",
    "origin_connect_timeout", "origin_failed", "origin_header_too_large",
    "origin_response_truncated", "origin_timeout", "shutting_down", "truncated_body",
    "tunnel_idle", "unknown_host", "timed_out", "cancelled", "closed", "plain_http", "not_tls",
    "unknown_name", "version", "no_shared_cipher", "no_protocol", "no_certificate",
    "certificate_rejected", "certificate_revoked", "certificate_limits", "alert", "protocol",
    "internal",
    // What is malformed: http and http1 call it that.
    "asterisk_target", "authority_differs", "bad_authority", "bad_chunk_end",
    "bad_chunk_extension", "bad_chunk_line", "bad_chunk_size", "bad_encoding", "bad_escape",
    "bad_expect", "bad_field_name", "bad_field_value", "bad_host", "bad_length", "bad_method",
    "bad_target_character", "bad_target_form", "bad_trailer", "bad_version", "bare_cr", "bare_lf",
    "chunk_extension_too_long", "chunk_size_overflow", "chunk_size_too_long", "connect_refused",
    "empty_line", "empty_target", "folded_field", "forbidden_trailer", "hidden_dot_segment",
    "length_and_encoding", "no_host", "nul_in_path", "overlong_utf8", "repeated_encoding", "repeated_host",
    "repeated_length", "target_too_long", "too_many_fields", "too_many_trailers", "trace_refused",
    "trailers_too_large", "user_information", "bad_status", "bad_reason", "body_not_allowed",
    "unasked_upgrade"};

x509::ClientAuthMode mode_of(config::ClientAuthMode mode) {
  switch (mode) {
    case config::ClientAuthMode::off: return x509::ClientAuthMode::off;
    case config::ClientAuthMode::request: return x509::ClientAuthMode::request;
    case config::ClientAuthMode::require: break;
  }
  return x509::ClientAuthMode::require;
}

HostPattern pattern_of(config::HostName const& name) {
  HostPattern pattern;
  pattern.name = name.name;
  switch (name.kind) {
    case config::HostName::Kind::exact: pattern.kind = HostPattern::Kind::exact; break;
    case config::HostName::Kind::wildcard: pattern.kind = HostPattern::Kind::wildcard; break;
    case config::HostName::Kind::any: pattern.kind = HostPattern::Kind::any; break;
  }
  return pattern;
}

bool is_laxer(x509::ClientAuthMode a, x509::ClientAuthMode b) {
  return static_cast<int>(a) > static_cast<int>(b);  // require, request, off
}

}  // namespace

// One build: the state that its steps share.
class Build {
 public:
  Build(config::Config const& config, CrlStore const& fetched, net::Lookup const& lookup,
        tls::ServerIdentities& identities, MaterialCache& cache, UnixSeconds at)
      : config_(config),
        fetched_(fetched),
        lookup_(lookup),
        at_(at),
        materials_(cache, identities, diagnostics_, built_.expiries, at) {}

  Result<Built, Diagnostics> run(std::uint64_t number, telemetry::MetricRegistry& metrics,
                                 x509::DenyList::Pointer deny_list, OriginsInUse const& before,
                                 OriginsInUse& now);
  Diagnostics run_parts(config::PartialConfig const& part);

 private:
  void build_hosts();
  std::shared_ptr<proxy::Site> build_host(config::Host const& host);
  bool set_client_auth(config::Host const& host, tls::HostOptions& options, proxy::Site& site);
  bool warn_about_urls(config::ClientAuth const& auth, std::vector<CrlUrl> const& urls);
  void explain_failed_profile(config::Host const& host, Error const& error);
  void warn_of_unused_ciphers(config::Host const& host);
  tls::Profile::Pointer profile_for(config::Host const& host);
  std::size_t origin_index(std::string const& name) const;
  void set_forwarding(config::Host const& host, proxy::Site& site);
  std::shared_ptr<proxy::RequestFields const> request_fields(config::RequestHeaders const& headers);
  void index_hosts();
  void check_default_host();
  void check_hosts_that_are_addresses();
  void check_certificates_are_judged();
  void judge_rules();
  void set_limits();

  config::Config const& config_;
  CrlStore const& fetched_;
  net::Lookup const& lookup_;
  UnixSeconds at_;
  Diagnostics diagnostics_;
  Built built_;
  Materials materials_;
  std::shared_ptr<proxy::Generation> generation_ = std::make_shared<proxy::Generation>();
  std::vector<std::shared_ptr<proxy::Site>> sites_;  // null where something is wrong
  std::vector<tls::Profile::Pointer> profiles_;  // distinct; few
  std::unordered_map<std::string, std::shared_ptr<proxy::RequestFields const>> request_fields_;
};

std::size_t Build::origin_index(std::string const& name) const {
  for (std::size_t i = 0; i < config_.origins.size(); ++i) {
    if (*config_.origins[i].name == name) return i;
  }
  return 0;  // parse_config() has made sure that it exists
}

// Every name that is wrong, each at its place.
void Build::explain_failed_profile(config::Host const& host, Error const& error) {
  if (*host.tls.min_version > *host.tls.max_version) return;  // parse_config() has said so
  auto const before = diagnostics_.size();
  for (auto const& cipher : host.tls.ciphers) {
    auto const checked = tls::check_cipher(*cipher);
    if (!checked) diagnostics_.add(cipher.mark.diagnostic(checked.error().detail));
  }
  for (auto const& group : host.tls.groups) {
    auto const checked = tls::check_group(*group);
    if (!checked) diagnostics_.add(group.mark.diagnostic(checked.error().detail));
  }
  if (diagnostics_.size() == before) diagnostics_.add(host.mark.diagnostic(error.detail));
}

// A list that says nothing about the only version leaves the built-in ciphers.
void Build::warn_of_unused_ciphers(config::Host const& host) {
  auto const& ciphers = host.tls.ciphers;
  if (ciphers.empty() || *host.tls.min_version != *host.tls.max_version) return;
  bool const only_1_3 = *host.tls.min_version == config::TlsVersion::tls_1_3;
  bool const one_counts = std::any_of(ciphers.begin(), ciphers.end(), [&](auto const& cipher) {
    return cipher->starts_with("TLS_") == only_1_3;
  });
  if (one_counts) return;
  diagnostics_.add(ciphers.front().mark.diagnostic(
      std::string("none of these ciphers is for TLS ") + (only_1_3 ? "1.3" : "1.2") +
          ", the only version of host `" + host.display_name() + "`: the built-in ones are used",
      only_1_3 ? "add names that start with TLS_, or remove the key"
               : "add names such as ECDHE-ECDSA-AES128-GCM-SHA256, or remove the key",
      Severity::warning));
}

tls::Profile::Pointer Build::profile_for(config::Host const& host) {
  tls::ProfileOptions options;
  auto const version = [](config::TlsVersion v) {
    return v == config::TlsVersion::tls_1_2 ? tls::Version::tls_1_2 : tls::Version::tls_1_3;
  };
  options.min_version = version(*host.tls.min_version);
  options.max_version = version(*host.tls.max_version);
  for (auto const& cipher : host.tls.ciphers) options.ciphers.push_back(*cipher);
  for (auto const& group : host.tls.groups) options.groups.push_back(*group);
  options.session_lifetime =
      *config_.sessions.tickets == config::SessionTickets::off
          ? std::chrono::seconds{0}
          : std::chrono::floor<std::chrono::seconds>(*host.tls.session_lifetime);
  // Hosts with equal settings share one profile, and so one SSL_CTX per worker.
  for (auto const& known : profiles_) {
    if (known->options() == options) return known;
  }
  auto built = tls::Profile::build(std::move(options));
  if (!built) {
    explain_failed_profile(host, built.error());
    return nullptr;
  }
  // What is written differently may mean the same.
  for (auto const& known : profiles_) {
    if (known->digest() == (*built)->digest()) return known;
  }
  warn_of_unused_ciphers(host);
  profiles_.push_back(*built);
  return std::move(*built);
}

bool Build::set_client_auth(config::Host const& host, tls::HostOptions& options,
                            proxy::Site& site) {
  auto const& auth = host.client_auth;
  auto& client = options.client;
  client.mode = mode_of(*auth.mode);
  if (client.mode == x509::ClientAuthMode::off) return true;
  client.deny_list = generation_->deny_list;
  auto const name = host.display_name();
  auto const anchors = materials_.authorities(auth.ca, Expiry::Kind::client_ca, name);
  if (!anchors) {
    materials_.look_at_lists(auth);
    return false;
  }
  x509::TrustOptions trust;
  trust.max_depth = static_cast<unsigned>(*auth.depth);
  trust.max_presented = static_cast<std::size_t>(*config_.limits.certificate_chain);
  trust.max_key_bits = static_cast<unsigned>(*config_.limits.rsa_bits);
  auto const& ca_mark = auth.ca.empty() ? auth.mark : auth.ca.front().mark;
  client.trust = materials_.trust(*anchors, trust, ca_mark);
  if (client.trust == nullptr) return false;
  client.crl_check =
      *auth.crl_check == config::CrlCheck::chain ? x509::CrlCheck::chain : x509::CrlCheck::leaf;
  client.on_expired_crl = *auth.on_expired_crl == config::OnExpiredCrl::use_last
                              ? x509::OnExpiredCrl::use_last
                              : x509::OnExpiredCrl::deny;
  auto const urls = crl_urls_of(auth, *anchors, name);
  if (!warn_about_urls(auth, urls)) return false;
  if (auth.crl.empty() && urls.empty()) {
    diagnostics_.add(auth.mark.diagnostic(
        "host `" + name + "` has no CRL: a certificate that its CA revoked is still accepted",
        "name the CA's list with `crl`, or deny single certificates with `certgate deny`",
        Severity::warning));
    return true;
  }
  auto const set = materials_.revocations(auth, *anchors, fetched_.lists(urls), name);
  if (!set) return false;
  client.revocations = set->index;
  auto& sets = generation_->revocations;
  auto const known = std::find(sets.begin(), sets.end(), set->index);
  site.revocations = static_cast<std::size_t>(known - sets.begin());
  if (known == sets.end()) sets.push_back(set->index);
  return true;
}

// A list that is never had denies everybody, and one that nobody asks for denies nobody: both are
// said. False: it cannot be meant.
bool Build::warn_about_urls(config::ClientAuth const& auth, std::vector<CrlUrl> const& urls) {
  // A fetched list may name its delta, so an address is enough.
  if (*auth.crl_distribution_points && urls.empty()) {
    diagnostics_.add(auth.crl_distribution_points.mark.diagnostic(
        "no certificate in `ca` names an http(s) distribution point of a list that one of them signs",
        "an intermediate names the list of the CA above it: both must be in `ca`; the list that "
        "speaks for clients is named with `crl: https://…`"));
    return false;
  }
  for (auto const& url : urls) {
    if (fetched_.find(url.key) != nullptr) continue;
    diagnostics_.add(url.mark.diagnostic(
        "there is no list yet from " + url.text(),
        "clients that it would speak for count as not verified until it is fetched",
        Severity::warning));
  }
  if (!urls.empty() && config_.state_directory.empty()) {
    diagnostics_.add(urls.front().mark.diagnostic(
        "a fetched CRL is not kept without `state_directory`",
        "after a restart while the CA's server is away every client counts as not verified; add "
        "`state_directory: /var/lib/certgate`",
        Severity::warning));
  }
  return true;
}

// Null when something is wrong, which is then told at each place that says it.
std::shared_ptr<proxy::RequestFields const> Build::request_fields(
    config::RequestHeaders const& headers) {
  http::ForwardingPolicy::Settings settings;
  std::string key;
  auto const append_to_key = [&key](std::string const& text) {
    key += std::to_string(text.size()) + ":" + text;
  };
  for (auto const& header : headers.set) {
    append_to_key(*header.name);
    append_to_key(header.value.text());
    settings.set_names.push_back(*header.name);
  }
  key += '-';
  for (auto const& name : headers.remove) {
    append_to_key(*name);
    settings.remove.push_back(*name);
  }
  if (auto const known = request_fields_.find(key); known != request_fields_.end()) {
    return known->second;
  }
  auto values = build_header_values(config_, headers, diagnostics_);
  if (!values) return nullptr;
  auto const made = std::make_shared<proxy::RequestFields>();
  made->forwarding = http::ForwardingPolicy(std::move(settings));
  made->values = std::move(*values);
  return request_fields_.emplace(std::move(key), made).first->second;
}

void Build::set_forwarding(config::Host const& host, proxy::Site& site) {
  for (auto const& kind : host.forward_client_certificate) {
    switch (*kind) {
      case config::ForwardedCertificate::rfc9440: site.identity.rfc9440 = true; break;
      case config::ForwardedCertificate::cloudflare: site.identity.cloudflare = true; break;
      case config::ForwardedCertificate::xfcc: site.identity.xfcc = true; break;
    }
  }
  site.request_fields = request_fields(host.request_headers);
  check_request_fields(host.request_headers, site.identity, diagnostics_);
}

std::shared_ptr<proxy::Site> Build::build_host(config::Host const& host) {
  auto site = std::make_shared<proxy::Site>();
  site->name = host.display_name();
  tls::HostOptions options;
  for (auto const& name : host.names) options.names.push_back(pattern_of(*name));
  bool good = true;
  for (auto const& identity : host.identities) {
    auto loaded = materials_.identity(identity.certificate, identity.private_key,
                                      tls::IdentityUse::server, site->name);
    if (loaded == nullptr) {
      good = false;
      continue;
    }
    for (auto const& name : host.names) {
      if (name->kind != config::HostName::Kind::exact) continue;
      if (x509::match_host(loaded->leaf(), name->name) == x509::HostMatch::none) {
        diagnostics_.add(identity.certificate.mark.diagnostic(
            "the certificate does not cover the host name `" + name->name + "`",
            "clients that verify the name will refuse to connect", Severity::warning));
      }
    }
    options.identities.push_back(std::move(loaded));
  }
  good = set_client_auth(host, options, *site) && good;
  options.profile = profile_for(host);
  good = good && options.profile != nullptr;
  set_forwarding(host, *site);
  site->origin = origin_index(*host.origin);
  for (auto const& route : host.routes) {
    site->routes.push_back({*route.path, origin_index(*route.origin)});
  }
  std::stable_sort(site->routes.begin(), site->routes.end(), [](auto const& a, auto const& b) {
    return a.path.size() > b.path.size();
  });
  if (!good) return nullptr;
  auto settings = tls::HostSettings::build(std::move(options));
  if (!settings) {
    diagnostics_.add(host.mark.diagnostic(settings.error().detail));
    return nullptr;
  }
  site->tls = std::move(*settings);
  return site;
}

void Build::build_hosts() {
  for (auto const& host : config_.hosts) sites_.push_back(build_host(host));
}

void Build::index_hosts() {
  auto table = std::make_shared<HostTable<proxy::Site const*>>();
  std::vector<tls::HostSettings::Pointer> settings;
  for (auto const& site : sites_) {
    settings.push_back(site->tls);
    generation_->sites.push_back(site);
    for (auto const& name : site->tls->names()) table->insert(name, site.get());
  }
  generation_->hosts = std::move(table);
  auto hosts = tls::ServerHosts::build(std::move(settings));
  if (!hosts) {
    diagnostics_.add(config_.hosts.front().mark.diagnostic(hosts.error().detail));
    return;
  }
  generation_->tls_hosts = std::move(*hosts);
}

// threats: "Default/unknown host served by the laxest policy".
void Build::check_default_host() {
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    auto const& names = config_.hosts[i].names;
    auto const is_default = std::any_of(names.begin(), names.end(), [](auto const& name) {
      return name->kind == config::HostName::Kind::any;
    });
    if (!is_default || sites_[i] == nullptr) continue;
    for (auto const& other : sites_) {
      if (other == nullptr || other == sites_[i]) continue;
      if (!is_laxer(sites_[i]->tls->client().mode, other->tls->client().mode)) continue;
      diagnostics_.add(config_.hosts[i].mark.diagnostic(
          "the host `*` asks less of its clients than `" + other->name + "`",
          "a client that names no host, or an unknown one, is served by `*`; give it the same "
          "client_auth, or leave it out so that such clients are refused",
          Severity::warning));
      break;
    }
  }
}

// RFC 6066 §3: "Literal IPv4 and IPv6 addresses are not permitted in "HostName"". So whoever connects
// to an address names no host, and meets `*` in the handshake.
void Build::check_hosts_that_are_addresses() {
  auto const* const unnamed = generation_->find_site({});
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    if (unnamed != nullptr && unnamed->tls->client_scope() == sites_[i]->tls->client_scope()) continue;
    for (auto const& name : config_.hosts[i].names) {
      auto address = std::string_view(name->name);
      if (address.starts_with('[') && address.ends_with(']')) {
        address = address.substr(1, address.size() - 2);
      }
      if (!IpAddress::parse(address)) continue;
      diagnostics_.add(name.mark.diagnostic(
          "clients that connect to the address `" + name->name + "` name no host in the handshake",
          unnamed == nullptr ? "without a host `*` they are refused: add \"*\" to these names"
                             : "they are served by `*`, and get 421 here: give it the same client_auth",
          Severity::warning));
    }
  }
}

// With `request` a certificate is only asked for: what follows from it is for the rules, or the origin.
void Build::check_certificates_are_judged() {
  if (*config_.default_action == config::Action::block) return;
  if (keeps_out_by(*generation_->policy, policy::is_certificate_field)) return;
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    auto const& host = config_.hosts[i];
    auto const& set = host.request_headers.set;
    bool const origin_is_told =
        !host.forward_client_certificate.empty() ||
        std::any_of(set.begin(), set.end(), [](auto const& header) {
          return header.value.text().find("cf.tls_client_auth.") != std::string_view::npos;
        });
    if (*host.client_auth.mode != config::ClientAuthMode::request || origin_is_told) continue;
    diagnostics_.add(host.client_auth.mode.mark.diagnostic(
        "host `" + sites_[i]->name +
            "` asks for a client certificate, and lets everybody in: no rule blocks by certificates",
        "add a rule with `mtls: {hosts: [...]}` and `action: block`, or set `mode: require`",
        Severity::warning));
  }
}

void Build::judge_rules() {
  auto const policy = build_policy(config_, diagnostics_);
  if (policy == nullptr) return;
  generation_->policy = policy;
  if (generation_->hosts == nullptr) return;

  policy::LintContext context;
  context.mode_of_host = [this](std::string_view host) -> std::optional<x509::ClientAuthMode> {
    auto const* const site = generation_->find_site(host);
    if (site == nullptr) return std::nullopt;
    return site->tls->client().mode;
  };
  context.any_host_asks =
      std::any_of(sites_.begin(), sites_.end(), [](auto const& site) {
        return site->tls->client().mode != x509::ClientAuthMode::off;
      });
  diagnostics_.add_all(policy::lint(*policy, context));
  check_certificates_are_judged();

  auto const policy_of = [this](std::string_view host) -> std::optional<x509::ClientPolicy> {
    auto const* const site = generation_->find_site(host);
    if (site == nullptr) return std::nullopt;
    return generation_->client_policy(*site);
  };
  run_tests(config_, *policy, policy_of, at_, diagnostics_);
}

void Build::set_limits() {
  auto& limits = generation_->limits;
  limits.header_bytes = static_cast<std::size_t>(config_.limits.header_bytes->bytes);
  limits.header_fields = static_cast<std::size_t>(*config_.limits.header_fields);
  limits.target_bytes = static_cast<std::size_t>(config_.limits.uri_bytes->bytes);
  limits.body_bytes = config_.limits.body_bytes->bytes;
  limits.body_rate = config_.limits.body_rate->bytes;
  limits.judged_body_bytes = static_cast<std::size_t>(config_.limits.judged_body_bytes->bytes);
  auto& timeouts = generation_->timeouts;
  timeouts.handshake = *config_.timeouts.handshake;
  timeouts.header = *config_.timeouts.header;
  timeouts.body = *config_.timeouts.body;
  timeouts.keep_alive = *config_.timeouts.keep_alive;
  timeouts.tunnel = *config_.timeouts.tunnel;
  timeouts.origin_connect = *config_.timeouts.origin_connect;
  timeouts.origin_response = *config_.timeouts.origin_response;
  generation_->normalisation = *config_.url_normalization == config::UrlNormalization::cloudflare
                                   ? http::Normalisation::cloudflare
                                   : http::Normalisation::rfc3986;
  generation_->normalised_to_origin = *config_.normalize_to_origin;
}

Result<Built, Diagnostics> Build::run(std::uint64_t number, telemetry::MetricRegistry& metrics,
                                      x509::DenyList::Pointer deny_list,
                                      OriginsInUse const& before, OriginsInUse& now) {
  for (auto const& warning : config_.warnings) diagnostics_.add(warning);
  generation_->number = number;
  generation_->deny_list = std::move(deny_list);
  set_limits();
  generation_->origins = build_origins(config_, lookup_, materials_, before, now, diagnostics_);
  build_hosts();
  // Only looked at: who fetches reads them for itself.
  (void)materials_.authorities(config_.crl_refresh.ca, Expiry::Kind::crl_server_ca, "crl_refresh");
  bool const all_hosts = std::all_of(sites_.begin(), sites_.end(),
                                     [](auto const& site) { return site != nullptr; });
  if (all_hosts) {
    index_hosts();
    check_default_host();
    check_hosts_that_are_addresses();
  }
  judge_rules();
  diagnostics_.sort();
  if (diagnostics_.has_errors()) return fail(std::move(diagnostics_));

  std::vector<telemetry::RuleLabel> labels;
  auto const& live = generation_->policy->live();
  for (std::size_t i = 0; i < live.size(); ++i) {
    labels.push_back({live.rule(i).name, std::string(policy::name_of(live.rule(i).action))});
  }
  generation_->metrics = std::make_shared<telemetry::TrafficMetrics const>(
      metrics, std::span<telemetry::RuleLabel const>(labels),
      std::span<std::string_view const>(failure_tokens));
  note_facts_in_use(*generation_);
  built_.generation = std::move(generation_);
  built_.warnings = std::move(diagnostics_);
  return std::move(built_);
}

Diagnostics Build::run_parts(config::PartialConfig const& part) {
  config::Config origins;
  for (std::size_t i = 0; i < config_.origins.size(); ++i) {
    if (part.whole_origins[i]) origins.origins.push_back(config_.origins[i]);
  }
  OriginsInUse none, now;
  build_origins(origins, lookup_, materials_, none, now, diagnostics_);
  for (std::size_t i = 0; i < config_.hosts.size(); ++i) {
    auto const& host = config_.hosts[i];
    if (part.whole_hosts[i]) build_host(host);
    request_fields(host.request_headers);
  }
  build_header_values(config_, config_.request_headers, diagnostics_);
  build_policy(config_, diagnostics_);
  std::erase_if(diagnostics_.items(),
                [](auto const& told) { return told.severity != Severity::error; });
  return std::move(diagnostics_);
}

Diagnostics mistakes_of_parts(config::PartialConfig const& part, UnixSeconds at) {
  CrlStore const nothing_fetched;
  tls::ServerIdentities identities;
  MaterialCache cache;
  net::Lookup const lookup = net::resolve;
  Build build(part.config, nothing_fetched, lookup, identities, cache, at);
  return build.run_parts(part);
}

Builder::Builder(std::shared_ptr<CrlStore const> fetched, net::Lookup lookup)
    : inside_(std::make_unique<Inside>()) {
  inside_->lookup = std::move(lookup);
  inside_->fetched = fetched != nullptr ? std::move(fetched) : std::make_shared<CrlStore const>();
}
Builder::~Builder() = default;

Result<Built, Diagnostics> Builder::build(config::Config const& config, std::uint64_t number,
                                          UnixSeconds at, telemetry::MetricRegistry& metrics,
                                          x509::DenyList::Pointer deny_list) {
  inside_->working = inside_->kept;
  inside_->origins_working.clear();
  Build build(config, *inside_->fetched, inside_->lookup, inside_->identities, inside_->working, at);
  return build.run(number, metrics, std::move(deny_list), inside_->origins_kept,
                   inside_->origins_working);
}

void Builder::commit() {
  inside_->kept = std::move(inside_->working);
  inside_->working = {};
  inside_->origins_kept = std::move(inside_->origins_working);
  inside_->origins_working.clear();
  inside_->identities.prune();
}

void Builder::keep(std::vector<std::shared_ptr<upstream::Origin>> const& origins) {
  for (auto const& origin : origins) {
    auto const known = inside_->origins_kept.find(origin->settings().name);
    if (known != inside_->origins_kept.end()) known->second.origin = origin;
  }
}

void Builder::roll_back() {
  inside_->working = {};
  inside_->origins_working.clear();
  inside_->identities.prune();
}

}  // namespace certgate::gateway
