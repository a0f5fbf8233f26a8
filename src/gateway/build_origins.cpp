#include "build_origins.hpp"

#include <type_traits>
namespace certgate::gateway {
namespace {

std::string authority_of(config::ServerUrl const& url) {
  if (url.scheme == config::ServerUrl::Scheme::unix_socket) return "localhost";
  auto const address = IpAddress::parse(url.host);
  auto host = address && !address->is_v4() ? "[" + url.host + "]" : url.host;
  unsigned const usual = url.scheme == config::ServerUrl::Scheme::https ? 443 : 80;
  return url.port == usual ? host : host + ":" + std::to_string(url.port);
}

upstream::HealthSettings health_of(config::Health const& health) {
  upstream::HealthSettings settings;
  settings.path = *health.path;
  settings.host = *health.host;
  settings.interval = *health.interval;
  settings.timeout = *health.timeout;
  settings.healthy_after = static_cast<unsigned>(*health.healthy_after);
  settings.unhealthy_after = static_cast<unsigned>(*health.unhealthy_after);
  for (auto const& status : health.status) settings.status.push_back(*status);
  settings.eject_after = static_cast<unsigned>(*health.eject_after);
  settings.eject_for = *health.eject_for;
  return settings;
}

// Everything in text that makes two origins the same, files by their contents.
class Description {
 public:
  template <class T>
  Description& operator<<(T const& part) {
    if constexpr (std::is_arithmetic_v<T>) {
      text_ += std::to_string(part);
    } else {
      text_ += part;
    }
    text_ += '\n';
    return *this;
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

class OriginBuilder {
 public:
  OriginBuilder(config::Origin const& origin, net::Lookup const& lookup, Materials& materials,
                Diagnostics& diagnostics)
      : origin_(origin), lookup_(lookup), materials_(materials), diagnostics_(diagnostics) {}

  std::shared_ptr<upstream::Origin> build(OriginInUse const* before, std::string& made_from);

 private:
  bool load_tls();
  tls::ClientContext::Pointer context_for(std::string const& name, config::Mark const& mark);

  std::vector<IpAddress> const* addresses_of(config::Setting<config::ServerUrl> const& url);

  config::Origin const& origin_;
  net::Lookup const& lookup_;
  Materials& materials_;
  Diagnostics& diagnostics_;
  Description description_;
  std::vector<x509::Certificate::Pointer> authorities_;
  tls::ServerIdentity::Pointer identity_;
  std::map<std::string, tls::ClientContext::Pointer> contexts_;
  std::map<std::string, std::vector<IpAddress>> names_;  // that were looked up, each once
};

bool OriginBuilder::load_tls() {
  auto const name = "origin " + *origin_.name;
  bool good = true;
  if (!origin_.tls.ca.empty()) {
    auto found = materials_.authorities(origin_.tls.ca, Expiry::Kind::upstream_ca, name);
    good = found.has_value();
    if (found) authorities_ = std::move(*found);
    for (auto const& ca : authorities_) description_ << ca->fingerprint_sha256();
  }
  if (!origin_.tls.certificate.empty()) {
    identity_ = materials_.identity(origin_.tls.certificate, origin_.tls.private_key,
                                    tls::IdentityUse::client, name);
    if (identity_ == nullptr) return false;
    description_ << identity_->leaf().fingerprint_sha256();
  }
  return good;
}

tls::ClientContext::Pointer OriginBuilder::context_for(std::string const& name,
                                                       config::Mark const& mark) {
  auto const known = contexts_.find(name);
  if (known != contexts_.end()) return known->second;
  tls::ClientOptions options;
  options.authorities = authorities_;
  options.server_name = name;
  options.verify = *origin_.tls.verify ? tls::VerifyPeer::yes : tls::VerifyPeer::no;
  options.identity = identity_;
  auto context = tls::ClientContext::build(std::move(options));
  if (!context) {
    diagnostics_.add(mark.diagnostic("TLS towards this server: " + context.error().detail));
    return nullptr;
  }
  contexts_.emplace(name, *context);
  return *context;
}

std::vector<IpAddress> const* OriginBuilder::addresses_of(
    config::Setting<config::ServerUrl> const& url) {
  auto const known = names_.find(url->host);
  if (known != names_.end()) return &known->second;
  auto addresses = lookup_(url->host);
  if (addresses) return &names_.emplace(url->host, std::move(*addresses)).first->second;
  diagnostics_.add(url.mark.diagnostic(
      "cannot resolve `" + url->host + "`: " + addresses.error().detail,
      "every name must have an address when the configuration is loaded; write an address, or "
      "reload once the name exists"));
  return nullptr;
}

std::shared_ptr<upstream::Origin> OriginBuilder::build(OriginInUse const* before,
                                                       std::string& made_from) {
  if (!load_tls()) return nullptr;
  upstream::OriginSettings settings;
  settings.name = *origin_.name;
  settings.balance = *origin_.balance == config::Balance::least_connections
                         ? upstream::Balance::least_connections
                         : upstream::Balance::round_robin;
  settings.health = health_of(origin_.health);
  settings.idle_connections = static_cast<std::size_t>(*origin_.keepalive.connections);
  settings.idle_timeout = *origin_.keepalive.idle;
  settings.preserve_host = *origin_.preserve_host;
  settings.resolve_every = *origin_.resolve_every;

  bool good = true;
  for (auto const& url : origin_.servers) {
    upstream::ServerSettings server;
    server.authority = authority_of(*url);
    server.written = url->to_string();
    description_ << server.written;
    if (url->scheme == config::ServerUrl::Scheme::https) {
      auto const& name =
          origin_.tls.server_name->empty() ? url->host : *origin_.tls.server_name;
      server.tls = context_for(name, url.mark);
      good = good && server.tls != nullptr;
    }
    if (url->scheme == config::ServerUrl::Scheme::unix_socket) {
      server.address.unix_path = url->path;
      server.label = label_of(server);
      settings.servers.push_back(std::move(server));
      continue;
    }
    if (auto const literal = IpAddress::parse(url->host)) {
      server.address.ip = IpEndpoint{*literal, url->port};
      server.label = label_of(server);
      settings.servers.push_back(std::move(server));
      continue;
    }
    auto const* const addresses = addresses_of(url);
    if (addresses == nullptr) {
      good = false;
      continue;
    }
    server.name = url->host;
    for (auto const& address : *addresses) {
      server.address.ip = IpEndpoint{address, url->port};
      server.label = label_of(server);
      settings.servers.push_back(server);
    }
  }
  if (!good) return nullptr;

  made_from = description_.take();
  bool const unchanged = before != nullptr && before->made_from == made_from;
  if (!unchanged) return std::make_shared<upstream::Origin>(std::move(settings));
  auto origin = before->origin;
  for (auto const& [name, addresses] : names_) {
    if (auto moved = origin->with_addresses(name, addresses)) origin = std::move(moved);
  }
  return origin;
}

// Everything but servers and TLS material, whose contents the builder describes.
std::string settings_text(config::Origin const& origin) {
  Description text;
  text << static_cast<int>(*origin.balance) << *origin.health.path << *origin.health.host
       << origin.health.interval->count() << origin.health.timeout->count()
       << *origin.health.healthy_after << *origin.health.unhealthy_after
       << *origin.health.eject_after << origin.health.eject_for->count()
       << *origin.keepalive.connections << origin.keepalive.idle->count()
       << static_cast<int>(*origin.preserve_host) << origin.resolve_every->count() << *origin.tls.server_name
       << static_cast<int>(*origin.tls.verify);
  for (auto const& status : origin.health.status) text << *status;
  return text.take();
}

}  // namespace

std::vector<std::shared_ptr<upstream::Origin>> build_origins(config::Config const& config,
                                                             net::Lookup const& lookup,
                                                             Materials& materials,
                                                             OriginsInUse const& before,
                                                             OriginsInUse& now,
                                                             Diagnostics& diagnostics) {
  std::vector<std::shared_ptr<upstream::Origin>> origins;
  for (auto const& origin : config.origins) {
    OriginBuilder builder(origin, lookup, materials, diagnostics);
    auto const settings = settings_text(origin);
    auto const known = before.find(*origin.name);
    OriginInUse comparable;
    OriginInUse const* previous = nullptr;
    if (known != before.end() && known->second.made_from.starts_with(settings)) {
      comparable = {known->second.made_from.substr(settings.size()), known->second.origin};
      previous = &comparable;
    }
    std::string made_from;
    auto built = builder.build(previous, made_from);
    if (built != nullptr) now[*origin.name] = {settings + made_from, built};
    origins.push_back(std::move(built));
  }
  return origins;
}

}  // namespace certgate::gateway
