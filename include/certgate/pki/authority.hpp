// Signs certificates and revocation lists: a root for itself, a root for intermediates, an
// intermediate for devices.
//
// Immutable; any thread may use it. It reads no clock and keeps no record: the caller brings the
// serial and the times, and writes what was signed into a Ledger before handing it out.
//
// Every certificate is checked with OpenSSL's strict rules against its issuer before it is
// returned, so one that a verifier would refuse (a name outside the issuer's constraints, a
// lifetime beyond the issuer's) never exists.
//
// See: RFC 5280 §4 (certificates), §5 (revocation lists).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "certgate/base/result.hpp"
#include "certgate/pki/alternative_name.hpp"
#include "certgate/pki/certificate.hpp"
#include "certgate/pki/private_key.hpp"
#include "certgate/pki/profile.hpp"
#include "certgate/pki/revocation.hpp"
#include "certgate/pki/serial.hpp"

namespace certgate::pki {

// Certificates and lists begin this much in the past, for verifiers whose clock is behind.
inline constexpr UnixSeconds clock_skew_allowance = 300;

struct CertificateOrder {
  Serial serial;
  Validity validity;
  Subject subject;
  std::vector<AlternativeName> alternative_names;
  ProfileKind profile = ProfileKind::mobile;
  std::string public_key_der;
  std::vector<std::string> crl_urls;  // distribution points; empty for none
  // For authorities only.
  int path_length = 0;
  NameConstraints constraints;
};

struct RevocationListOrder {
  std::int64_t number = 1;  // grows with every list of the same issuer
  UnixSeconds this_update = 0;
  UnixSeconds next_update = 0;
  std::vector<RevokedCertificate> entries;
};

class Authority {
 public:
  // Signs `order` with its own key: the order's public key is replaced by that of `key`.
  static Result<Authority> make_root(CertificateOrder order, PrivateKey key);
  // Errors: the certificate is not an authority's, or the key is another's.
  static Result<Authority> open(Certificate certificate, PrivateKey key);

  Certificate const& certificate() const { return certificate_; }
  // Errors: a name that the profile or the issuer does not allow, a weak key, a lifetime beyond
  // the issuer's.
  Result<Certificate> issue(CertificateOrder const& order) const;
  // A complete list, DER, entries sorted by serial.
  Result<std::string> sign_revocation_list(RevocationListOrder const& order) const;

 private:
  Authority(Certificate certificate, PrivateKey key)
      : certificate_(std::move(certificate)), key_(std::move(key)) {}
  Certificate certificate_;
  PrivateKey key_;
};

}  // namespace certgate::pki
