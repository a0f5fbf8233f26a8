#include "certgate/rules/parser.hpp"

#include "certgate/base/encoding.hpp"
#include "expression_parser.hpp"

namespace certgate::rules {

Node ExpressionParser::expression() {
  if (!length_is_fine()) return {};
  if (peek(Expect::operand).kind == TokenKind::end) {
    mistake({0, text_.size()}, "the expression is empty",
            "a rule that is to match everything can say `ssl or not ssl`");
    return {};
  }
  auto root = disjunction();
  expect_end();
  warn_of_tab();
  return root;
}

Node ExpressionParser::value() {
  if (!length_is_fine()) return {};
  if (peek(Expect::operand).kind == TokenKind::end) {
    mistake({0, text_.size()}, "the expression is empty", "name a field, or write a literal");
    return {};
  }
  auto root = argument("value");
  expect_end();
  return root;
}

bool ExpressionParser::length_is_fine() {
  if (text_.size() <= limits_.expression_length) return true;
  std::size_t length = 0;
  bool in_space = true;
  for (char const c : text_) {
    bool const space = is_space(c);
    if (!space || !in_space) ++length;
    in_space = space;
  }
  if (in_space && length > 0) --length;
  if (length <= limits_.expression_length) return true;
  mistake({0, text_.size()},
          "the expression has " + std::to_string(length) + " characters, more than " +
              std::to_string(limits_.expression_length),
          "split it into several rules, or put its values into a list: `in $name`");
  return false;
}

void ExpressionParser::expect_end() {
  while (peek(Expect::operation).kind != TokenKind::end) {
    auto const token = take(Expect::operation);
    if (too_deep_) return;
    if (token.kind == TokenKind::close_parenthesis) {
      mistake(token.span, "this parenthesis was never opened", "remove it");
    } else {
      unexpected_operation(token);
    }
    skip_to_boundary();
    // Whatever follows an operator is read too, for its own mistakes.
    while (is_logical(peek(Expect::operation).kind)) {
      take(Expect::operation);
      disjunction();
    }
  }
}

// One before or behind everything is trimmed by the reference engine too.
void ExpressionParser::warn_of_tab() {
  auto const tab = lexer_.first_tab();
  if (tab == std::string_view::npos || tab > text_.find_last_not_of(" \t\r\n") ||
      tab < text_.find_first_not_of(" \t\r\n")) {
    return;
  }
  mistakes_.push_back({{tab, 1},
                       "a tab is white space here, but Cloudflare refuses it",
                       "replace tabs by spaces if the rule is to be used there too",
                       Severity::warning});
}

void ExpressionParser::unexpected_operation(Token const& token) {
  if (token.mistaken) return;
  if (is_compare(token.kind)) {
    mistake(token.span, "a second comparison without a logical operator between",
            "compare a field with one literal, and join comparisons by `and`, `or` or `xor`");
  } else if (token.kind == TokenKind::logical_not) {
    mistake(token.span, "`not` cannot stand here",
            "join conditions by `and`, `or` or `xor`: `a and not b`");
  } else {
    mistake(token.span, "expected `and`, `or`, `xor` or the end, found " + shown(token.span),
            is_literal(token.kind) || token.kind == TokenKind::unknown
                ? "join conditions by `and`, `or` or `xor`"
                : "");
  }
}

Node ExpressionParser::disjunction() { return chain(TokenKind::logical_or); }

// or < xor < and, each chain of equal operators flat.
Node ExpressionParser::chain(TokenKind op) {
  auto const operand = [&] {
    if (op == TokenKind::logical_or) return chain(TokenKind::logical_xor);
    if (op == TokenKind::logical_xor) return chain(TokenKind::logical_and);
    return simple();
  };
  auto const start = here();
  auto first = operand();
  if (peek(Expect::operation).kind != op) return first;
  Node node;
  node.kind = Node::Kind::logical;
  node.logical =
      op == TokenKind::logical_or
          ? LogicalOp::disjunction
          : (op == TokenKind::logical_xor ? LogicalOp::exclusive : LogicalOp::conjunction);
  node.mark = peek(Expect::operation).span;
  node.children.push_back(std::move(first));
  while (peek(Expect::operation).kind == op) {
    take(Expect::operation);
    node.children.push_back(operand());
  }
  node.span = since(start);
  return node;
}

bool ExpressionParser::enter(Span span) {
  if (too_deep_) return false;
  if (++depth_ <= nesting_limit_) return true;
  too_deep_ = true;
  mistake(span,
          "nested more than " + std::to_string(nesting_limit_) +
              " deep: each parenthesis, `not` and function call counts",
          "remove parentheses that change nothing, or split the rule");
  forget_ahead();
  lexer_.seek(text_.size());
  return false;
}

Node ExpressionParser::simple() {
  auto const& ahead = peek(Expect::operand);
  switch (ahead.kind) {
    case TokenKind::open_parenthesis:
      return parenthesised();
    case TokenKind::logical_not:
      return negation();
    case TokenKind::identifier:
      if (auto const word = ascii_lower(std::string_view(ahead.bytes).substr(0, 4));
          word == "and" || word == "or" || word == "xor") {
        return misplaced_operator();
      }
      return comparison();
    default:
      return missing_operand();
  }
}

// `and ssl`, `a and or b`. By shape alone it could be a field's name, if it goes on like one.
Node ExpressionParser::misplaced_operator() {
  auto const start = here();
  auto const sign = glance(Expect::operand);
  take(Expect::operand);
  auto const after = glance(Expect::operation);
  if (after.kind != TokenKind::unknown && after.kind != TokenKind::open_parenthesis &&
      after.kind != TokenKind::logical_not) {
    forget_ahead();
    lexer_.seek(start);
    return comparison();
  }
  auto const word = ascii_lower(text_.substr(sign.span.offset, sign.span.length));
  mistake(sign.span, "expected a condition before " + shown(sign.span),
          "`" + word + "` joins two conditions: `a " + word + " b`");
  return simple();
}

Node ExpressionParser::missing_operand() {
  auto const token = peek(Expect::operand);
  Node node;
  node.span = token.span;
  if (too_deep_) return node;
  if (is_literal(token.kind)) {
    take(Expect::operand);
    bool const compared = is_compare(peek(Expect::operation).kind);
    if (!token.mistaken) {
      mistake(token.span, "a comparison starts with a field, not with a literal",
              compared ? "put the field on the left and the literal on the right"
                       : "write a comparison: `http.host eq \"a.example\"`");
    }
    skip_to_boundary();
    return node;
  }
  std::string const found =
      token.kind == TokenKind::end ? "the expression ends" : "found " + shown(token.span);
  bool const at_word = token.kind == TokenKind::unknown;
  mistake(token.span, "expected a field, `not` or `(`, but " + found,
          token.kind == TokenKind::close_parenthesis &&
                  text_.substr(0, token.span.offset).ends_with('(')
              ? "write a condition between the parentheses"
              : (at_word ? "names have letters, digits, `_` and dots" : ""));
  if (token.kind != TokenKind::end && token.kind != TokenKind::close_parenthesis &&
      token.kind != TokenKind::comma) {
    // `and and`: the operator is left to the chain above.
    forget_ahead();
    if (!is_logical(peek(Expect::operation).kind)) {
      take(Expect::operation);
      skip_to_boundary();
    }
  }
  return node;
}

Node ExpressionParser::parenthesised() {
  auto const open = take(Expect::operand);
  Node node;
  node.span = open.span;
  if (!enter(open.span)) return node;
  node = disjunction();
  close(open, "this parenthesis is never closed");
  --depth_;
  node.parenthesised = true;
  node.span = since(open.span.offset);
  return node;
}

void ExpressionParser::close(Token const& open, char const* message) {
  if (too_deep_) return;
  auto const* ahead = &peek(Expect::operation);
  if (ahead->kind != TokenKind::close_parenthesis && ahead->kind != TokenKind::end) {
    unexpected_operation(take(Expect::operation));
    skip_to_boundary();
    while (is_logical(peek(Expect::operation).kind)) {
      take(Expect::operation);
      disjunction();
    }
    ahead = &peek(Expect::operation);
  }
  if (ahead->kind == TokenKind::close_parenthesis) {
    take(Expect::operation);
  } else if (ahead->kind == TokenKind::end) {
    mistake(open.span, message, "add the missing `)`");
  }
}

Node ExpressionParser::negation() {
  auto const sign = take(Expect::operand);
  Node node;
  node.kind = Node::Kind::negation;
  node.mark = sign.span;
  node.span = sign.span;
  if (!enter(sign.span)) return node;
  node.children.push_back(simple());
  --depth_;
  node.span = since(sign.span.offset);
  return node;
}

Node ExpressionParser::comparison() {
  auto const start = here();
  auto left = index();
  bool misplaced_not = false;
  if (peek(Expect::operation).kind == TokenKind::logical_not) {
    auto const sign = take(Expect::operation);
    if (is_compare(peek(Expect::operation).kind)) {
      misplaced_not = true;
      auto const operation = peek(Expect::operation);
      mistake(joined(sign.span, operation.span),
              "`not` stands before the whole comparison, not before the operator",
              "write `not " + std::string(text_.substr(left.span.offset, left.span.length)) + " " +
                  std::string(text_.substr(operation.span.offset, operation.span.length)) +
                  " ...`");
    } else {
      mistake(sign.span, "expected a comparison or a logical operator, found `not`",
              "join conditions by `and`, `or` or `xor`: `a and not b`");
      skip_to_boundary();
      return left;
    }
  }
  if (!is_compare(peek(Expect::operation).kind)) return left;
  auto const operation = take(Expect::operation);
  Node node;
  node.kind = Node::Kind::comparison;
  node.compare = compare_op(operation.kind);
  node.mark = operation.span;
  node.children.push_back(std::move(left));
  bool const fine = right_side(node, operation);
  if (fine && operation.kind == TokenKind::bitwise_and &&
      is_compare(peek(Expect::operation).kind)) {
    auto const second = take(Expect::operation);
    skip_to_boundary();
    mistake(since(second.span.offset),
            shown(operation.span) + " gives true or false already: whether a common bit is set",
            "leave this out");
  }
  node.span = since(start);
  if (!fine || misplaced_not || operation.mistaken) {
    node.kind = Node::Kind::mistake;  // the left side is still checked
  }
  return node;
}

bool ExpressionParser::right_side(Node& node, Token const& operation) {
  bool const is_in = operation.kind == TokenKind::in;
  auto const expect = operation.kind == TokenKind::matches ? Expect::regex : Expect::literal;
  auto const ahead = glance(expect);
  if (ahead.kind == TokenKind::open_brace) {
    auto const open = take(expect);
    bool const fine = set(node, open);
    if (is_in || operation.mistaken) return fine;
    mistake(joined(open.span, {last_end_, 0}),
            "only `in` takes a set; " + shown(operation.span) + " takes one literal",
            "write `in {...}`");
    return false;
  }
  if (ahead.kind == TokenKind::list_name) {
    node.literals.push_back(literal_of(take(expect)));
    node.compare = CompareOp::in_list;
    if (is_in) return true;
    mistake(ahead.span, "a list can only stand after `in`",
            "write `in " + std::string(text_.substr(ahead.span.offset, ahead.span.length)) + "`");
    return false;
  }
  if (is_in &&
      (ahead.kind == TokenKind::open_parenthesis || ahead.kind == TokenKind::open_bracket)) {
    auto const open = take(expect);
    skip_to_closing(open);
    mistake(since(open.span.offset), "the values of a set stand between braces",
            "write `in {\"a\" \"b\"}`");
    return false;
  }
  if (ahead.kind == TokenKind::bare && !lexer_.adjacent()) {
    auto const& word = peek(expect).bytes;
    if (word == "and" || word == "or" || word == "xor") {
      mistake(ahead.span,
              "expected a literal after " + shown(operation.span) + ", found " + shown(ahead.span),
              "write what the field is compared with");
      forget_ahead();
      return false;
    }
  }
  if (is_literal(ahead.kind)) {
    node.literals.push_back(literal_of(take(expect)));
    if (lexer_.adjacent() && peek(Expect::operation).kind == TokenKind::open_parenthesis) {
      skip_balanced();
      mistake(joined(ahead.span, {last_end_, 0}),
              "the right side of a comparison must be a literal, not a function call",
              "put the call on the left: `lower(http.host) eq \"a.example\"`");
      return false;
    }
    if (!is_in) return true;
    if (!ahead.mistaken) {
      mistake(ahead.span, "`in` takes a set in braces, or a list",
              "write `in {" + std::string(text_.substr(ahead.span.offset, ahead.span.length)) +
                  "}`; for one value also `eq`");
    }
    return false;
  }
  std::string const found =
      ahead.kind == TokenKind::end ? "the expression ends" : "found " + shown(ahead.span);
  mistake(ahead.kind == TokenKind::end ? operation.span : ahead.span,
          is_in ? "expected a set or a list after `in`, but " + found
                : "expected a literal after " + shown(operation.span) + ", but " + found,
          is_in ? "write `in {\"a\" \"b\"}` or `in $name`" : "");
  skip_to_boundary();
  return false;
}

Parsed parse_expression(std::string_view text, Limits const& limits) {
  Parsed parsed;
  parsed.root = ExpressionParser(text, limits, parsed.mistakes).expression();
  return parsed;
}

Parsed parse_value(std::string_view text, Limits const& limits) {
  Parsed parsed;
  parsed.root = ExpressionParser(text, limits, parsed.mistakes).value();
  return parsed;
}

}  // namespace certgate::rules
