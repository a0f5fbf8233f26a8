#include "certgate/pki/ledger.hpp"

#include <algorithm>

#include "certgate/pki/authority.hpp"

namespace certgate::pki {

Result<SignedList> sign_next_list(Authority const& authority, Ledger& ledger,
                                  std::string_view issuer, UnixSeconds now, UnixSeconds lifetime) {
  CERTGATE_TRY(auto const last, ledger.last_list(issuer));
  CERTGATE_TRY(auto const entries, ledger.not_active(issuer));
  RevocationListOrder order;
  order.number = last ? last->number + 1 : 1;
  order.this_update = now - clock_skew_allowance;
  // A clock that was set back must not make a list that looks older than the one before it.
  if (last) order.this_update = std::max(order.this_update, last->this_update);
  order.next_update = std::min(now + lifetime, authority.certificate().validity().not_after);
  if (order.next_update <= now) {
    return fail(ErrorCode::conflict, "the authority " +
                                         authority.certificate().subject().common_name +
                                         " has expired; make a new one with `ca init`");
  }
  auto const last_update =
      last ? std::optional<UnixSeconds>(last->this_update) : std::optional<UnixSeconds>();
  for (auto const& entry : entries) {
    if (!stays_on_list(entry.not_after, entry.revoked_at, last_update)) continue;
    order.entries.push_back({entry.serial, entry.revoked_at, entry.reason});
  }
  CERTGATE_TRY(auto der, authority.sign_revocation_list(order));
  SignedList list{order.number, order.this_update, order.next_update, std::move(der)};
  if (auto done = ledger.record_list(issuer, list); !done) return fail(std::move(done).error());
  return list;
}

}  // namespace certgate::pki
