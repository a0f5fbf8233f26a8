// Everything one version of the configuration needs to carry requests. Immutable once built.
//
// Shared by all workers; each request takes the one that is in force when it begins (or when the
// part of its body that rules read has come), so what a reload changed holds for the next request of
// every open connection. Old Generations die with the last request that uses them. Built by the
// gateway; this header only says what there is.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/host_name.hpp"
#include "certgate/http/forward.hpp"
#include "certgate/http/target.hpp"
#include "certgate/policy/header_values.hpp"
#include "certgate/policy/policy.hpp"
#include "certgate/telemetry/traffic.hpp"
#include "certgate/tls/host_settings.hpp"
#include "certgate/upstream/origin.hpp"

namespace certgate::proxy {

// Which header fields tell the origin about the verified client certificate.
struct IdentityForwarding {
  bool rfc9440 = false;     // Client-Cert, Client-Cert-Chain
  bool cloudflare = false;  // Cf-Cert-*, Cf-Client-Cert-*
  bool xfcc = false;        // X-Forwarded-Client-Cert
  bool any() const { return rfc9440 || cloudflare || xfcc; }
};

// What an origin gets beside the client's own fields. Hosts with equal settings share one.
struct RequestFields {
  http::ForwardingPolicy forwarding;
  policy::HeaderValues values;  // parallel to forwarding.settings().set_names
};

struct Route {
  std::string path;  // canonical; covers itself and what lies below it
  std::size_t origin = 0;
};

inline constexpr std::size_t no_revocations = SIZE_MAX;

// One host as HTTP sees it.
struct Site {
  std::string name;  // the first of its names, for logs
  tls::HostSettings::Pointer tls;
  std::vector<Route> routes;  // longest path first
  std::size_t origin = 0;     // index into Generation::origins
  std::size_t revocations = no_revocations;  // index into Generation::revocations
  std::shared_ptr<RequestFields const> request_fields;  // REQUIRED
  IdentityForwarding identity;

  std::size_t origin_for(std::string_view path) const;
};

struct Limits {
  std::size_t header_bytes = 32 * 1024;
  std::size_t header_fields = 100;
  std::size_t target_bytes = 16 * 1024;
  std::uint64_t body_bytes = UINT64_MAX;
  std::uint64_t body_rate = 100;  // bytes a second; 0: any
  std::size_t judged_body_bytes = 128 * 1024;
};

struct Timeouts {
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds header{15'000};
  std::chrono::milliseconds body{30'000};
  std::chrono::milliseconds keep_alive{60'000};
  std::chrono::milliseconds tunnel{3'600'000};
  std::chrono::milliseconds origin_connect{5'000};
  std::chrono::milliseconds origin_response{60'000};
};

struct Generation {
  std::uint64_t number = 0;  // counts up with every change of anything, revocations included
  tls::ServerHosts::Pointer tls_hosts;
  std::vector<std::shared_ptr<Site const>> sites;
  std::shared_ptr<HostTable<Site const*> const> hosts;  // REQUIRED; points into `sites`
  std::vector<std::shared_ptr<upstream::Origin>> origins;
  std::shared_ptr<policy::Policy const> policy;  // REQUIRED
  // Who is revoked and who is denied. Requests are judged by these and not by what the handshake's
  // HostSettings hold, so that a new list is in force without building the hosts anew.
  std::vector<x509::RevocationIndex::Pointer> revocations;
  x509::DenyList::Pointer deny_list;  // may be null
  http::Normalisation normalisation = http::Normalisation::rfc3986;
  bool normalised_to_origin = true;
  Limits limits;
  Timeouts timeouts;
  std::shared_ptr<telemetry::TrafficMetrics const> metrics;  // REQUIRED
  // Whether a rule or a header value reads the server's end of the connection, facts of the
  // ClientHello, or the request's body: they cost something.
  bool reads_local_address = true, reads_client_hello = true, reads_body = true;

  // The client policy that requests for `site` are judged by.
  x509::ClientPolicy client_policy(Site const& site) const;
  // The site for a canonical host name, or null. "" (no name at all) is the site called "*".
  Site const* find_site(std::string_view host) const;
};

}  // namespace certgate::proxy
