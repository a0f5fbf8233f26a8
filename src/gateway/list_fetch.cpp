#include "list_fetch.hpp"

#include <algorithm>
#include <chrono>

#include "certgate/x509/distribution_points.hpp"
#include "certgate/x509/pem.hpp"

namespace certgate::gateway {
namespace {

using Lists = std::vector<x509::Crl::Pointer>;

Lists lists_of_kind(Lists const& lists, bool is_delta) {
  Lists found;
  for (auto const& list : lists) {
    if (list->is_delta() == is_delta) found.push_back(list);
  }
  return found;
}

bool are_same(Lists const& a, Lists const& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](auto const& x, auto const& y) {
    return as_text(x->der()) == as_text(y->der());
  });
}

bool has_delta_in_force(FetchedList const& list) {
  return std::any_of(list.facts.begin(), list.facts.end(),
                     [](auto const& facts) { return facts.is_delta; });
}

// RFC 9110 §15.4.5: a 304 may bring newer validators.
void renew_validators(FetchedList& list, fetch::Validators const& validators) {
  if (!validators.etag.empty()) list.validators.etag = validators.etag;
  if (!validators.last_modified.empty()) list.validators.last_modified = validators.last_modified;
}

Result<ListFetched> take_base(CrlUrl const& url, fetch::Answer answer, CrlStore::List const& known) {
  ListFetched fetched;
  if (answer.is_unchanged && known != nullptr) {
    fetched.list = *known;
    fetched.is_unchanged = true;
    renew_validators(fetched.list, answer.validators);
    return fetched;
  }
  CERTGATE_TRY(fetched.list, judge_list(answer.body, url));
  if (known != nullptr) {
    if (auto newer = refuse_older_list(fetched.list, *known); !newer) return fail(newer.error());
    fetched.is_unchanged = is_same_list(fetched.list, *known);
  }
  fetched.list.validators = answer.validators;
  if (!fetched.is_unchanged) fetched.bytes = std::move(answer.body);
  return fetched;
}

std::vector<fetch::Url> delta_addresses(CrlUrl const& url, FetchedList const& list) {
  std::vector<fetch::Url> addresses;
  if (!url.follows_deltas) return addresses;
  auto const add = [&](fetch::Url address) {
    bool const is_new = std::find(addresses.begin(), addresses.end(), address) == addresses.end();
    if (is_new) addresses.push_back(std::move(address));
  };
  for (auto const& crl : list.lists) {
    if (crl->is_delta()) continue;
    for (auto const& text : x509::freshest_crl_urls(*crl)) {
      if (auto address = fetch::Url::parse(text)) add(std::move(*address));
    }
  }
  for (auto const& address : url.delta_urls) add(address);
  return addresses;
}

// The complete lists of `fetched` together with these deltas.
Result<void> put_together(ListFetched& fetched, Lists const& deltas, CrlUrl const& url,
                          CrlStore::List const& known) {
  auto lists = lists_of_kind(fetched.list.lists, false);
  lists.insert(lists.end(), deltas.begin(), deltas.end());
  auto const validators = fetched.list.validators;
  if (known != nullptr && are_same(lists, known->lists)) {
    fetched.list = *known;
    fetched.is_unchanged = true;
    fetched.bytes.clear();
  } else {
    CERTGATE_TRY(auto judged, judge_lists(std::move(lists), url));
    if (known != nullptr) {
      if (auto newer = refuse_older_list(judged, *known); !newer) return newer;
      if (auto newer = refuse_step_back(judged, *known); !newer) return newer;
    }
    fetched.list = std::move(judged);
    fetched.is_unchanged = false;
    fetched.bytes.clear();
    for (auto const& crl : fetched.list.lists) {
      fetched.bytes += x509::format_pem("X509 CRL", crl->der());
    }
  }
  fetched.list.validators = validators;
  return {};
}

Result<void> take_delta(ListFetched& fetched, std::string_view body, CrlUrl const& url,
                        CrlStore::List const& known) {
  CERTGATE_TRY(auto const deltas, parse_lists(body));
  bool const has_complete = std::any_of(deltas.begin(), deltas.end(),
                                        [](auto const& list) { return !list->is_delta(); });
  if (has_complete) return fail(ErrorCode::invalid, "it is a complete list, not a delta");
  return put_together(fetched, deltas, url, known);
}

}  // namespace

void ListFetch::prepare(fetch::Url const& url, CrlFetchSettings const& settings) {
  request_ = {};
  request_.url = url;
  request_.authorities = settings.authorities;
  request_.addresses = settings.addresses;
  request_.max_bytes = settings.max_bytes;
  auto const left = ends_at_ - net::Loop::coarse_milliseconds();
  request_.time = std::chrono::milliseconds{std::max<std::int64_t>(left, 1)};
  request_.accept = "application/pkix-crl, application/octet-stream;q=0.5, */*;q=0.1";
}

net::Task<Result<ListFetched>> ListFetch::run(CrlUrl url, CrlFetchSettings settings,
                                              CrlStore::List known) {
  ends_at_ = net::Loop::coarse_milliseconds() + settings.timeout.count();
  prepare(url.url, settings);
  if (known != nullptr) request_.known = known->validators;
  auto answer = co_await get_.run(request_);
  if (!answer) co_return fail(answer.error());
  auto fetched = take_base(url, std::move(*answer), known);
  if (!fetched) co_return fail(fetched.error());
  auto const addresses = delta_addresses(url, fetched->list);
  bool has_delta = false;
  for (auto const& address : addresses) {
    if (has_delta || is_cancelled_) break;
    prepare(address, settings);
    auto const delta = co_await get_.run(request_);
    auto const taken = delta ? take_delta(*fetched, delta->body, url, known) : fail(delta.error());
    has_delta = taken.has_value();
    fetched->delta_url = address.to_string();
    fetched->delta_problem = has_delta ? std::string() : taken.error().detail;
  }
  auto const before = known != nullptr ? lists_of_kind(known->lists, true) : Lists();
  if (!has_delta && !before.empty()) {
    // Also where deltas are not followed any more: without it, what it revoked would be accepted.
    // When it does not fit the new list (another scope, another key, all of it in the list by now),
    // that one is in force alone.
    auto together = *fetched;
    auto const fits = put_together(together, before, url, known);
    if (fits && has_delta_in_force(together.list)) *fetched = std::move(together);
  }
  if (known != nullptr && !fetched->is_unchanged) {
    auto const newer = refuse_step_back(fetched->list, *known);
    if (!newer) co_return fail(newer.error());
  }
  co_return fetched;
}

}  // namespace certgate::gateway
