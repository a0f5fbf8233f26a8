// What was issued, revoked and held: the interface between signing and storing.
//
// A certificate or list is recorded before it leaves the authority, so that whatever is out in the
// world can be listed and revoked. `certgate ca` keeps it in SQLite (cli); tests keep it in memory;
// enrolment (EST) and OCSP will use the same interface.
//
// Errors: io when the storage fails; conflict when the state does not allow the change; not_found.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/base/result.hpp"
#include "certgate/pki/revocation.hpp"
#include "certgate/pki/serial.hpp"

namespace certgate::pki {

// Where the private key was made: here (and it lies beside the certificate), or on the device.
enum class KeyOrigin { authority, device };

struct LedgerEntry {
  Serial serial;
  std::string issuer;  // "root" or "intermediate"
  std::string name;    // the subject's common name
  std::string profile;
  KeyOrigin key_origin = KeyOrigin::authority;
  UnixSeconds issued_at = 0;
  UnixSeconds not_before = 0;
  UnixSeconds not_after = 0;
  RecordedState state = RecordedState::active;
  RevocationReason reason = RevocationReason::unspecified;  // when held or revoked
  UnixSeconds revoked_at = 0;                               // when held or revoked
  std::string certificate_der;
  std::string public_key_sha256;  // raw bytes
};

struct SignedList {
  std::int64_t number = 0;
  UnixSeconds this_update = 0;
  UnixSeconds next_update = 0;
  std::string der;
};

class Ledger {
 public:
  virtual ~Ledger() = default;
  virtual Result<void> record(LedgerEntry const& entry) = 0;
  virtual Result<std::optional<LedgerEntry>> find(Serial const& serial) = 0;
  // Oldest first.
  virtual Result<std::vector<LedgerEntry>> find_by_name(std::string_view name) = 0;
  virtual Result<std::vector<LedgerEntry>> find_by_public_key(std::string_view sha256) = 0;
  virtual Result<std::vector<LedgerEntry>> all() = 0;
  virtual Result<void> set_state(Serial const& serial, RecordedState state, RevocationReason reason,
                                 UnixSeconds at) = 0;
  // Held and revoked certificates of one issuer, with what a list needs.
  virtual Result<std::vector<LedgerEntry>> not_active(std::string_view issuer) = 0;
  // The newest list of the issuer, and what to record when the next is signed.
  virtual Result<std::optional<SignedList>> last_list(std::string_view issuer) = 0;
  virtual Result<void> record_list(std::string_view issuer, SignedList const& list) = 0;
};

// Signs the issuer's next complete list and records it: the number is one more than the last,
// times never go backwards, and expired entries leave as RFC 5280 §5 allows.
class Authority;
Result<SignedList> sign_next_list(Authority const& authority, Ledger& ledger,
                                  std::string_view issuer, UnixSeconds now, UnixSeconds lifetime);

}  // namespace certgate::pki
