// A table of devices (CSV) to issue orders, every mistake found before the first key is made.
//
// The first line names the columns: name (required), profile, dns, uri, email, ip, unit, days,
// key_type. Several names in one field are separated by spaces. RFC 4180 quoting.
#pragma once

#include <string>
#include <vector>

#include "ca_issuing.hpp"
#include "ca_report.hpp"
#include "certgate/base/diagnostic.hpp"

namespace certgate::cli {

inline constexpr std::size_t max_csv_bytes = 64 * 1024 * 1024;

// `defaults` fills the columns that are absent or empty.
Result<std::vector<IssueOrder>, Diagnostics> parse_devices(SourceText const& source,
                                                           IssueOrder const& defaults,
                                                           UnixSeconds now);

// Issues all that have no active certificate yet, in batches that are each recorded as one, with
// progress on standard error (none with --json). Running it again after an interruption issues the
// rest. The report has those of this run, also when it fails half-way.
Result<void> issue_in_bulk(CaDirectory& directory, std::vector<IssueOrder> const& orders,
                           CaReport& report);

}  // namespace certgate::cli
