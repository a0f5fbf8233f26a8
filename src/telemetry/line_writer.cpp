// Copies eight plain bytes at a time, and looks closer only where something needs escaping.
#include "line_writer.hpp"

#include <algorithm>

#include "certgate/base/encoding.hpp"

namespace certgate::telemetry {
namespace {

constexpr std::uint64_t every_byte(unsigned char value) { return 0x0101010101010101u * value; }

constexpr std::uint64_t zero_bytes(std::uint64_t word) {
  return (word - every_byte(1)) & ~word & every_byte(0x80);
}

// False when any of the eight bytes is a control, a quote, a backslash, DEL or above ASCII.
constexpr bool all_plain(std::uint64_t word) {
  std::uint64_t const control = (word - every_byte(0x20)) & ~word;
  std::uint64_t const special = zero_bytes(word ^ every_byte('"')) |
                                zero_bytes(word ^ every_byte('\\')) |
                                zero_bytes(word ^ every_byte(0x7F));
  return ((word | control | special) & every_byte(0x80)) == 0;
}

// Copies eight bytes; the copy is of use only when they are plain.
inline bool copy_plain(char const* from, char* to) {
  std::uint64_t word;
  std::memcpy(&word, from, 8);
  std::memcpy(to, &word, 8);
  return all_plain(word);
}

constexpr bool is_plain(char c) {
  auto const byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\';
}

constexpr char digit_pairs[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546"
    "4748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293"
    "949596979899";

char* two_digits(char* to, unsigned value) {
  std::memcpy(to, digit_pairs + 2 * value, 2);
  return to + 2;
}

std::size_t digit_count(std::uint64_t value) {
  std::size_t count = 1;
  for (; value >= 10'000; value /= 10'000) count += 4;
  return count + (value >= 10) + (value >= 100) + (value >= 1'000);
}

struct CivilDate {
  unsigned year, month, day;
};

// The proleptic Gregorian date of a day counted from 1970-01-01, by 400-year eras.
CivilDate civil_date(std::int64_t day_number) {
  std::int64_t const shifted = day_number + 719468;  // days since 0000-03-01
  std::int64_t const era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  auto const day_of_era = static_cast<unsigned>(shifted - era * 146097);
  unsigned const year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  unsigned const day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  unsigned const month_from_march = (5 * day_of_year + 2) / 153;
  unsigned const day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  unsigned const month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  std::int64_t const year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  return {static_cast<unsigned>(year), month, day};
}

}  // namespace

void LineWriter::escaped(std::string_view text) {
  bool const cut = text.size() > max_logged_text;
  if (cut) text = text.substr(0, max_logged_text);
  char const* from = text.data();
  std::size_t rest = text.size();
  char* to = at_;
  if (rest >= 8) {
    while (rest >= 8 && copy_plain(from, to)) {
      from += 8;
      to += 8;
      rest -= 8;
    }
    // The last few bytes once more with those before them, instead of one by one.
    if (rest < 8 && copy_plain(from + rest - 8, to + rest - 8)) {
      to += rest;
      rest = 0;
    }
  }
  while (rest != 0 && is_plain(*from)) {
    *to++ = *from++;
    --rest;
  }
  at_ = to;
  if (rest != 0) {
    // Rare: a peer sent something odd, and clarity matters more than speed.
    thread_local std::string odd;
    odd.clear();
    append_json_escaped(odd, {from, rest});
    plain(odd);
  }
  if (cut) literal("...");
}

void LineWriter::number(std::uint64_t value) {
  // Each pair straight to its place: reading pairs back as one word would wait for their stores.
  std::size_t const size = digit_count(value);
  char* at = at_ + size;
  at_ = at;
  while (value >= 100) {
    at -= 2;
    std::memcpy(at, digit_pairs + 2 * (value % 100), 2);
    value /= 100;
  }
  if (value >= 10) {
    std::memcpy(at - 2, digit_pairs + 2 * value, 2);
  } else {
    at[-1] = static_cast<char>('0' + value);
  }
}

void LineWriter::time(std::chrono::system_clock::time_point time) {
  using std::chrono::microseconds;
  constexpr std::int64_t first = -62167219200;  // 0000-01-01T00:00:00Z
  constexpr std::int64_t last = 253402300799;   // 9999-12-31T23:59:59Z
  std::int64_t const since = std::chrono::floor<microseconds>(time).time_since_epoch().count();
  std::int64_t seconds = since / 1000000;
  auto fraction = static_cast<int>(since % 1000000);
  if (fraction < 0) {
    fraction += 1000000;
    --seconds;
  }
  seconds = std::clamp(seconds, first, last);
  std::int64_t days = seconds / 86400;
  auto second_of_day = static_cast<int>(seconds % 86400);
  if (second_of_day < 0) {
    second_of_day += 86400;
    --days;
  }
  auto const [year, month, day] = civil_date(days);
  auto const clock = static_cast<unsigned>(second_of_day);
  auto const micro = static_cast<unsigned>(fraction);
  char* to = at_;
  to = two_digits(to, year / 100);
  to = two_digits(to, year % 100);
  *to++ = '-';
  to = two_digits(to, month);
  *to++ = '-';
  to = two_digits(to, day);
  *to++ = 'T';
  to = two_digits(to, clock / 3600);
  *to++ = ':';
  to = two_digits(to, clock / 60 % 60);
  *to++ = ':';
  to = two_digits(to, clock % 60);
  *to++ = '.';
  to = two_digits(to, micro / 10000);
  to = two_digits(to, micro / 100 % 100);
  to = two_digits(to, micro % 100);
  *to++ = 'Z';
  at_ = to;
}

}  // namespace certgate::telemetry
