// An expression taken apart at its logical operators, so that its parts can be judged one by one.
//
// Three-valued: a part may be unknown (the log does not say), and the whole may still be certain.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "certgate/policy/facts.hpp"
#include "certgate/rules/checker.hpp"
#include "certgate/rules/program.hpp"

namespace certgate::policy {

enum class Truth : std::uint8_t { no, yes, unknown };

struct Condition {
  enum class Kind : std::uint8_t { leaf, negation, conjunction, disjunction, exclusive };
  Kind kind = Kind::leaf;
  std::vector<Condition> children;  // empty for a leaf
  // Of a leaf: as written, and compiled.
  std::string text;
  rules::Program program;
};

Condition build_condition(rules::CheckedExpression const& expression);

using JudgeLeaf = std::function<Truth(Condition const& leaf)>;
Truth judge(Condition const& condition, JudgeLeaf const& judge_leaf);

// The truth of a leaf by the values in scratch. A leaf that cannot be evaluated is unknown.
Truth evaluate_leaf(Condition const& leaf, Scratch& scratch);

void for_each_leaf(Condition const& condition, std::function<void(Condition const&)> const& visit);

}  // namespace certgate::policy
