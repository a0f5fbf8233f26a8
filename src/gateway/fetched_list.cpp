#include "fetched_list.hpp"

#include <algorithm>

#include "certgate/gateway/build.hpp"
#include "certgate/x509/pem.hpp"

namespace certgate::gateway {
namespace {

// CRL numbers as upper-case hex without leading zero bytes.
bool is_lower_number(std::string const& a, std::string const& b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

bool looks_like_html(std::string_view bytes) {
  auto const start = bytes.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  return start != bytes.npos && bytes[start] == '<';
}

Failure<Error> broken(char const* what) { return fail(ErrorCode::invalid, what); }

}  // namespace

Result<FetchedList> judge_list(std::string bytes, CrlUrl const& url) {
  if (bytes.empty()) return broken("it is empty");
  if (looks_like_html(bytes)) return broken("it is a web page (HTML), not a CRL");
  FetchedList fetched;
  fetched.bytes = bytes.size();
  auto parsed = x509::parse_crls(bytes);
  if (!parsed) return fail(std::move(parsed).error());
  std::string().swap(bytes);  // the lists have copies
  std::vector<x509::LabelledCrl> labelled;
  for (auto const& crl : *parsed) labelled.push_back({crl, url.text()});
  auto const index = x509::RevocationIndex::build(labelled, url.authorities);
  if (!index) {
    auto detail = index.error().detail;
    // The address is said by whoever tells of this.
    auto const prefix = url.text() + ": ";
    if (detail.starts_with(prefix)) detail.erase(0, prefix.size());
    return fail(Error{index.error().code, std::move(detail)});
  }
  fetched.facts = (*index)->lists();
  fetched.lists = std::move(*parsed);
  return fetched;
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

bool is_same_list(FetchedList const& a, FetchedList const& b) {
  return std::equal(a.lists.begin(), a.lists.end(), b.lists.begin(), b.lists.end(),
                    [](auto const& x, auto const& y) { return as_text(x->der()) == as_text(y->der()); });
}

std::optional<UnixSeconds> end_of(FetchedList const& list) {
  std::optional<UnixSeconds> first;
  for (auto const& facts : list.facts) {
    if (facts.next_update && (!first || *facts.next_update < *first)) first = facts.next_update;
  }
  return first;
}

std::string describe(FetchedList const& list) {
  std::size_t entries = 0;
  std::string number;
  for (auto const& facts : list.facts) {
    entries += facts.entries;
    if (number.empty() || is_lower_number(number, facts.number)) number = facts.number;
  }
  auto text = std::to_string(entries) + " revoked";
  if (!number.empty()) text += ", number " + number;
  if (auto const end = end_of(list)) text += ", until " + format_day(*end);
  return text;
}

}  // namespace certgate::gateway
