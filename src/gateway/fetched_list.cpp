#include "fetched_list.hpp"

#include <algorithm>

#include "certgate/gateway/build.hpp"
#include "certgate/x509/pem.hpp"
#include "materials.hpp"

namespace certgate::gateway {
namespace {

bool is_lower_number(std::string const& a, std::string const& b) {
  return x509::compare_crl_numbers(a, b) < 0;
}

bool looks_like_html(std::string_view bytes) {
  auto const start = bytes.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  return start != bytes.npos && bytes[start] == '<';
}

std::optional<UnixSeconds> earliest(FetchedList const& list,
                                    std::optional<UnixSeconds> x509::CrlFacts::*end) {
  std::optional<UnixSeconds> first;
  for (auto const& facts : list.facts) {
    if (facts.*end && (!first || *(facts.*end) < *first)) first = facts.*end;
  }
  return first;
}

Failure<Error> broken(char const* what) { return fail(ErrorCode::invalid, what); }

}  // namespace

Result<std::vector<x509::Crl::Pointer>> parse_lists(std::string_view bytes) {
  if (bytes.empty()) return broken("it is empty");
  if (looks_like_html(bytes)) return broken("it is a web page (HTML), not a CRL");
  return x509::parse_crls(bytes);
}

Result<FetchedList> judge_lists(std::vector<x509::Crl::Pointer> lists, CrlUrl const& url) {
  FetchedList fetched;
  std::vector<x509::LabelledCrl> labelled;
  for (auto const& crl : lists) {
    labelled.push_back({crl, url.text()});
    fetched.bytes += crl->der().size();
  }
  auto const index = x509::RevocationIndex::build(labelled, url.authorities);
  if (!index) {
    auto detail = index.error().detail;
    // The address is said by whoever tells of this.
    auto const prefix = url.text() + ": ";
    if (detail.starts_with(prefix)) detail.erase(0, prefix.size());
    return fail(Error{index.error().code, std::move(detail)});
  }
  fetched.facts = (*index)->lists();
  fetched.lists = std::move(lists);
  return fetched;
}

Result<FetchedList> judge_list(std::string bytes, CrlUrl const& url) {
  auto const size = bytes.size();
  CERTGATE_TRY(auto lists, parse_lists(bytes));
  std::string().swap(bytes);  // the lists have copies
  CERTGATE_TRY(auto judged, judge_lists(std::move(lists), url));
  judged.bytes = size;
  return judged;
}

Result<void> refuse_older_list(FetchedList const& next, FetchedList const& before) {
  for (auto const& is : next.facts) {
    for (auto const& was : before.facts) {
      if (is.issuer != was.issuer || is.scope != was.scope || is.is_delta != was.is_delta) continue;
      if (is_lower_number(is.number, was.number)) {
        return fail(ErrorCode::conflict,
                    "it goes backwards: number " + was.number + " is in force, this is " +
                        (is.number.empty() ? "without a number" : "number " + is.number));
      }
      if (is.this_update < was.this_update) {
        return fail(ErrorCode::conflict, "it goes backwards: one of " + format_day(was.this_update) +
                                             " is in force, this is of " +
                                             format_day(is.this_update));
      }
    }
  }
  return {};
}

Result<void> refuse_step_back(FetchedList const& next, FetchedList const& before) {
  auto const reached = [](FetchedList const& list, x509::CrlFacts const& of) {
    std::vector<x509::CrlFacts> of_it;
    for (auto const& facts : list.facts) {
      if (facts.issuer == of.issuer && facts.scope == of.scope) of_it.push_back(facts);
    }
    return x509::highest_number(of_it);
  };
  for (auto const& is : next.facts) {
    auto const was_at = reached(before, is), is_at = reached(next, is);
    if (!is_lower_number(is_at, was_at)) continue;
    return fail(ErrorCode::conflict, "it goes backwards: number " + was_at +
                                         " is in force, this is " +
                                         (is_at.empty() ? "without a number" : "number " + is_at));
  }
  return {};
}

bool is_same_list(FetchedList const& a, FetchedList const& b) {
  return std::equal(a.lists.begin(), a.lists.end(), b.lists.begin(), b.lists.end(),
                    [](auto const& x, auto const& y) { return as_text(x->der()) == as_text(y->der()); });
}

std::optional<UnixSeconds> successor_due(FetchedList const& list) {
  return earliest(list, &x509::CrlFacts::next_update);
}

std::optional<UnixSeconds> end_of(FetchedList const& list) {
  return earliest(list, &x509::CrlFacts::counts_until);
}

std::string describe(FetchedList const& list) {
  std::size_t entries = 0;
  for (auto const& facts : list.facts) entries += facts.entries;
  auto const number = x509::highest_number(list.facts);
  auto text = std::to_string(entries) + " revoked";
  if (!number.empty()) text += ", number " + number;
  if (auto const end = end_of(list)) text += ", until " + format_day(*end);
  return text;
}

}  // namespace certgate::gateway
