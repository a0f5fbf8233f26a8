// A list that came from an address: judged before it is taken.
//
// Judging is the same for what a server sent and for what the disk gave back (kept_list.hpp):
// somebody else may have written either.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/result.hpp"
#include "certgate/fetch/get.hpp"
#include "certgate/x509/revocation_index.hpp"
#include "crl_urls.hpp"

namespace certgate::gateway {

struct FetchedList {
  std::vector<x509::Crl::Pointer> lists;
  std::vector<x509::CrlFacts> facts;
  std::size_t bytes = 0;  // as fetched
  fetch::Validators validators;
  UnixSeconds fetched_at = 0;
};

// What the bytes hold, if all of it may be used: PEM or DER, each list issued and signed by one of
// the authorities that may sign lists, with a scope and extensions that are understood, a delta
// only together with its base.
Result<FetchedList> judge_list(std::string bytes, CrlUrl const& url);
// The two steps of it. `bytes` of the result is the size of the lists as DER.
Result<std::vector<x509::Crl::Pointer>> parse_lists(std::string_view bytes);
Result<FetchedList> judge_lists(std::vector<x509::Crl::Pointer> lists, CrlUrl const& url);

// A list of an issuer and scope that `before` has may be as new as that one or newer.
Result<void> refuse_older_list(FetchedList const& next, FetchedList const& before);
// A list and its delta together may not fall behind the number that those of `before` had reached.
Result<void> refuse_step_back(FetchedList const& next, FetchedList const& before);
bool is_same_list(FetchedList const& a, FetchedList const& b);
// When the first of these lists has a successor: nextUpdate of the one that is first, deltas too.
std::optional<UnixSeconds> successor_due(FetchedList const& list);
// When the first of them stops counting: none of a base and its delta before both have ended.
std::optional<UnixSeconds> end_of(FetchedList const& list);
// "12 revoked, number 0A, until 2026-12-01 10:00 UTC".
std::string describe(FetchedList const& list);

}  // namespace certgate::gateway
