// Reads bare literals: integers, byte strings, addresses, and ranges of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "certgate/base/ip.hpp"
#include "certgate/base/result.hpp"

namespace certgate::rules {

// What is wrong with a literal, and the way out.
struct LiteralMistake {
  std::string message;
  std::string hint;
};

// -?[0-9]+, 0x hexadecimal, 0 octal; nullopt for anything else or what does not fit 64 bits.
std::optional<std::int64_t> parse_integer(std::string_view text);
using IntegerRange = std::pair<std::int64_t, std::int64_t>;
// A number, or first..last.
Result<IntegerRange, LiteralMistake> parse_integer_range(std::string_view text);
// HH(sep HH)+ with sep one of : - . ; nullopt for anything else.
std::optional<std::string> parse_byte_string(std::string_view text);
using AddressRange = std::pair<IpAddress, IpAddress>;
Result<IpAddress, LiteralMistake> parse_address(std::string_view text);
// An address, a network with zero host bits, or first..last.
Result<AddressRange, LiteralMistake> parse_address_range(std::string_view text);

}  // namespace certgate::rules
