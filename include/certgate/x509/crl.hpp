// One certificate revocation list, parsed and bounded, without an object per entry.
//
// Holds the DER and walks it when asked for entries: a list of a million entries costs its DER and
// nothing else. Every byte was checked by parse_der, so walking cannot fail. Immutable; any thread.
//
// Errors: parse_der refuses what is not one whole DER CertificateList (RFC 5280 §5.1), is larger
//         than max_crl_bytes, or has a serial above max_serial_bytes. Whether the list may be used
//         at all (scope, critical extensions, signature) is asked separately: see unusable_because()
//         and verify_issued_by(). The revocation index asks both.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/base/encoding.hpp"
#include "certgate/base/result.hpp"
#include "certgate/x509/certificate.hpp"

namespace certgate::x509 {

inline constexpr std::size_t max_crl_bytes = std::size_t{512} * 1024 * 1024;
inline constexpr std::size_t max_serial_bytes = 64;  // RFC 5280 §4.1.2.2 says 20; some CAs do not

// RFC 5280 §5.3.1.
enum class RevocationReason : std::uint8_t {
  unspecified = 0, key_compromise = 1, ca_compromise = 2, affiliation_changed = 3, superseded = 4,
  cessation_of_operation = 5, certificate_hold = 6, remove_from_crl = 8, privilege_withdrawn = 9,
  aa_compromise = 10,
};
std::string_view name_of(RevocationReason reason);  // "keyCompromise"
std::optional<RevocationReason> parse_revocation_reason(std::string_view name);  // case ignored

struct CrlEntry {
  Bytes serial;  // as Certificate::serial_bytes(); lives as long as the Crl
  bool negative = false;
  RevocationReason reason = RevocationReason::unspecified;
  UnixSeconds revoked_at = 0;
};

class Crl {
  struct Private {};

 public:
  using Pointer = std::shared_ptr<Crl const>;

  // Takes the bytes over, so that a large list is not copied.
  static Result<Pointer> parse_der(std::string der);

  Bytes der() const { return as_bytes(der_); }
  Bytes issuer_name_der() const { return issuer_; }
  std::string const& issuer_dn() const { return issuer_dn_; }  // RFC 4514
  UnixSeconds this_update() const { return this_update_; }
  std::optional<UnixSeconds> next_update() const { return next_update_; }
  // cRLNumber and BaseCRLNumber: big-endian without leading zeros, at most 20 bytes.
  std::optional<Bytes> number() const { return number_; }
  std::optional<Bytes> base_number() const { return base_number_; }
  bool is_delta() const { return base_number_.has_value(); }
  std::string_view authority_key_id() const { return authority_key_id_; }  // upper-case hex, or ""

  // The issuing distribution point (RFC 5280 §5.2.5).
  bool only_user_certificates() const { return only_user_; }
  bool only_ca_certificates() const { return only_ca_; }
  // fullName of the distribution point: each GeneralName as DER; empty when not partitioned so.
  std::vector<Bytes> const& distribution_point_names() const { return point_names_; }
  // Content of the freshestCRL extension (RFC 5280 §5.2.6), DER; empty when absent.
  Bytes freshest_crl() const { return freshest_crl_; }
  // Same for two lists with the same scope: deltas and newer issues replace within a scope.
  Digest const& scope() const { return scope_; }

  // Why this list must not decide about client certificates ("is an indirect CRL", "has a critical
  // extension that is not understood (1.2.3)", …); "" when it may.
  std::string const& unusable_because() const { return unusable_; }

  std::size_t entry_count() const { return entry_count_; }
  // Walks the entries: `CrlEntry entry; for (auto cursor = crl.entries(); cursor.next(entry);)`.
  class Cursor {
   public:
    bool next(CrlEntry& entry);
    // The same without reason and date, which stay as they are.
    bool next_serial(CrlEntry& entry);

   private:
    friend class Crl;
    explicit Cursor(Bytes rest) : rest_(rest) {}
    Bytes rest_;
  };
  Cursor entries() const { return Cursor(entries_); }

  // Whether `ca` issued this list: the name and the key identifier fit, its key usage has cRLSign
  // (or it states none), and the signature is its. The error says which of these is not so.
  Result<void> verify_issued_by(Certificate const& ca) const;

  explicit Crl(Private) {}
  Crl(Crl const&) = delete;
  Crl& operator=(Crl const&) = delete;

 private:
  friend class CrlReader;
  std::string der_;
  std::string issuer_dn_, authority_key_id_, unusable_;
  Bytes tbs_, issuer_, entries_, signature_algorithm_, signature_, freshest_crl_;
  UnixSeconds this_update_ = 0;
  std::optional<UnixSeconds> next_update_;
  std::optional<Bytes> number_, base_number_;
  std::vector<Bytes> point_names_;
  Digest scope_;
  std::size_t entry_count_ = 0;
  bool only_user_ = false, only_ca_ = false;
};

}  // namespace certgate::x509
