// Asks one address for its list, and then for the delta that brings the list up to date.
//
// RFC 5280 §5.2.6: a complete list names in freshestCRL where its delta lies; a certificate may, too
// (§4.2.1.15). Deltas are fetched where `crl_distribution_points` allows it, under the same rules as
// the list, and are judged together with it. One that cannot be had or used leaves the complete list
// in force, with the delta that was there before if that belongs to it. `timeout` is for all of it.
#pragma once

#include <cstdint>
#include <string>

#include "certgate/fetch/get.hpp"
#include "crl_fetch_settings.hpp"
#include "crl_store.hpp"

namespace certgate::gateway {

struct ListFetched {
  FetchedList list;           // judged, and not older than the one that was known
  bool is_unchanged = false;  // the one that was known; only its validators may be new
  std::string bytes;          // to keep; "" when unchanged
  std::string delta_url;      // the delta's, the last that was tried; "" when there is none
  std::string delta_problem;  // why there is no new one; "" when it went well
};

// One fetch at a time. Used on the loop's thread only; lives until run() has ended.
class ListFetch {
 public:
  ListFetch(net::Loop& loop, net::Deadlines& deadlines, net::Lookup lookup)
      : get_(loop, deadlines, std::move(lookup)) {}

  // `known`: the last good list of this address, or null. The caller sets `fetched_at`.
  net::Task<Result<ListFetched>> run(CrlUrl url, CrlFetchSettings settings, CrlStore::List known);
  // Ends run() soon.
  void cancel() {
    is_cancelled_ = true;
    get_.cancel();
  }

 private:
  void prepare(fetch::Url const& url, CrlFetchSettings const& settings);

  fetch::Get get_;
  fetch::Request request_;
  std::int64_t ends_at_ = 0;  // net::Loop::coarse_milliseconds()
  bool is_cancelled_ = false;
};

}  // namespace certgate::gateway
