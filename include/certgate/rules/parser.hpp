// Turns an expression's text into a tree, knowing no names: it only understands shape.
//
// After a mistake it goes on at the next logical operator or closing parenthesis, with a node of
// kind `mistake` in its place, so that the checker can still look at the rest.
#pragma once

#include <string_view>

#include "certgate/rules/ast.hpp"
#include "certgate/rules/limits.hpp"
#include "certgate/rules/mistake.hpp"

namespace certgate::rules {

struct Parsed {
  Node root;
  Mistakes mistakes;  // in no particular order
};

// A rule's expression.
Parsed parse_expression(std::string_view text, Limits const& limits);
// A value: whatever can stand as a function's argument.
Parsed parse_value(std::string_view text, Limits const& limits);

}  // namespace certgate::rules
