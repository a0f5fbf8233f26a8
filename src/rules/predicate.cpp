#include "predicate.hpp"

namespace certgate::rules {

namespace {

// Families do not compare: `ip < x` is false and `ip != x` true across them.
int compare_addresses(Predicate const& predicate, ValueView const& value) noexcept {
  return std::memcmp(value.ip_bytes(), predicate.bytes.data(), 16);
}

template <class T>
Test ordered(CompareOp op, T equal, T not_equal, T less, T less_equal, T greater, T greater_equal) {
  switch (op) {
    case CompareOp::not_equal:
      return not_equal;
    case CompareOp::less:
      return less;
    case CompareOp::less_equal:
      return less_equal;
    case CompareOp::greater:
      return greater;
    case CompareOp::greater_equal:
      return greater_equal;
    default:
      return equal;
  }
}

Test bytes_test(CompareOp op) {
  switch (op) {
    case CompareOp::contains:
      return Test::bytes_contain;
    case CompareOp::matches:
      return Test::bytes_match;
    case CompareOp::wildcard:
    case CompareOp::strict_wildcard:
      return Test::bytes_wildcard;
    case CompareOp::in_set:
      return Test::bytes_in;
    default:
      return ordered(op, Test::bytes_equal, Test::bytes_not_equal, Test::bytes_less,
                     Test::bytes_less_equal, Test::bytes_greater, Test::bytes_greater_equal);
  }
}

}  // namespace

Predicate build_predicate(CompareOp op, Type type, Comparand const& comparand) {
  Predicate predicate;
  auto const rest = [&]() -> Predicate::Rest& {
    if (!predicate.rest) predicate.rest = std::make_unique<Predicate::Rest>();
    return *predicate.rest;
  };
  if (op == CompareOp::in_list) {
    predicate.test = Test::in_list;
    rest().list = comparand.list;
    return predicate;
  }
  bool const set = op == CompareOp::in_set;
  switch (type.kind()) {
    case Kind::bytes:
      predicate.test = bytes_test(op);
      if (predicate.test == Test::bytes_match) rest().regex = comparand.regex;
      if (predicate.test == Test::bytes_wildcard) rest().pattern = comparand.pattern;
      if (set && comparand.bytes.size() != 1) {
        predicate.bytes_set = BytesSet({comparand.bytes.begin(), comparand.bytes.end()});
      } else if (!comparand.bytes.empty()) {
        if (set) predicate.test = Test::bytes_equal;
        predicate.bytes = comparand.bytes[0];
      }
      return predicate;
    case Kind::integer:
      if (set && comparand.integers.size() != 1) {
        predicate.test = Test::integer_in;
        rest().integers = IntegerSet(comparand.integers);
        return predicate;
      }
      predicate.test = op == CompareOp::bitwise_and
                           ? Test::integer_bits
                           : ordered(op, Test::integer_in_range, Test::integer_not_equal,
                                     Test::integer_less, Test::integer_less_equal,
                                     Test::integer_greater, Test::integer_greater_equal);
      predicate.number = comparand.integers[0].first;
      predicate.last_number = comparand.integers[0].second;
      return predicate;
    case Kind::ip: {
      if (set) {
        predicate.test = Test::address_in;
        rest().addresses = AddressSet(comparand.addresses);
        return predicate;
      }
      auto const& address = comparand.addresses[0].first;
      predicate.test =
          ordered(op, Test::address_equal, Test::address_not_equal, Test::address_less,
                  Test::address_less_equal, Test::address_greater, Test::address_greater_equal);
      predicate.address_is_v4 = address.is_v4();
      predicate.bytes.assign(reinterpret_cast<char const*>(address.bytes().data()), 16);
      return predicate;
    }
    default:
      return predicate;
  }
}

bool holds_slow(Predicate const& predicate, ValueView const& value) noexcept {
  bool const same_family = predicate.address_is_v4 == value.ip_is_v4();
  switch (predicate.test) {
    case Test::bytes_equal:
      return value.as_bytes() == predicate.bytes;
    case Test::bytes_in:
      return predicate.bytes_set.contains(value.as_bytes());
    case Test::bytes_not_equal:
      return value.as_bytes() != predicate.bytes;
    case Test::bytes_less:
      return value.as_bytes() < predicate.bytes;
    case Test::bytes_less_equal:
      return value.as_bytes() <= predicate.bytes;
    case Test::bytes_greater:
      return value.as_bytes() > predicate.bytes;
    case Test::bytes_greater_equal:
      return value.as_bytes() >= predicate.bytes;
    case Test::bytes_contain: {
      auto const bytes = value.as_bytes();
      if (predicate.bytes.empty()) return true;
      if (bytes.size() < predicate.bytes.size()) return false;
      // glibc's two-way search: linear, and vectorised for the first bytes.
      return memmem(bytes.data(), bytes.size(), predicate.bytes.data(), predicate.bytes.size()) !=
             nullptr;
    }
    case Test::bytes_match:
      return predicate.rest->regex->search(value.as_bytes());
    case Test::bytes_wildcard:
      return predicate.rest->pattern->matches(value.as_bytes());
    case Test::integer_in_range:
      return value.as_integer() >= predicate.number && value.as_integer() <= predicate.last_number;
    case Test::integer_in:
      return predicate.rest->integers.contains(value.as_integer());
    case Test::integer_not_equal:
      return value.as_integer() != predicate.number;
    case Test::integer_less:
      return value.as_integer() < predicate.number;
    case Test::integer_less_equal:
      return value.as_integer() <= predicate.number;
    case Test::integer_greater:
      return value.as_integer() > predicate.number;
    case Test::integer_greater_equal:
      return value.as_integer() >= predicate.number;
    case Test::integer_bits:
      return (value.as_integer() & predicate.number) != 0;
    case Test::address_equal:
      return same_family && compare_addresses(predicate, value) == 0;
    case Test::address_not_equal:
      return !same_family || compare_addresses(predicate, value) != 0;
    case Test::address_less:
      return same_family && compare_addresses(predicate, value) < 0;
    case Test::address_less_equal:
      return same_family && compare_addresses(predicate, value) <= 0;
    case Test::address_greater:
      return same_family && compare_addresses(predicate, value) > 0;
    case Test::address_greater_equal:
      return same_family && compare_addresses(predicate, value) >= 0;
    case Test::address_in:
      return predicate.rest->addresses.contains(value.ip_bytes(), value.ip_is_v4());
    case Test::in_list:
      return predicate.rest->list->contains(value);
    case Test::never:
      return false;
  }
  return false;
}

std::size_t Predicate::memory_bytes() const {
  std::size_t bytes_used = sizeof(Predicate) + bytes.capacity() + bytes_set.memory_bytes();
  if (!rest) return bytes_used;
  bytes_used += sizeof(Rest) + rest->integers.memory_bytes() + rest->addresses.memory_bytes();
  if (rest->regex) bytes_used += rest->regex->memory_bytes();
  return bytes_used;
}

}  // namespace certgate::rules
