// Certificates an operator has denied at once, without waiting for a CRL.
//
// Immutable: a change is a new list, swapped like the rest of a Generation. Looking up allocates
// nothing. An entry matches by serial (of one issuer, or of any), by SHA-256 fingerprint or by
// subject, until it expires. A fingerprint matches as well when the owner of the certificate has
// changed its ECDSA signature into the other one that verifies, and so its fingerprint.
//
// Errors: build() names the entry that has no or more than one criterion, or one that cannot match.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/base/result.hpp"
#include "certgate/x509/certificate.hpp"

namespace certgate::x509 {

inline constexpr UnixSeconds never_expires = std::numeric_limits<UnixSeconds>::max();

// Exactly one of serial, fingerprint and subject is set.
struct DenyEntry {
  std::string serial;       // hex; case, colons, "0x" and leading zeros are ignored
  std::string issuer;       // with serial only: issuer DN in any of the three forms; "" for any
  std::string fingerprint;  // SHA-256, hex; case and colons are ignored
  std::string subject;      // subject DN in any of the three forms
  UnixSeconds expires = never_expires;  // the first second at which it no longer holds
  std::string reason;                   // the operator's words, for the log
};

class DenyList {
 public:
  using Pointer = std::shared_ptr<DenyList const>;

  static Result<Pointer> build(std::vector<DenyEntry> entries);
  virtual ~DenyList() = default;

  // The entry that denies `certificate` at `now`, or null.
  virtual DenyEntry const* find(Certificate const& certificate, UnixSeconds now) const noexcept = 0;
  // The last second before the next entry expires.
  virtual UnixSeconds holds_until(UnixSeconds now) const noexcept = 0;
  // As given, with serials and fingerprints in canonical form.
  virtual std::vector<DenyEntry> const& entries() const = 0;
};

}  // namespace certgate::x509
