// Facts that stand in the tree itself: which fields, which literals, what is odd.
#include "certgate/rules/analysis.hpp"

#include <algorithm>

#include "parse_number.hpp"
#include "regex.hpp"

namespace certgate::rules {

namespace {

template <class Visit>
void each_node(Node const& node, Visit const& visit) {
  visit(node);
  for (auto const& child : node.children) each_node(child, visit);
}

Node const* base_field(Node const& node) {
  if (node.kind == Node::Kind::field) return &node;
  if (node.kind == Node::Kind::index || node.kind == Node::Kind::call) {
    return node.children.empty() ? nullptr : base_field(node.children[0]);
  }
  return nullptr;
}

std::string text_of(Literal const& literal) {
  if (literal.form != TokenKind::bare) return literal.bytes;
  return parse_byte_string(literal.bytes).value_or(literal.bytes);
}

bool matches_everything(std::string_view pattern) {
  for (auto const* each : {"", ".*", "^", "$", "^.*", ".*$", "^.*$", "(.*)", ".*?"}) {
    if (pattern == each) return true;
  }
  return false;
}

}  // namespace

std::vector<ComparedLiteral> compared_literals(CheckedExpression const& expression) {
  std::vector<ComparedLiteral> found;
  each_node(expression.root, [&](Node const& node) {
    bool const comparison = node.kind == Node::Kind::comparison;
    if (!comparison && node.kind != Node::Kind::call) return;
    if (node.children.empty()) return;
    auto const* field = base_field(node.children[0]);
    if (!field) return;
    auto const add = [&](Literal const& literal) {
      found.push_back({field->field, text_of(literal), literal.span});
    };
    if (comparison) {
      auto const& left = node.children[0];
      auto const type = left.maps_each ? left.type.element() : left.type;
      if (type != bytes_type || node.compare == CompareOp::in_list) return;
      for (auto const& literal : node.literals) add(literal);
      return;
    }
    for (std::size_t i = 1; i < node.children.size(); ++i) {
      auto const& argument = node.children[i];
      if (argument.kind == Node::Kind::literal && argument.type == bytes_type) {
        add(argument.literals[0]);
      }
    }
  });
  return found;
}

std::vector<FieldUse> field_uses(CheckedExpression const& expression) {
  std::vector<FieldUse> uses;
  each_node(expression.root, [&](Node const& node) {
    if (node.kind != Node::Kind::field) return;
    bool const known = std::any_of(uses.begin(), uses.end(),
                                   [&](FieldUse const& use) { return use.field == node.field; });
    if (!known) uses.push_back({node.field, node.span});
  });
  return uses;
}

Mistakes oddities(CheckedExpression const& expression) {
  Mistakes found;
  auto const odd = [&found](Span span, std::string message, std::string hint) {
    found.push_back({span, std::move(message), std::move(hint), Severity::warning});
  };
  each_node(expression.root, [&](Node const& node) {
    if (node.kind != Node::Kind::comparison || !node.comparand) return;
    switch (node.compare) {
      case CompareOp::in_set:
        if (node.literals.empty()) odd(node.span, "an empty set never matches", "");
        return;
      case CompareOp::in_list:
        if (node.comparand->list && node.comparand->list->size() == 0) {
          odd(node.literals[0].span,
              "the list `$" + node.literals[0].bytes + "` is empty and never matches",
              "put entries into the list, or disable the rule");
        }
        return;
      case CompareOp::matches:
        if (matches_everything(node.literals[0].bytes)) {
          odd(node.literals[0].span, "this regular expression matches everything",
              "leave the comparison out");
        }
        return;
      case CompareOp::contains:
        if (!node.comparand->bytes.empty() && node.comparand->bytes[0].empty()) {
          odd(node.literals[0].span, "everything contains the empty string",
              "leave the comparison out");
        }
        return;
      default:
        return;
    }
  });
  return found;
}

}  // namespace certgate::rules
