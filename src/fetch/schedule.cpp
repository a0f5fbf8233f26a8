#include "certgate/fetch/schedule.hpp"

#include <algorithm>

namespace certgate::fetch {
namespace {

using std::chrono::milliseconds;

milliseconds with_jitter(milliseconds wait, double random) {
  auto const share = static_cast<double>(wait.count()) * jitter_share *
                     std::clamp(random, 0.0, 1.0);
  return std::max(milliseconds{1}, wait - milliseconds{static_cast<std::int64_t>(share)});
}

}  // namespace

milliseconds wait_after_success(Pace const& pace, UnixSeconds now,
                                std::optional<UnixSeconds> ends, double random) {
  auto wait = pace.interval;
  if (ends) {
    // Compared in seconds first: a nextUpdate in the year 9999 does not overflow then.
    auto const left = std::max<UnixSeconds>(*ends - now, 0);
    auto const longest = std::chrono::ceil<std::chrono::seconds>(pace.interval).count();
    if (left < longest) wait = std::min<milliseconds>(wait, std::chrono::seconds{left});
    wait = std::max(wait, std::min(pace.retry, pace.interval));
  }
  return with_jitter(wait, random);
}

milliseconds wait_after_failure(Pace const& pace, unsigned failures, double random) {
  auto wait = std::min(pace.retry, pace.interval);
  for (unsigned i = 1; i < failures && wait < pace.interval; ++i) {
    wait = std::min(wait * 2, pace.interval);
  }
  return with_jitter(wait, random);
}

}  // namespace certgate::fetch
