// Why a certificate stopped being good, and which changes of mind are allowed.
//
// Pure rules over values: the store applies them, the authority signs the outcome.
// See: RFC 5280 §5.3.1 (reason codes), §5 (how long an entry stays on the list).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/base/result.hpp"
#include "certgate/pki/serial.hpp"

namespace certgate::pki {

// The numbers are CRLReason's; 7 is not used. removeFromCRL (8) belongs to delta lists only and
// is no reason to revoke.
enum class RevocationReason {
  unspecified = 0,
  key_compromise = 1,
  ca_compromise = 2,
  affiliation_changed = 3,
  superseded = 4,
  cessation_of_operation = 5,
  certificate_hold = 6,
  privilege_withdrawn = 9,
  aa_compromise = 10,
};

// RFC 5280's spelling: "keyCompromise", "certificateHold", ...
std::string_view name_of(RevocationReason reason);
// The same spelling in any letter case, with or without hyphens and underscores.
std::optional<RevocationReason> parse_reason(std::string_view name);
std::vector<std::string_view> reason_names();

struct RevokedCertificate {
  Serial serial;
  UnixSeconds revoked_at = 0;
  RevocationReason reason = RevocationReason::unspecified;
};

// What is recorded of a certificate; `expired` is not recorded but follows from the time.
enum class RecordedState { active, held, revoked };
enum class Status { active, held, revoked, expired };

std::string_view name_of(RecordedState state);
std::optional<RecordedState> parse_recorded_state(std::string_view name);
std::string_view name_of(Status status);
std::optional<Status> parse_status(std::string_view name);
// A revoked or held certificate stays so after its end; an active one becomes expired.
Status status_at(RecordedState state, UnixSeconds not_after, UnixSeconds now);

// The state after revoking for `reason`. Errors: already revoked (final, RFC 5280 knows no way
// back), or already on hold and to be held again.
Result<RecordedState> state_after_revoking(RecordedState state, RevocationReason reason);
// Errors: not on hold.
Result<RecordedState> state_after_restoring(RecordedState state);

// RFC 5280 §5: "An entry MUST NOT be removed from the CRL until it appears on one regularly
// scheduled CRL issued beyond the revoked certificate's validity period."
// `last_this_update` is that of the list before the one being made.
bool stays_on_list(UnixSeconds not_after, UnixSeconds revoked_at,
                   std::optional<UnixSeconds> last_this_update);

}  // namespace certgate::pki
