// Durations and sizes as people write them: 250ms, 3s, 2h, 1d; 512B, 32KiB, 10MiB, 1GiB.
//
// A number without a unit is refused (nobody agrees on what it means), but for a plain 0. There are
// no decimal fractions and no combined forms (1h30m is 90m). format_* gives the shortest exact
// form.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace certgate::config {

using Duration = std::chrono::milliseconds;

// ms, s, m, h, d. nullopt when malformed or above 10 years.
std::optional<Duration> parse_duration(std::string_view text);
std::string format_duration(Duration duration);

struct ByteCount {
  std::uint64_t bytes = 0;
  friend auto operator<=>(ByteCount const&, ByteCount const&) = default;
};
// No limit; written `unlimited` where a key allows it.
inline constexpr ByteCount unlimited{UINT64_MAX};

constexpr ByteCount kib(std::uint64_t count) { return {count * 1024}; }
constexpr ByteCount mib(std::uint64_t count) { return {count * 1024 * 1024}; }
constexpr ByteCount gib(std::uint64_t count) { return {count * 1024 * 1024 * 1024}; }

// B, KiB, MiB, GiB (powers of 1024). nullopt when malformed or above 2^60.
std::optional<ByteCount> parse_size(std::string_view text);
std::string format_size(ByteCount size);

}  // namespace certgate::config
