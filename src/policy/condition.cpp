// Expressions as trees of conditions, with Kleene's three-valued logic.
#include "condition.hpp"

namespace certgate::policy {
namespace {

using rules::Node;

Condition::Kind kind_of(rules::LogicalOp op) {
  switch (op) {
    case rules::LogicalOp::conjunction:
      return Condition::Kind::conjunction;
    case rules::LogicalOp::disjunction:
      return Condition::Kind::disjunction;
    case rules::LogicalOp::exclusive:
      return Condition::Kind::exclusive;
  }
  return Condition::Kind::conjunction;
}

Condition build(rules::CheckedExpression const& expression, Node const& node) {
  Condition condition;
  if (node.type == rules::bool_type &&
      (node.kind == Node::Kind::logical || node.kind == Node::Kind::negation)) {
    condition.kind =
        node.kind == Node::Kind::negation ? Condition::Kind::negation : kind_of(node.logical);
    for (auto const& child : node.children) condition.children.push_back(build(expression, child));
    return condition;
  }
  condition.text = expression.text.substr(node.span.offset, node.span.length);
  condition.program = rules::compile_checked({expression.text, node, {}});
  return condition;
}

Truth negated(Truth truth) {
  switch (truth) {
    case Truth::no:
      return Truth::yes;
    case Truth::yes:
      return Truth::no;
    case Truth::unknown:
      break;
  }
  return Truth::unknown;
}

}  // namespace

Condition build_condition(rules::CheckedExpression const& expression) {
  return build(expression, expression.root);
}

Truth judge(Condition const& condition, JudgeLeaf const& judge_leaf) {
  switch (condition.kind) {
    case Condition::Kind::leaf:
      return judge_leaf(condition);
    case Condition::Kind::negation:
      return negated(judge(condition.children.front(), judge_leaf));
    case Condition::Kind::conjunction:
    case Condition::Kind::disjunction: {
      auto const decisive = condition.kind == Condition::Kind::conjunction ? Truth::no : Truth::yes;
      auto result = negated(decisive);
      for (auto const& child : condition.children) {
        auto const truth = judge(child, judge_leaf);
        if (truth == decisive) return decisive;
        if (truth == Truth::unknown) result = Truth::unknown;
      }
      return result;
    }
    case Condition::Kind::exclusive: {
      bool odd = false;
      for (auto const& child : condition.children) {
        auto const truth = judge(child, judge_leaf);
        if (truth == Truth::unknown) return Truth::unknown;
        odd ^= truth == Truth::yes;
      }
      return odd ? Truth::yes : Truth::no;
    }
  }
  return Truth::unknown;
}

Truth evaluate_leaf(Condition const& leaf, Scratch& scratch) {
  switch (rules::evaluate(leaf.program, scratch.values(), scratch.evaluation())) {
    case rules::Outcome::match:
      return Truth::yes;
    case rules::Outcome::no_match:
      return Truth::no;
    case rules::Outcome::failed:
      break;
  }
  return Truth::unknown;
}

void for_each_leaf(Condition const& condition, std::function<void(Condition const&)> const& visit) {
  if (condition.kind == Condition::Kind::leaf) visit(condition);
  for (auto const& child : condition.children) for_each_leaf(child, visit);
}

}  // namespace certgate::policy
