// Reads and writes durations and sizes.
#include "certgate/config/quantity.hpp"

#include <charconv>

namespace certgate::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
// Largest first: format_* takes the first that divides.
constexpr Unit duration_units[] = {
    {"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}};
constexpr Unit size_units[] = {
    {"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}, {"B", 1}};
constexpr std::uint64_t longest_duration = 10ull * 365 * 86'400'000;
constexpr std::uint64_t largest_size = 1ull << 60;

template <std::size_t N>
std::optional<std::uint64_t> parse_quantity(std::string_view text, Unit const (&units)[N],
                                            std::uint64_t most) {
  if (text == "0") return 0;
  std::uint64_t number = 0;
  auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end == text.data()) return std::nullopt;
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  for (Unit const& known : units) {
    if (known.name != unit) continue;
    if (number > most / known.factor) return std::nullopt;
    return number * known.factor;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string format_quantity(std::uint64_t value, Unit const (&units)[N]) {
  if (value == 0) return "0";
  for (Unit const& unit : units) {
    if (value % unit.factor == 0) {
      return std::to_string(value / unit.factor) + std::string{unit.name};
    }
  }
  return std::to_string(value);
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  auto const value = parse_quantity(text, duration_units, longest_duration);
  if (!value) return std::nullopt;
  return Duration{static_cast<Duration::rep>(*value)};
}

std::string format_duration(Duration duration) {
  return format_quantity(static_cast<std::uint64_t>(duration.count()), duration_units);
}

std::optional<ByteCount> parse_size(std::string_view text) {
  auto const value = parse_quantity(text, size_units, largest_size);
  if (!value) return std::nullopt;
  return ByteCount{*value};
}

std::string format_size(ByteCount size) {
  if (size == unlimited) return "unlimited";
  return format_quantity(size.bytes, size_units);
}

}  // namespace certgate::config
