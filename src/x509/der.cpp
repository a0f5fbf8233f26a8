// Reads the two time types of X.509 into seconds.
#include "der.hpp"

#include <chrono>

namespace certgate::x509::der {

std::optional<UnixSeconds> parse_time(std::uint8_t tag, Bytes content) {
  std::size_t const year_digits = tag == utc_time ? 2 : tag == generalized_time ? 4 : 0;
  if (year_digits == 0 || content.size() != year_digits + 11 || content.back() != 'Z') {
    return std::nullopt;
  }
  for (std::uint8_t const digit : content.first(content.size() - 1)) {
    if (digit < '0' || digit > '9') return std::nullopt;
  }
  auto const number = [&](std::size_t at, std::size_t digits) {
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) value = value * 10 + (content[at + i] - '0');
    return value;
  };
  int year = number(0, year_digits);
  // RFC 5280 §4.1.2.5.1: "Where YY is greater than or equal to 50, the year SHALL be interpreted as
  // 19YY; and where YY is less than 50, the year SHALL be interpreted as 20YY."
  if (tag == utc_time) year += year >= 50 ? 1900 : 2000;
  std::size_t const at = year_digits;
  auto const date = std::chrono::year_month_day{
      std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(number(at, 2))},
      std::chrono::day{static_cast<unsigned>(number(at + 2, 2))}};
  int const hour = number(at + 4, 2), minute = number(at + 6, 2), second = number(at + 8, 2);
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return std::chrono::sys_days{date}.time_since_epoch().count() * UnixSeconds{86400} + hour * 3600 +
         minute * 60 + second;
}

}  // namespace certgate::x509::der
