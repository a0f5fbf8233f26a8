// Reads the two time types of X.509 into seconds.
#include "der.hpp"

#include <chrono>

namespace certgate::x509::der {

std::optional<UnixSeconds> parse_time(std::uint8_t tag, Bytes content) {
  std::size_t const year_digits = tag == utc_time ? 2 : tag == generalized_time ? 4 : 0;
  if (year_digits == 0 || content.size() != year_digits + 11 || content.back() != 'Z') {
    return std::nullopt;
  }
  // Two digits at a time; a list has a date in each of its entries.
  bool is_number = true;
  auto const pair = [&](std::size_t at) {
    unsigned const tens = unsigned{content[at]} - '0', ones = unsigned{content[at + 1]} - '0';
    is_number = is_number && tens <= 9 && ones <= 9;
    return static_cast<int>(tens * 10 + ones);
  };
  std::size_t const at = year_digits;
  int year = pair(at - 2) + (year_digits == 4 ? 100 * pair(0) : 0);
  int const month = pair(at), day = pair(at + 2);
  int const hour = pair(at + 4), minute = pair(at + 6), second = pair(at + 8);
  if (!is_number) return std::nullopt;
  // RFC 5280 §4.1.2.5.1: "Where YY is greater than or equal to 50, the year SHALL be interpreted as
  // 19YY; and where YY is less than 50, the year SHALL be interpreted as 20YY."
  if (tag == utc_time) year += year >= 50 ? 1900 : 2000;
  auto const date = std::chrono::year_month_day{std::chrono::year{year},
                                                std::chrono::month{static_cast<unsigned>(month)},
                                                std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return std::chrono::sys_days{date}.time_since_epoch().count() * UnixSeconds{86400} + hour * 3600 +
         minute * 60 + second;
}

}  // namespace certgate::x509::der
