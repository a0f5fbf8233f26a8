// Keeps the lists of every wanted address fresh, on a thread of its own.
//
// Each address is asked when its list is due (fetch/schedule.hpp), all of them side by side. What
// comes is judged; a good list that differs goes to the disk and into the store, and `changed` is
// called. A bad one changes nothing but the state that is shown. Nothing here waits for a worker, a
// reload or the gateway's lock, and none of them waits for this but a start, for a bounded time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/fetch/get.hpp"
#include "certgate/fetch/schedule.hpp"
#include "certgate/telemetry/log.hpp"
#include "crl_fetch_settings.hpp"
#include "crl_store.hpp"
#include "crl_urls.hpp"

namespace certgate::gateway {

struct CrlFetchTarget {
  Clock const* clock = nullptr;  // REQUIRED
  std::string state_directory;   // empty: nothing is kept
  std::function<void()> changed = [] {};
  std::function<void(telemetry::LogLevel, std::string const&)> log =
      [](telemetry::LogLevel, std::string const&) {};
  net::Lookup lookup = net::resolve;
};

// What is known of one address, for status, metrics and messages.
struct CrlFetchState {
  std::string key, url, host;
  bool has_list = false;
  bool was_asked = false;              // by this process
  std::optional<UnixSeconds> good_at;  // the server last gave or confirmed the list
  UnixSeconds next_at = 0;
  std::uint64_t failures = 0;          // since the start
  unsigned failures_in_a_row = 0;
  std::string last_failure;            // of those in a row; "" when the last fetch went well
  std::string list;                    // describe(); "" when there is none
  std::size_t bytes = 0;
  std::string delta_url, delta_failure;  // of the delta that the list names; "" when none, or well
};

class CrlFetcher {
 public:
  CrlFetcher(CrlFetchTarget target, std::shared_ptr<CrlStore> store);
  ~CrlFetcher();
  CrlFetcher(CrlFetcher const&) = delete;
  CrlFetcher& operator=(CrlFetcher const&) = delete;

  // These too from now on; lists that an earlier run kept are in the store when this returns.
  void add(std::vector<CrlUrl> const& urls, CrlFetchSettings const& settings);
  // These and no others, with these settings. What is kept of others is removed from the disk.
  void keep_only(std::vector<CrlUrl> const& urls, CrlFetchSettings const& settings);
  // Until each of them has a list or has failed, or the time is over. Gives those without a list.
  std::vector<CrlFetchState> wait_for(std::vector<CrlUrl> const& urls,
                                      std::chrono::milliseconds at_most);
  std::vector<CrlFetchState> states() const;

 private:
  class Source;
  void read_kept(CrlUrl const& url);
  void reap();
  void remove_kept(std::vector<CrlUrl> const& wanted);
  template <class Change>
  void change_state(std::string const& key, Change const& change);

  CrlFetchTarget target_;
  std::shared_ptr<CrlStore> store_;

  mutable std::mutex mutex_;
  std::condition_variable state_changed_;
  std::map<std::string, CrlFetchState> states_;

  // On the thread only.
  net::Loop loop_;
  net::Deadlines deadlines_{loop_};
  std::mt19937_64 random_{std::random_device{}()};
  std::map<std::string, std::unique_ptr<Source>> sources_;
  std::vector<std::unique_ptr<Source>> ending_;

  std::thread thread_;
};

}  // namespace certgate::gateway
