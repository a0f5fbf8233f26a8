// The right side of a comparison, ready to run against a value.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "certgate/rules/ast.hpp"
#include "certgate/rules/list.hpp"
#include "certgate/rules/value.hpp"
#include "regex.hpp"
#include "sets.hpp"
#include "wildcard.hpp"

namespace certgate::rules {

enum class Test : std::uint8_t {
  bytes_equal,
  bytes_in,
  bytes_not_equal,
  bytes_less,
  bytes_less_equal,
  bytes_greater,
  bytes_greater_equal,
  bytes_contain,
  bytes_match,
  bytes_wildcard,
  integer_in_range,
  integer_in,
  integer_not_equal,
  integer_less,
  integer_less_equal,
  integer_greater,
  integer_greater_equal,
  integer_bits,
  address_equal,
  address_in,
  address_not_equal,
  address_less,
  address_less_equal,
  address_greater,
  address_greater_equal,
  in_list,
  never,
};

struct Predicate {
  Test test = Test::never;
  bool address_is_v4 = false;
  std::int64_t number = 0;
  std::int64_t last_number = 0;
  std::string bytes;  // of an address: its 16 bytes
  BytesSet bytes_set;
  // Rarely used, and large: kept out of the way.
  struct Rest {
    IntegerSet integers;
    AddressSet addresses;
    ListPtr list;
    std::shared_ptr<Regex const> regex;
    std::shared_ptr<WildcardPattern const> pattern;
  };
  std::unique_ptr<Rest> rest;

  std::size_t memory_bytes() const;
};

// REQUIRES: the comparison is checked.
Predicate build_predicate(CompareOp op, Type type, Comparand const& comparand);

bool holds_slow(Predicate const& predicate, ValueView const& value) noexcept;

// False when the value is missing, whatever the test.
inline bool holds(Predicate const& predicate, ValueView const& value) noexcept {
  if (value.is_missing()) return false;
  if (predicate.test == Test::bytes_equal) {
    return value.as_bytes() == predicate.bytes;
  }
  if (predicate.test == Test::bytes_in) return predicate.bytes_set.contains(value.as_bytes());
  return holds_slow(predicate, value);
}

}  // namespace certgate::rules
