// Gives every name its meaning and every node its type, or says what is wrong with it.
//
// Looks at all of the tree: a node that could not be parsed or typed is passed over silently above.
#pragma once

#include <string>
#include <string_view>

#include "certgate/base/result.hpp"
#include "certgate/rules/ast.hpp"
#include "certgate/rules/limits.hpp"
#include "certgate/rules/mistake.hpp"
#include "certgate/rules/scheme.hpp"

namespace certgate::rules {

// A complete, typed tree. Refers to functions of the Scheme, which must outlive it.
struct CheckedExpression {
  std::string text;
  Node root;
  Mistakes warnings;
};

enum class Wanted {
  condition,  // a Bool
  value,      // Bytes, Int, Bool or Ip
};

// Parses and checks; reports the mistakes of both stages, in order of place, at most
// Limits::mistakes of them.
Result<CheckedExpression, Mistakes> check(Scheme const& scheme, std::string_view text,
                                          Limits const& limits = {},
                                          Wanted wanted = Wanted::condition);
// The second stage alone. Adds to `mistakes` (errors and warnings).
void check_tree(Scheme const& scheme, Node& root, std::string_view text, Limits const& limits,
                Wanted wanted, Mistakes& mistakes);

}  // namespace certgate::rules
