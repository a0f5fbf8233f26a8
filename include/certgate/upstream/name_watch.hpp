// Looks the names of origins' servers up again and again, and tells when their addresses changed.
//
// The resolver gives no time to live, so each origin says how often (OriginSettings::resolve_every).
// Look-ups run on threads of their own, a few at a time; an answer that fails or never comes leaves
// the addresses as they are. Nothing is changed here: whoever is told gives the origin its addresses
// (Origin::with_addresses) and calls watch() with the new one.
//
// Used on one loop's thread only (the gateway's own, not a worker's), except states().
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "certgate/net/deadlines.hpp"
#include "certgate/net/resolving.hpp"
#include "certgate/upstream/origin.hpp"

namespace certgate::upstream {

inline constexpr std::size_t max_lookups_at_once = 16;
inline constexpr std::chrono::milliseconds longest_lookup{30'000};  // then it counts as failed

struct NameNews {
  enum class Kind {
    changed,     // some origin has other addresses: told at each look-up until none has
    failed,      // told once, until it is well again or the reason is another
    well_again,
  };
  Kind kind = Kind::changed;
  std::string name;
  std::vector<IpAddress> addresses;  // what it has now; when failed, those that stay
  std::string reason;                // of the failure
};

// What is known of one name, for status and metrics.
struct NameState {
  std::string name;
  std::size_t addresses = 0;   // in use
  std::uint64_t failures = 0;  // since the name is watched
  std::string last_failure;    // "" when the last look-up went well
};

class NameWatch {
 public:
  NameWatch(net::Loop& loop, net::Deadlines& deadlines, net::Lookup lookup,
            std::function<void(NameNews const&)> tell);
  ~NameWatch();

  // Watches the names of exactly these origins from now on. A name is looked up as often as the
  // origin wants that is in the greatest hurry, the first time after that long.
  void watch(std::vector<std::shared_ptr<Origin>> const& origins);
  // Looks nothing up any more.
  void stop();

  std::vector<NameState> states() const;  // on any thread

 private:
  class Name;
  bool differs(std::string const& name, std::vector<IpAddress> const& addresses) const;
  std::vector<IpAddress> addresses_of(std::string const& name) const;
  void ask(Name& name);
  void has_room();
  void has_answered();
  void publish(NameState const& state);

  net::Loop& loop_;
  net::Deadlines& deadlines_;
  net::Lookup const lookup_;
  std::function<void(NameNews const&)> tell_;
  std::vector<std::shared_ptr<Origin>> origins_;
  std::vector<std::unique_ptr<Name>> names_;
  std::deque<Name*> waiting_;
  std::size_t asking_ = 0;

  mutable std::mutex mutex_;
  std::vector<NameState> states_;
};

}  // namespace certgate::upstream
