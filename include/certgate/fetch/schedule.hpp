// When a document that is fetched again and again is due next.
//
// Pure: times and one random number go in, a wait comes out. Jitter only ever shortens a wait, so
// that no list is fetched later than was promised, and a thousand certgates that started together
// do not ask together.
#pragma once

#include <chrono>
#include <optional>

#include "certgate/base/clock.hpp"

namespace certgate::fetch {

struct Pace {
  std::chrono::milliseconds interval{std::chrono::hours{1}};  // at latest
  std::chrono::milliseconds retry{std::chrono::minutes{1}};   // first wait after a failure
};

inline constexpr double jitter_share = 0.1;  // at most a tenth of a wait is taken off

// After a good answer: one interval, or sooner when `ends` (nextUpdate) comes first. What has ended
// already, or ends within `retry`, is asked for again after `retry`. `random` is in [0, 1).
std::chrono::milliseconds wait_after_success(Pace const& pace, UnixSeconds now,
                                             std::optional<UnixSeconds> ends, double random);

// After `failures` failures in a row (1 or more): retry, twice that, four times, … up to interval.
std::chrono::milliseconds wait_after_failure(Pace const& pace, unsigned failures, double random);

}  // namespace certgate::fetch
