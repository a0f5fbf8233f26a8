#include "ca_times.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace certgate::cli {
namespace {

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  auto const [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return number;
}

// "2027-01-31" at midnight.
std::optional<UnixSeconds> parse_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  auto const year = parse_number<int>(text.substr(0, 4));
  auto const month = parse_number<unsigned>(text.substr(5, 2));
  auto const day = parse_number<unsigned>(text.substr(8, 2));
  if (!year || !month || !day) return std::nullopt;
  std::chrono::year_month_day const date{std::chrono::year{*year}, std::chrono::month{*month},
                                         std::chrono::day{*day}};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days{date}.time_since_epoch().count() * seconds_per_day;
}

// "12:00:00Z".
std::optional<UnixSeconds> parse_time_of_day(std::string_view text) {
  if (text.size() != 9 || text[2] != ':' || text[5] != ':' || text[8] != 'Z') return std::nullopt;
  auto const hours = parse_number<unsigned>(text.substr(0, 2));
  auto const minutes = parse_number<unsigned>(text.substr(3, 2));
  auto const seconds = parse_number<unsigned>(text.substr(6, 2));
  if (!hours || !minutes || !seconds || *hours > 23 || *minutes > 59 || *seconds > 59) {
    return std::nullopt;
  }
  return UnixSeconds{*hours} * 3600 + *minutes * 60 + *seconds;
}

}  // namespace

std::optional<UnixSeconds> parse_length(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  UnixSeconds unit = 0;
  switch (text.back()) {
    case 's':
      unit = 1;
      break;
    case 'm':
      unit = 60;
      break;
    case 'h':
      unit = 3600;
      break;
    case 'd':
      unit = seconds_per_day;
      break;
    default:
      return std::nullopt;
  }
  auto const count = parse_number<UnixSeconds>(text.substr(0, text.size() - 1));
  constexpr UnixSeconds longest = 1000 * 366 * seconds_per_day;
  if (!count || *count <= 0 || *count > longest / unit) return std::nullopt;
  return *count * unit;
}

Result<UnixSeconds> parse_moment(std::string_view text, UnixSeconds now) {
  if (auto const length = parse_length(text)) return now + *length;
  auto const day = parse_day(text.substr(0, 10));
  if (day && text.size() == 10) return *day + seconds_per_day - 1;
  if (day && text.size() == 20 && text[10] == 'T') {
    if (auto const time = parse_time_of_day(text.substr(11))) return *day + *time;
  }
  return fail(ErrorCode::invalid, "\"" + std::string(text) +
                                      "\" is not a time; write 2027-01-31, 2027-01-31T12:00:00Z "
                                      "or a length such as 30d, 12h, 90s");
}

std::string format_moment(UnixSeconds moment) {
  std::chrono::sys_seconds const point{std::chrono::seconds{moment}};
  auto const day = std::chrono::floor<std::chrono::days>(point);
  std::chrono::year_month_day const date{day};
  std::chrono::hh_mm_ss const time{point - day};
  std::array<char, 40> text{};
  auto const length = std::snprintf(
      text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
      static_cast<int>(time.seconds().count()));
  return std::string(text.data(), static_cast<std::size_t>(length));
}

}  // namespace certgate::cli
