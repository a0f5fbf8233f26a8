#include "parse_number.hpp"

#include <charconv>

#include "certgate/base/encoding.hpp"
#include "characters.hpp"

namespace certgate::rules {

namespace {

bool all_digits(std::string_view text) {
  for (char const c : text) {
    if (!is_digit(c)) return false;
  }
  return !text.empty();
}

template <class T>
std::optional<T> parse_all(std::string_view text, int base) {
  T value = 0;
  auto const end = text.data() + text.size();
  auto const result = std::from_chars(text.data(), end, value, base);
  if (text.empty() || result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  return value;
}

LiteralMistake not_an_integer(std::string_view text) {
  LiteralMistake mistake{"`" + std::string(text) + "` is not an integer", ""};
  auto const digits = text.starts_with('-') ? text.substr(1) : text;
  if (text.starts_with('+')) {
    mistake.hint = "leave the plus sign out";
  } else if (text.find('_') != std::string_view::npos) {
    mistake.hint = "digits cannot be grouped";
  } else if (text.find('.') != std::string_view::npos) {
    mistake.hint = "there are only whole numbers";
  } else if (digits.starts_with("0X")) {
    mistake.hint = "hexadecimal starts with a lower-case `0x`";
  } else if (text.starts_with("-0x")) {
    mistake.hint = "a hexadecimal number has no sign";
  } else if (all_digits(digits) && digits.starts_with('0')) {
    mistake.hint = "a leading 0 means octal: remove it for a decimal number";
  } else if (all_digits(digits) || digits.starts_with("0x")) {
    mistake.hint = "integers have 64 bits: -9223372036854775808 to 9223372036854775807";
  }
  return mistake;
}

LiteralMistake not_an_address(std::string_view text) {
  LiteralMistake mistake{"`" + std::string(text) + "` is not an IP address", ""};
  if (text.find('/') != std::string_view::npos) {
    mistake.hint = "a network can only stand in a set: `in {" + std::string(text) + "}`";
  } else if (text.find("..") != std::string_view::npos) {
    mistake.hint = "a range can only stand in a set: `in {" + std::string(text) + "}`";
  } else if (text.find(':') == std::string_view::npos &&
             text.find_first_not_of("0123456789.") == std::string_view::npos) {
    mistake.hint = "an IPv4 address has four numbers from 0 to 255 without leading zeros";
  }
  return mistake;
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (text.starts_with("0x")) {
    if (text.size() < 3 || hex_digit(text[2]) < 0) return std::nullopt;
    return parse_all<std::int64_t>(text.substr(2), 16);
  }
  bool const negative = text.starts_with('-');
  auto const digits = negative ? text.substr(1) : text;
  if (!all_digits(digits)) return std::nullopt;
  if (digits.size() > 1 && digits[0] == '0') {
    // from_chars takes the sign, so that the most negative number can be read.
    std::string signed_digits(negative ? "-" : "");
    signed_digits += digits.substr(1);
    return parse_all<std::int64_t>(signed_digits, 8);
  }
  return parse_all<std::int64_t>(text, 10);
}

Result<IntegerRange, LiteralMistake> parse_integer_range(std::string_view text) {
  auto const dots = text.find("..");
  if (dots == std::string_view::npos) {
    auto const value = parse_integer(text);
    if (!value) return fail(not_an_integer(text));
    return IntegerRange{*value, *value};
  }
  auto const first = text.substr(0, dots);
  auto const last = text.substr(dots + 2);
  if (first.empty() || last.empty()) {
    return fail(LiteralMistake{"`" + std::string(text) + "` is not a range",
                               "a range is written without spaces: `80..90`"});
  }
  auto const low = parse_integer(first);
  if (!low) return fail(not_an_integer(first));
  auto const high = parse_integer(last);
  if (!high) return fail(not_an_integer(last));
  if (*low > *high) {
    return fail(LiteralMistake{"the range `" + std::string(text) + "` starts after its end",
                               "write `" + std::string(last) + ".." + std::string(first) + "`"});
  }
  return IntegerRange{*low, *high};
}

std::optional<std::string> parse_byte_string(std::string_view text) {
  std::string bytes;
  std::size_t at = 0;
  for (;;) {
    if (at + 2 > text.size() || hex_digit(text[at]) < 0 || hex_digit(text[at + 1]) < 0) {
      return std::nullopt;
    }
    bytes += static_cast<char>(hex_digit(text[at]) * 16 + hex_digit(text[at + 1]));
    at += 2;
    if (at == text.size()) break;
    if (text[at] != ':' && text[at] != '-' && text[at] != '.') return std::nullopt;
    ++at;
  }
  if (bytes.size() < 2) return std::nullopt;
  return bytes;
}

Result<IpAddress, LiteralMistake> parse_address(std::string_view text) {
  auto const address = IpAddress::parse(text);
  if (!address) return fail(not_an_address(text));
  return *address;
}

Result<AddressRange, LiteralMistake> parse_address_range(std::string_view text) {
  if (auto const slash = text.find('/'); slash != std::string_view::npos) {
    if (auto const network = IpNetwork::parse(text)) {
      return AddressRange{network->first(), network->last()};
    }
    auto const address = IpAddress::parse(text.substr(0, slash));
    auto const length = parse_all<unsigned>(text.substr(slash + 1), 10);
    if (!address) return fail(not_an_address(text.substr(0, slash)));
    unsigned const bits = address->is_v4() ? 32 : 128;
    if (!length || *length > bits) {
      return fail(LiteralMistake{
          "`" + std::string(text) + "` is not a network",
          "after the slash stands the number of fixed bits: 0 to " + std::to_string(bits)});
    }
    return fail(
        LiteralMistake{"the network `" + std::string(text) + "` has bits set behind its prefix",
                       "the network is `" + IpNetwork(*address, *length).to_string() +
                           "`, the one address `" + address->to_string() + "`"});
  }
  auto const dots = text.find("..");
  if (dots == std::string_view::npos) {
    auto const address = IpAddress::parse(text);
    if (!address) return fail(not_an_address(text));
    return AddressRange{*address, *address};
  }
  auto const first = IpAddress::parse(text.substr(0, dots));
  if (!first) return fail(not_an_address(text.substr(0, dots)));
  auto const last = IpAddress::parse(text.substr(dots + 2));
  if (!last) return fail(not_an_address(text.substr(dots + 2)));
  if (first->is_v4() != last->is_v4()) {
    return fail(LiteralMistake{"the range `" + std::string(text) + "` mixes IPv4 and IPv6",
                               "both ends must be of one family"});
  }
  if (*last < *first) {
    return fail(LiteralMistake{"the range `" + std::string(text) + "` starts after its end",
                               "write `" + last->to_string() + ".." + first->to_string() + "`"});
  }
  return AddressRange{*first, *last};
}

}  // namespace certgate::rules
