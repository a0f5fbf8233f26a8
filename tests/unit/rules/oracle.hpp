// The obvious way to evaluate an expression, kept as the judge of the fast one.
//
// Walks the checked tree, owns its values, and knows nothing of programs, predicates, sets, arenas
// or indexes. Functions are asked through their public interface.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "certgate/rules/checker.hpp"
#include "certgate/rules/program.hpp"

namespace certgate::rules::test {

// A value that owns what it holds; none: missing.
struct OwnedValue {
  Kind kind = Kind::none;
  bool boolean = false;
  std::int64_t integer = 0;
  std::string bytes;
  IpAddress ip;
  std::vector<OwnedValue> elements;  // of an array or map
  std::vector<std::string> keys;     // of a map
  friend bool operator==(OwnedValue const&, OwnedValue const&) = default;
};

OwnedValue owned(ValueView const& view);
OwnedValue judge(Node const& node, std::vector<OwnedValue> const& fields);
// What evaluate() must say; nullopt when a function ran out of memory.
bool judged_to_match(CheckedExpression const& expression, std::vector<OwnedValue> const& fields);

// Views of owned values, alive as long as this.
class Views {
 public:
  explicit Views(std::vector<OwnedValue> const& values);
  Values values() const { return views_; }

 private:
  ValueView view_of(OwnedValue const& value);
  std::vector<ValueView> views_;
  std::vector<std::unique_ptr<std::vector<ValueView>>> arrays_;
  std::vector<std::unique_ptr<std::vector<MapEntry>>> maps_;
};

// Random but legal: a schema, an expression over it, and values.
class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}
  Scheme scheme();
  std::string expression(Scheme const& scheme, int depth);
  std::vector<OwnedValue> values(Scheme const& scheme);
  std::size_t below(std::size_t bound) { return random_() % bound; }

 private:
  Type type(int depth);
  OwnedValue value(Type type);
  std::string text();
  std::string literal(Type type, bool in_set);
  std::string comparison(std::string const& left, Type type);
  std::string condition(Scheme const& scheme, int depth);
  std::string elementwise(Scheme const& scheme, int depth);
  std::optional<std::string> path(Scheme const& scheme, Type wanted, bool each);
  std::string bytes_expression(Scheme const& scheme, int depth);

  std::mt19937_64 random_;
};

}  // namespace certgate::rules::test
