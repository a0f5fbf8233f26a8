// What can be proven about an expression without running it. Nothing here guesses.
//
// For the ruleset index (what must hold for a rule to match) and for a linter (never matches, is
// covered by an earlier rule). "False" from a prover means "not proven", never "disproven".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/rules/checker.hpp"
#include "certgate/rules/scheme.hpp"
#include "certgate/rules/value.hpp"

namespace certgate::rules {

// One thing that must hold of a field whenever the expression matches.
struct Requirement {
  enum class Shape {
    equals_one_of,  // Bytes or Int: present and equal to one of `values`
    starts_with,    // Bytes: present and starts with one of `values`
    in_networks,    // Ip: present and inside one of `networks`
    is_true,        // Bool: present and true
    is_not_true,    // Bool: missing or false
  };
  FieldId field = 0;
  Shape shape = Shape::is_true;
  bool is_integer = false;  // `values` are decimal text of an Int
  std::vector<std::string> values;
  std::vector<IpNetwork> networks;
  // Whether `values` or `networks` is empty although the shape wants some: it can never match.
  bool impossible() const;
};

// A conjunction. Empty: nothing is known to be required.
using Requirements = std::vector<Requirement>;

Requirements requirements(CheckedExpression const& expression, Scheme const& scheme);

// A literal that the expression compares with a field (directly, in a set, or as an argument of a
// function applied to it), for lints about the way values are written.
struct ComparedLiteral {
  FieldId field = 0;
  std::string value;  // Bytes only
  Span span;
};
std::vector<ComparedLiteral> compared_literals(CheckedExpression const& expression);

// The fields read anywhere in the expression, each with where it is first named.
struct FieldUse {
  FieldId field = 0;
  Span span;
};
std::vector<FieldUse> field_uses(CheckedExpression const& expression);

// Proven that no values whatsoever make it match / fail to match.
bool never_matches(CheckedExpression const& expression, Scheme const& scheme);
bool always_matches(CheckedExpression const& expression, Scheme const& scheme);
// Proven that whatever matches `specific` also matches `general`: a terminating rule `general`
// shadows a later rule `specific`.
bool implies(CheckedExpression const& specific, CheckedExpression const& general,
             Scheme const& scheme);
// Proven that no values match both.
bool disjoint(CheckedExpression const& left, CheckedExpression const& right, Scheme const& scheme);
// Proven that whenever `expression` matches, Bool field `field` is true (or, with `wanted` false,
// is missing or false).
bool requires_bool(CheckedExpression const& expression, FieldId field, bool wanted,
                   Scheme const& scheme);
// Sub-expressions that are empty sets or regexes that match everything, with what is odd about
// them.
Mistakes oddities(CheckedExpression const& expression);

}  // namespace certgate::rules
