// Revoking and holding: the ledger and the new list change in one commit.
#pragma once

#include <string>
#include <vector>

#include "ca_directory.hpp"
#include "ca_report.hpp"
#include "ca_times.hpp"

namespace certgate::cli {

// Who is meant: a serial, or a name with all its certificates that are not revoked yet.
Result<std::vector<pki::LedgerEntry>> find_meant(CaDirectory& directory, std::string const& who);

// Applies `reason` to all entries, signs the lists that change, publishes them, and reports both.
Result<void> revoke_all(CaDirectory& directory, std::vector<pki::LedgerEntry> const& entries,
                        pki::RevocationReason reason, std::string const& root_password,
                        CaReport& report);
Result<void> revoke_one(CaDirectory& directory, pki::Serial const& serial,
                        pki::RevocationReason reason, CaReport& report);

// A root signs rarely: its list may be a year old.
inline constexpr UnixSeconds root_list_lifetime = 365 * seconds_per_day;
// How long this CA's lists are valid, as `ca init` was told.
Result<UnixSeconds> list_lifetime(CaDirectory& directory);

}  // namespace certgate::cli
