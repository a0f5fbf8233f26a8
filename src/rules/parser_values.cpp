// Sets, indexes, calls and their arguments.
#include "expression_parser.hpp"
#include "parse_number.hpp"

namespace certgate::rules {

void ExpressionParser::skip_balanced() {
  int depth = 0;
  do {
    auto const token = take(Expect::operation);
    if (token.kind == TokenKind::end) return;
    if (token.kind == TokenKind::unknown && text_[token.span.offset] == '"') continue;
    if (token.kind == TokenKind::open_parenthesis) ++depth;
    if (token.kind == TokenKind::close_parenthesis) --depth;
  } while (depth > 0);
}

// Behind what closes `open`, or before a logical operator, or to the end.
void ExpressionParser::skip_to_closing(Token const& open) {
  auto const closing = open.kind == TokenKind::open_bracket ? TokenKind::close_bracket
                                                            : TokenKind::close_parenthesis;
  while (!is_logical(peek(Expect::operation).kind)) {
    auto const token = take(Expect::operation);
    if (token.kind == closing || token.kind == TokenKind::end) return;
  }
}

bool ExpressionParser::set(Node& node, Token const& open) {
  bool fine = true;
  bool comma_reported = false;
  for (;;) {
    auto token = take(Expect::literal);
    switch (token.kind) {
      case TokenKind::close_brace:
        return fine;
      case TokenKind::end:
        mistake(open.span, "this set is never closed", "add the missing `}`");
        return false;
      case TokenKind::comma:
        if (!comma_reported) {
          mistake(token.span, "the values of a set are separated by spaces, not commas",
                  "remove the commas");
        }
        comma_reported = true;
        break;
      case TokenKind::list_name:
        mistake(
            token.span, "a list stands after `in` without braces",
            "write `in " + std::string(text_.substr(token.span.offset, token.span.length)) + "`");
        fine = false;
        break;
      case TokenKind::quoted:
      case TokenKind::raw:
      case TokenKind::bare:
        node.literals.push_back(literal_of(std::move(token)));
        break;
      default:
        mistake(token.span, "expected a literal or `}`, found " + shown(token.span),
                token.kind == TokenKind::close_parenthesis || is_logical(token.kind)
                    ? "this set is never closed: add the missing `}`"
                    : "");
        if (token.kind == TokenKind::close_parenthesis || is_logical(token.kind)) {
          lexer_.seek(token.span.offset);
          return false;
        }
        fine = false;
    }
  }
}

Node ExpressionParser::index() {
  auto const start = here();
  auto base = named();
  if (too_deep_ || !at_bracket()) return base;
  Node node;
  node.kind = Node::Kind::index;
  node.children.push_back(std::move(base));
  bool fine = true;
  do fine = step(node) && fine;
  while (at_bracket());
  node.span = since(start);
  node.mark = node.steps.empty() ? node.span : joined(node.steps[0].span, node.steps.back().span);
  if (!fine) node.kind = Node::Kind::mistake;
  return node;
}

bool ExpressionParser::at_bracket() {
  auto const& ahead = peek(Expect::operation);
  if (ahead.kind != TokenKind::open_bracket) return false;
  if (ahead.span.offset == last_end_) return true;
  mistake(ahead.span, "an index must follow its field directly", "remove the space before `[`");
  return true;
}

bool ExpressionParser::step(Node& node) {
  auto const open = take(Expect::operation);
  auto const token = take(Expect::literal);
  IndexStep step;
  bool fine = !token.mistaken;
  switch (token.kind) {
    case TokenKind::star:
      step.kind = IndexStep::Kind::each;
      break;
    case TokenKind::quoted:
      step.kind = IndexStep::Kind::key;
      step.key = token.bytes;
      break;
    case TokenKind::raw:
      mistake(token.span, "a key is a quoted string, not a raw one", "write [\"...\"]");
      fine = false;
      break;
    case TokenKind::bare: {
      auto const number = parse_integer(token.bytes);
      if (number && *number >= 0 && *number <= 0xffffffff) {
        step.at = static_cast<std::uint32_t>(*number);
      } else {
        fine = false;
        if (number) {
          mistake(token.span, "an index counts from 0 to 4294967295",
                  *number < 0 ? "there is no counting from the end" : "");
        } else {
          mistake(token.span, "an index is a number, a quoted key, or `*`",
                  "write [\"" + token.bytes + "\"]");
        }
      }
      break;
    }
    case TokenKind::close_bracket:
      mistake(joined(open.span, token.span), "an index is a number, a quoted key, or `*`",
              "write [0], [\"key\"] or [*]");
      return false;
    default:
      mistake(token.kind == TokenKind::end ? open.span : token.span,
              "an index is a number, a quoted key, or `*`");
      if (token.kind == TokenKind::end) return false;
      fine = false;
  }
  if (peek(Expect::operation).kind == TokenKind::close_bracket) {
    take(Expect::operation);
  } else if (fine) {
    mistake(open.span, "this bracket is never closed", "add the missing `]`");
    fine = false;
  }
  step.span = since(open.span.offset);
  node.steps.push_back(std::move(step));
  return fine;
}

// A field, or a call with its arguments.
Node ExpressionParser::named() {
  auto token = take(Expect::operand);
  Node node;
  node.kind = Node::Kind::field;
  node.span = token.span;
  node.mark = token.span;
  node.name = std::move(token.bytes);
  if (peek(Expect::operation).kind != TokenKind::open_parenthesis) return node;
  node.kind = node.name == "any" || node.name == "all" ? Node::Kind::quantifier : Node::Kind::call;
  auto const open = take(Expect::operation);
  if (!enter(joined(node.mark, open.span))) return node;
  arguments(node, open);
  --depth_;
  node.span = since(node.mark.offset);
  return node;
}

void ExpressionParser::arguments(Node& node, Token const& open) {
  if (peek(Expect::operand).kind == TokenKind::close_parenthesis) {
    take(Expect::operand);
    return;
  }
  for (;;) {
    node.children.push_back(argument(node.name));
    if (too_deep_) return;
    auto const ahead = peek(Expect::operation);
    if (ahead.kind != TokenKind::comma) break;
    auto const comma = take(Expect::operation);
    if (peek(Expect::operand).kind == TokenKind::close_parenthesis) {
      mistake(comma.span, "an argument is missing after this comma", "remove the comma");
      node.incomplete = true;
      break;
    }
  }
  auto const ahead = peek(Expect::operation);
  if (ahead.kind == TokenKind::close_parenthesis) {
    take(Expect::operation);
    return;
  }
  node.incomplete = true;
  if (ahead.kind == TokenKind::end) {
    mistake(joined(node.mark, open.span), "this call is never closed", "add the missing `)`");
    return;
  }
  if (!ahead.mistaken) {
    mistake(ahead.span, "expected `,` or `)`, found " + shown(ahead.span),
            is_literal(ahead.kind) ? "arguments are separated by commas" : "");
  }
  take(Expect::operation);
  skip_to_boundary();
  while (peek(Expect::operation).kind == TokenKind::comma) {
    take(Expect::operation);
    skip_to_boundary();
  }
  if (peek(Expect::operation).kind == TokenKind::close_parenthesis) take(Expect::operation);
}

Node ExpressionParser::argument(std::string const& function) {
  auto const ahead = glance(Expect::operand);
  if (is_literal(ahead.kind)) {
    Node node;
    node.kind = Node::Kind::literal;
    node.span = ahead.span;
    node.mark = ahead.span;
    node.literals.push_back(literal_of(take(Expect::operand)));
    if (ahead.kind == TokenKind::list_name && !ahead.mistaken) {
      mistake(ahead.span, "a list can only stand after `in`");
      node.kind = Node::Kind::mistake;
    }
    if (is_compare(peek(Expect::operation).kind)) {
      mistake(ahead.span, "a comparison starts with a field, not with a literal",
              "put the field on the left and the literal on the right");
      skip_to_boundary();
      node.kind = Node::Kind::mistake;
    }
    return node;
  }
  if (ahead.kind == TokenKind::comma || ahead.kind == TokenKind::end) {
    mistake(ahead.span, "expected an argument" + std::string(ahead.kind == TokenKind::end
                                                                 ? ", but the expression ends"
                                                                 : " before this comma"));
    return {};
  }
  // What begins with a parenthesis, `not`, any() or all() is a whole condition; what begins with
  // a field is one comparison, and ends before a logical operator.
  bool const whole = ahead.kind == TokenKind::open_parenthesis ||
                     ahead.kind == TokenKind::logical_not || peek(Expect::operand).bytes == "any" ||
                     peek(Expect::operand).bytes == "all";
  if (whole) return disjunction();
  auto const start = here();
  auto node = simple();
  if (!is_logical(peek(Expect::operation).kind)) return node;
  auto const sign = peek(Expect::operation);
  bool const quantifier = function == "any" || function == "all";
  std::string const inside =
      quantifier
          ? function + "((a[*] == \"x\") " +
                std::string(text_.substr(sign.span.offset, sign.span.length)) + " (a[*] == \"y\"))"
          : "(a " + std::string(text_.substr(sign.span.offset, sign.span.length)) + " b)";
  mistake(sign.span,
          quantifier ? function + "() takes one condition without " + shown(sign.span)
                     : "an argument cannot hold " + shown(sign.span) + " without parentheses",
          "put parentheses around each: " + inside);
  while (is_logical(peek(Expect::operation).kind)) {
    take(Expect::operation);
    simple();
  }
  node.kind = Node::Kind::mistake;
  node.span = since(start);
  return node;
}

}  // namespace certgate::rules
