// When a list is due next: by nextUpdate, by the interval, after failures.
#include "certgate/fetch/schedule.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace certgate::fetch {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

Pace pace() { return {1h, 1min}; }

TEST(Schedule, TheIntervalIsTheLatest) {
  ManualClock const clock(1'000'000);
  auto const now = clock.unix_seconds();
  EXPECT_EQ(wait_after_success(pace(), now, std::nullopt, 0), 1h);
  EXPECT_EQ(wait_after_success(pace(), now, now + 86'400, 0), 1h);
  EXPECT_EQ(wait_after_success(pace(), now, std::numeric_limits<UnixSeconds>::max(), 0), 1h);
}

TEST(Schedule, AnEarlierNextUpdateComesFirst) {
  ManualClock clock(1'000'000);
  auto const ends = clock.unix_seconds() + 1800;
  EXPECT_EQ(wait_after_success(pace(), clock.unix_seconds(), ends, 0), 30min);
  clock.advance(20min);
  EXPECT_EQ(wait_after_success(pace(), clock.unix_seconds(), ends, 0), 10min);
  clock.advance(std::chrono::seconds{9 * 60 + 30});
  EXPECT_EQ(wait_after_success(pace(), clock.unix_seconds(), ends, 0), 1min) << "not sooner than retry";
  clock.advance(1h);
  EXPECT_EQ(wait_after_success(pace(), clock.unix_seconds(), ends, 0), 1min) << "it has ended";
}

TEST(Schedule, FailuresDoubleTheWaitUpToTheInterval) {
  EXPECT_EQ(wait_after_failure(pace(), 1, 0), 1min);
  EXPECT_EQ(wait_after_failure(pace(), 2, 0), 2min);
  EXPECT_EQ(wait_after_failure(pace(), 5, 0), 16min);
  EXPECT_EQ(wait_after_failure(pace(), 7, 0), 1h);
  EXPECT_EQ(wait_after_failure(pace(), std::numeric_limits<unsigned>::max(), 0), 1h);
}

TEST(Schedule, JitterTakesAtMostATenthOff) {
  for (double const random : {0.0, 0.25, 0.5, 0.999, 1.0}) {
    auto const wait = wait_after_success(pace(), 0, std::nullopt, random);
    EXPECT_LE(wait, 1h);
    EXPECT_GE(wait, 54min);
    auto const retry = wait_after_failure(pace(), 1, random);
    EXPECT_LE(retry, 1min);
    EXPECT_GE(retry, 54s);
  }
  EXPECT_EQ(wait_after_success(pace(), 0, std::nullopt, 0.5), 57min);
  EXPECT_NE(wait_after_failure(pace(), 3, 0.1), wait_after_failure(pace(), 3, 0.9));
}

TEST(Schedule, NeverWaitsForNothing) {
  Pace const tiny{1ms, 1ms};
  EXPECT_GE(wait_after_success(tiny, 10, 5, 0.9), 1ms);
  EXPECT_GE(wait_after_failure(tiny, 3, 0.9), 1ms);
}

}  // namespace
}  // namespace certgate::fetch
