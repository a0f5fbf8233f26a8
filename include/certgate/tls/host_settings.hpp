// What TLS has to know of a host: its certificates, whom it lets in, and how it encrypts.
//
// Built once per Generation, immutable, shared by workers, connections and sessions. ServerHosts
// finds a host by the name that a client asked for, with the one matching function that HTTP uses
// as well (base/host_name.hpp).
//
// Errors: HostSettings::build() refuses a host without identities, and client authentication
//         without a trust. ServerHosts::build() refuses a name that two hosts claim.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/host_name.hpp"
#include "certgate/base/result.hpp"
#include "certgate/tls/profile.hpp"
#include "certgate/tls/server_identity.hpp"
#include "certgate/x509/digest.hpp"
#include "certgate/x509/verdict.hpp"

namespace certgate::tls {

// More CAs than this are not named in the CertificateRequest (every client would get them): the
// client then chooses by itself (RFC 8446 §4.2.4 leaves the extension out).
inline constexpr std::size_t max_announced_authorities = 32;

struct HostOptions {
  std::vector<HostPattern> names;                // at least one
  std::vector<ServerIdentity::Pointer> identities;  // RSA and ECDSA side by side; at least one
  x509::ClientPolicy client;
  Profile::Pointer profile;
};

class HostSettings {
  struct Private {};

 public:
  using Pointer = std::shared_ptr<HostSettings const>;
  static Result<Pointer> build(HostOptions options);

  std::vector<HostPattern> const& names() const { return options_.names; }
  std::vector<ServerIdentity::Pointer> const& identities() const { return options_.identities; }
  x509::ClientPolicy const& client() const { return options_.client; }
  Profile const& profile() const { return *options_.profile; }
  // What it was built from, to build the same host with other lists of revoked certificates.
  HostOptions const& options() const { return options_; }

  // SHA-256 over everything that a session's trust depends on: the names, the mode, the CAs with
  // their options, CRL rules and the profile. A session resumes only under the scope that it was
  // made under, before and after a reload, whatever name is asked for.
  x509::Digest const& scope() const { return scope_; }
  // The same for clients: a request for a host with another client_scope than the connection's is
  // misdirected (421). Names and profile do not count.
  x509::Digest const& client_scope() const { return client_scope_; }

  // This host without what ages: no identities, revocations or deny list. Open connections hold it,
  // so that they do not keep a million revoked serials of an old Generation alive.
  Pointer const& lasting() const { return lasting_; }

  HostSettings(Private, HostOptions options) : options_(std::move(options)) {}

 private:
  HostOptions options_;
  x509::Digest scope_;
  x509::Digest client_scope_;
  Pointer lasting_;
};

class ServerHosts {
  struct Private {};

 public:
  using Pointer = std::shared_ptr<ServerHosts const>;
  static Result<Pointer> build(std::vector<HostSettings::Pointer> hosts);

  // The host for a canonical server_name; "" when the client sent none. A name that nobody claims
  // and an absent one get the host called "*", and are refused (unrecognized_name) without it:
  // never does such a client meet a laxer policy than somebody wrote down for exactly this case.
  HostSettings::Pointer const* find(std::string_view server_name) const;
  std::vector<HostSettings::Pointer> const& all() const { return all_; }

  explicit ServerHosts(Private) {}

 private:
  HostTable<HostSettings::Pointer> table_;
  std::vector<HostSettings::Pointer> all_;
};

}  // namespace certgate::tls
