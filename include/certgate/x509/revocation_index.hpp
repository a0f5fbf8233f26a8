// Answers "has this issuer revoked this serial?" for every request.
//
// Built once per Generation from the newest CRL of each issuer and scope (RFC 5280 §5); immutable
// after that and shared by all hosts and workers. A look-up allocates nothing and takes well under
// 100 ns; an entry costs its serial and 7 to 9 bytes. An issuer without a CRL gives
// CrlStatus::none, and the policy decides what that means (x509/verdict.hpp).
//
// Rules:  hold is revoked; a revocation date in the future is revoked now; removeFromCRL counts in
//         a delta only; several lists of one issuer with different scopes add up; of several with
//         one scope the newest counts; a delta applies to a base that is new enough for it.
// Errors: build() refuses a list that no given CA issued (name, key identifier, cRLSign, signature),
//         that must not be used (Crl::unusable_because), a delta without its base, and a list older
//         than the one `previous` had. The detail names the label and the issuer.
// Units:  serials are as Certificate::serial_bytes() has them, so leading zeros do not matter.
#pragma once

#include <compare>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/base/result.hpp"
#include "certgate/x509/certificate.hpp"
#include "certgate/x509/crl.hpp"
#include "certgate/x509/digest.hpp"

namespace certgate::x509 {

enum class CrlStatus : std::uint8_t {
  none,          // no list of this issuer
  current,       // a list that covers the certificate and is not past its nextUpdate
  expired,       // lists cover it, all of them past their nextUpdate
  out_of_scope,  // lists of this issuer, none of which covers this certificate
};
std::string_view name_of(CrlStatus status);

struct Revocation {
  RevocationReason reason = RevocationReason::unspecified;
  UnixSeconds revoked_at = 0;
};

struct CrlCoverage {
  CrlStatus status = CrlStatus::none;
  UnixSeconds until = 0;  // the last second at which status holds
};

// A list to build from; `label` is how messages call it (its file name).
struct LabelledCrl {
  Crl::Pointer crl;
  std::string label;
};

// What is in force, for status pages, metrics and warnings.
struct CrlFacts {
  IssuerId issuer;
  std::string issuer_dn;
  std::string label;
  std::string number;  // upper-case hex, "" when the list has none
  Digest scope;
  UnixSeconds this_update = 0;
  std::optional<UnixSeconds> next_update;
  // When the list stops counting, with its delta or its base: the later nextUpdate of the two, for
  // either brings the pair up to date. None: never.
  std::optional<UnixSeconds> counts_until;
  std::size_t entries = 0;  // in the list itself
  bool is_delta = false;
  bool only_ca_certificates = false;
};

// Of CRL numbers, both as bytes or both as CrlFacts::number; none at all is the lowest.
std::strong_ordering compare_crl_numbers(std::string_view a, std::string_view b);
// The highest CrlFacts::number of these lists; "" when none has one.
std::string highest_number(std::span<CrlFacts const> lists);

enum class OnOlderCrl { refuse, accept };

class RevocationIndex {
 public:
  using Pointer = std::shared_ptr<RevocationIndex const>;

  // `issuers`: the CA certificates that may have signed a list. No lists give an empty index.
  static Result<Pointer> build(std::span<LabelledCrl const> lists,
                               std::span<Certificate::Pointer const> issuers,
                               RevocationIndex const* previous = nullptr,
                               OnOlderCrl on_older = OnOlderCrl::refuse);
  virtual ~RevocationIndex() = default;

  virtual std::optional<Revocation> find(IssuerId const& issuer, Bytes serial,
                                         bool negative = false) const noexcept = 0;
  std::optional<Revocation> find(IssuerId const& issuer, Certificate const& subject) const noexcept {
    return find(issuer, subject.serial_bytes(), subject.serial_is_negative());
  }
  // How far the issuer's lists speak for `subject` at `now`.
  virtual CrlCoverage coverage(IssuerId const& issuer, Certificate const& subject,
                               UnixSeconds now) const noexcept = 0;

  virtual bool has_issuer(IssuerId const& issuer) const noexcept = 0;
  // Of all that the issuer has revoked, also in the future; 0: nothing.
  virtual UnixSeconds latest_revocation(IssuerId const& issuer) const noexcept = 0;
  virtual std::vector<CrlFacts> const& lists() const = 0;
  virtual std::size_t entry_count() const = 0;
  virtual std::size_t memory_bytes() const = 0;
};

}  // namespace certgate::x509
