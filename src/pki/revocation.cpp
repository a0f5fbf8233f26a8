#include "certgate/pki/revocation.hpp"

#include <array>
#include <utility>

#include "certgate/base/encoding.hpp"

namespace certgate::pki {
namespace {

constexpr std::array reasons{
    std::pair{RevocationReason::unspecified, std::string_view{"unspecified"}},
    std::pair{RevocationReason::key_compromise, std::string_view{"keyCompromise"}},
    std::pair{RevocationReason::ca_compromise, std::string_view{"cACompromise"}},
    std::pair{RevocationReason::affiliation_changed, std::string_view{"affiliationChanged"}},
    std::pair{RevocationReason::superseded, std::string_view{"superseded"}},
    std::pair{RevocationReason::cessation_of_operation, std::string_view{"cessationOfOperation"}},
    std::pair{RevocationReason::certificate_hold, std::string_view{"certificateHold"}},
    std::pair{RevocationReason::privilege_withdrawn, std::string_view{"privilegeWithdrawn"}},
    std::pair{RevocationReason::aa_compromise, std::string_view{"aACompromise"}},
};

constexpr std::array states{
    std::pair{RecordedState::active, std::string_view{"active"}},
    std::pair{RecordedState::held, std::string_view{"held"}},
    std::pair{RecordedState::revoked, std::string_view{"revoked"}},
};

constexpr std::array statuses{
    std::pair{Status::active, std::string_view{"active"}},
    std::pair{Status::held, std::string_view{"held"}},
    std::pair{Status::revoked, std::string_view{"revoked"}},
    std::pair{Status::expired, std::string_view{"expired"}},
};

template <class Table, class Value>
std::string_view name_in(Table const& table, Value value) {
  for (auto const& [known, name] : table) {
    if (known == value) return name;
  }
  return "unknown";
}

}  // namespace

std::string_view name_of(RevocationReason reason) { return name_in(reasons, reason); }

std::optional<RevocationReason> parse_reason(std::string_view name) {
  std::string plain;
  for (char const c : name) {
    if (c != '-' && c != '_') plain += ascii_lower(c);
  }
  for (auto const& [reason, known] : reasons) {
    if (ascii_lower(known) == plain) return reason;
  }
  return std::nullopt;
}

std::vector<std::string_view> reason_names() {
  std::vector<std::string_view> names;
  for (auto const& [reason, name] : reasons) names.push_back(name);
  return names;
}

std::string_view name_of(RecordedState state) { return name_in(states, state); }

std::optional<RecordedState> parse_recorded_state(std::string_view name) {
  for (auto const& [state, known] : states) {
    if (known == name) return state;
  }
  return std::nullopt;
}

std::string_view name_of(Status status) { return name_in(statuses, status); }

std::optional<Status> parse_status(std::string_view name) {
  for (auto const& [status, known] : statuses) {
    if (known == name) return status;
  }
  return std::nullopt;
}

Status status_at(RecordedState state, UnixSeconds not_after, UnixSeconds now) {
  switch (state) {
    case RecordedState::revoked:
      return Status::revoked;
    case RecordedState::held:
      return Status::held;
    case RecordedState::active:
      break;
  }
  return now > not_after ? Status::expired : Status::active;
}

Result<RecordedState> state_after_revoking(RecordedState state, RevocationReason reason) {
  if (state == RecordedState::revoked) {
    return fail(ErrorCode::conflict, "it is already revoked, and a revocation is final");
  }
  if (reason != RevocationReason::certificate_hold) return RecordedState::revoked;
  if (state == RecordedState::held) return fail(ErrorCode::conflict, "it is already on hold");
  return RecordedState::held;
}

Result<RecordedState> state_after_restoring(RecordedState state) {
  if (state == RecordedState::held) return RecordedState::active;
  if (state == RecordedState::active) {
    return fail(ErrorCode::conflict, "it is neither revoked nor on hold");
  }
  return fail(ErrorCode::conflict,
              "it is revoked for good (only certificateHold can be taken back); issue a new one");
}

bool stays_on_list(UnixSeconds not_after, UnixSeconds revoked_at,
                   std::optional<UnixSeconds> last_this_update) {
  // The last list named it (it was revoked by then) and was made after its end.
  return !last_this_update || *last_this_update <= not_after || *last_this_update <= revoked_at;
}

}  // namespace certgate::pki
