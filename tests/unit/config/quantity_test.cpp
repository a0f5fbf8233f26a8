#include "certgate/config/quantity.hpp"

#include <gtest/gtest.h>

namespace certgate::config {
namespace {

using std::chrono::milliseconds;

struct DurationCase {
  std::string_view text;
  std::optional<long> wanted;  // milliseconds
};
constexpr long day = 86'400'000;
constexpr DurationCase durations[] = {
    {"250ms", 250},
    {"3s", 3'000},
    {"5m", 300'000},
    {"2h", 7'200'000},
    {"1d", day},
    {"0", 0},
    {"0s", 0},
    {"3 s", 3'000},
    {"3650d", 3650 * day},
    {"3651d", {}},
    {"", {}},
    {"s", {}},
    {"3", {}},
    {"-3s", {}},
    {"+3s", {}},
    {"3S", {}},
    {"1.5s", {}},
    {"1h30m", {}},
    {"3  s", {}},
    {" 3s", {}},
    {"3s ", {}},
    {"99999999999999999999s", {}},
    {"18446744073709551615d", {}},
    {"3sec", {}},
    {"0x10s", {}},
    {"١s", {}},
};

TEST(Duration, ReadsUnits) {
  for (auto const& each : durations) {
    auto const parsed = parse_duration(each.text);
    EXPECT_EQ(parsed.has_value(), each.wanted.has_value()) << each.text;
    if (parsed && each.wanted) {
      EXPECT_EQ(parsed->count(), *each.wanted) << each.text;
    }
  }
}

TEST(Duration, IsWrittenShortestAndExact) {
  EXPECT_EQ(format_duration(milliseconds{0}), "0");
  EXPECT_EQ(format_duration(milliseconds{250}), "250ms");
  EXPECT_EQ(format_duration(milliseconds{1500}), "1500ms");
  EXPECT_EQ(format_duration(milliseconds{60'000}), "1m");
  EXPECT_EQ(format_duration(milliseconds{90'000}), "90s");
  EXPECT_EQ(format_duration(milliseconds{2 * day}), "2d");
  for (long const value : {1L, 999L, 1'000L, 61'000L, 3'600'000L, day, 7 * day}) {
    EXPECT_EQ(parse_duration(format_duration(milliseconds{value})), milliseconds{value});
  }
}

struct SizeCase {
  std::string_view text;
  std::optional<std::uint64_t> wanted;
};
constexpr SizeCase sizes[] = {
    {"512B", 512},
    {"32KiB", 32'768},
    {"10MiB", 10'485'760},
    {"1GiB", 1'073'741'824},
    {"0", 0},
    {"1073741824GiB", 1ull << 60},
    {"1073741825GiB", {}},
    {"32", {}},
    {"32KB", {}},
    {"32kib", {}},
    {"32K", {}},
    {"1.5MiB", {}},
    {"-1B", {}},
    {"", {}},
    {"99999999999999999999B", {}},
    {"unlimited", {}},
};

TEST(Size, ReadsUnits) {
  for (auto const& each : sizes) {
    auto const parsed = parse_size(each.text);
    EXPECT_EQ(parsed.has_value(), each.wanted.has_value()) << each.text;
    if (parsed && each.wanted) {
      EXPECT_EQ(parsed->bytes, *each.wanted) << each.text;
    }
  }
}

TEST(Size, IsWrittenShortestAndExact) {
  EXPECT_EQ(format_size(kib(32)), "32KiB");
  EXPECT_EQ(format_size(mib(1)), "1MiB");
  EXPECT_EQ(format_size({1'025}), "1025B");
  EXPECT_EQ(format_size({0}), "0");
  EXPECT_EQ(format_size(unlimited), "unlimited");
}

}  // namespace
}  // namespace certgate::config
