#include "certgate/rules/parser.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "characters.hpp"
#include "parse_number.hpp"

namespace certgate::rules {

namespace {

bool is_compare(TokenKind kind) {
  return kind >= TokenKind::equal && kind <= TokenKind::bitwise_and;
}

CompareOp compare_op(TokenKind kind) {
  switch (kind) {
    case TokenKind::not_equal:
      return CompareOp::not_equal;
    case TokenKind::less:
      return CompareOp::less;
    case TokenKind::less_equal:
      return CompareOp::less_equal;
    case TokenKind::greater:
      return CompareOp::greater;
    case TokenKind::greater_equal:
      return CompareOp::greater_equal;
    case TokenKind::in:
      return CompareOp::in_set;
    case TokenKind::contains:
      return CompareOp::contains;
    case TokenKind::matches:
      return CompareOp::matches;
    case TokenKind::wildcard:
      return CompareOp::wildcard;
    case TokenKind::strict_wildcard:
      return CompareOp::strict_wildcard;
    case TokenKind::bitwise_and:
      return CompareOp::bitwise_and;
    default:
      return CompareOp::equal;
  }
}

bool is_literal(TokenKind kind) {
  return kind == TokenKind::quoted || kind == TokenKind::raw || kind == TokenKind::bare ||
         kind == TokenKind::list_name;
}

Literal literal_of(Token token) {
  return {token.kind, token.span, std::move(token.bytes), token.mistaken};
}

class Parser {
 public:
  Parser(std::string_view text, Limits const& limits, Mistakes& mistakes)
      : text_(text),
        limits_(limits),
        nesting_limit_(std::min(limits.nesting, max_nesting)),
        mistakes_(mistakes),
        lexer_(text, mistakes) {}

  Node expression() {
    if (!length_is_fine()) return {};
    if (peek(Expect::operand).kind == TokenKind::end) {
      mistake({0, text_.size()}, "the expression is empty",
              "a rule that is to match everything can say `ssl or not ssl`");
      return {};
    }
    auto root = disjunction();
    expect_end();
    return root;
  }

  Node value() {
    if (!length_is_fine()) return {};
    if (peek(Expect::operand).kind == TokenKind::end) {
      mistake({0, text_.size()}, "the expression is empty", "name a field, or write a literal");
      return {};
    }
    auto root = argument("value");
    expect_end();
    return root;
  }

 private:
  // ---- tokens

  Token const& peek(Expect expect) {
    if (ahead_ && ahead_expect_ == expect) return *ahead_;
    forget_ahead();
    ahead_start_ = lexer_.position();
    ahead_mistakes_ = mistakes_.size();
    ahead_ = lexer_.next(expect);
    ahead_mistakes_end_ = mistakes_.size();
    ahead_expect_ = expect;
    return *ahead_;
  }
  Token take(Expect expect) {
    peek(expect);
    auto token = std::move(*ahead_);
    ahead_.reset();
    last_end_ = token.span.end();
    return token;
  }
  void forget_ahead() {
    if (!ahead_) return;
    lexer_.seek(ahead_start_);
    // What the lexer found wrong with the token it will find again.
    auto const first = mistakes_.begin();
    mistakes_.erase(first + static_cast<std::ptrdiff_t>(ahead_mistakes_),
                    first + static_cast<std::ptrdiff_t>(ahead_mistakes_end_));
    ahead_.reset();
  }
  std::size_t here() {
    forget_ahead();
    return lexer_.position();
  }
  void mistake(Span span, std::string message, std::string hint = {}) {
    mistakes_.push_back({span, std::move(message), std::move(hint)});
  }
  std::string shown(Span span) const {
    return "`" + std::string(text_.substr(span.offset, span.length)) + "`";
  }
  Span since(std::size_t start) const { return {start, last_end_ > start ? last_end_ - start : 0}; }

  // Goes to the next logical operator, comma or closing sign that belongs to what is open here.
  void skip_to_boundary() {
    std::size_t at = here();
    int depth = 0;
    while (at < text_.size()) {
      auto const rest = text_.substr(at);
      char const c = text_[at];
      if (c == '"') {
        auto end = at + 1;
        while (end < text_.size() && text_[end] != '"') end += text_[end] == '\\' ? 2 : 1;
        at = end + 1;
        continue;
      }
      if (c == '(' || c == '{' || c == '[') ++depth;
      if (c == ')' || c == '}' || c == ']') {
        if (depth == 0 && c == ')') break;
        if (depth > 0) --depth;
      }
      if (depth == 0 && at > 0) {
        if (c == ',' || rest.starts_with("&&") || rest.starts_with("||") ||
            rest.starts_with("^^")) {
          break;
        }
        bool const word = is_space(text_[at - 1]) || text_[at - 1] == ')' || text_[at - 1] == '"';
        auto const is_word = [&](std::string_view w) {
          return rest.starts_with(w) && (rest.size() == w.size() || is_space(rest[w.size()]) ||
                                         rest[w.size()] == '(' || rest[w.size()] == '!');
        };
        if (word && (is_word("and") || is_word("or") || is_word("xor"))) break;
      }
      ++at;
    }
    at = std::min(at, text_.size());
    lexer_.seek(at);
    last_end_ = std::max(last_end_, at);
  }

  // ---- shape

  bool length_is_fine() {
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

  void expect_end() {
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

  static bool is_logical(TokenKind kind) {
    return kind == TokenKind::logical_and || kind == TokenKind::logical_or ||
           kind == TokenKind::logical_xor;
  }

  void unexpected_operation(Token const& token) {
    if (token.mistaken) return;
    if (is_compare(token.kind)) {
      mistake(token.span, "a second comparison without a logical operator between",
              "compare a field with one literal, and join comparisons by `and`, `or` or `xor`");
    } else if (token.kind == TokenKind::open_bracket) {
      mistake(token.span, "an index must follow its field directly", "remove the space before `[`");
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

  Node disjunction() { return chain(TokenKind::logical_or); }

  // or < xor < and, each chain of equal operators flat.
  Node chain(TokenKind op) {
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

  bool enter(Span span) {
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

  Node simple() {
    auto const& ahead = peek(Expect::operand);
    switch (ahead.kind) {
      case TokenKind::open_parenthesis:
        return parenthesised();
      case TokenKind::logical_not:
        return negation();
      case TokenKind::identifier:
        return comparison();
      default:
        return missing_operand();
    }
  }

  Node missing_operand() {
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

  Node parenthesised() {
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

  void close(Token const& open, char const* message) {
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

  Node negation() {
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

  // ---- comparisons

  Node comparison() {
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
                "write `not " + std::string(text_.substr(left.span.offset, left.span.length)) +
                    " " + std::string(text_.substr(operation.span.offset, operation.span.length)) +
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
    node.span = since(start);
    if (!fine || misplaced_not || operation.mistaken) {
      node.kind = Node::Kind::mistake;  // the left side is still checked
    }
    return node;
  }

  bool right_side(Node& node, Token const& operation) {
    bool const is_in = operation.kind == TokenKind::in;
    auto const expect = operation.kind == TokenKind::matches ? Expect::regex : Expect::literal;
    auto const ahead = peek(expect);
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

  void skip_balanced() {
    int depth = 0;
    do {
      auto const token = take(Expect::operation);
      if (token.kind == TokenKind::end) return;
      if (token.kind == TokenKind::unknown && text_[token.span.offset] == '"') continue;
      if (token.kind == TokenKind::open_parenthesis) ++depth;
      if (token.kind == TokenKind::close_parenthesis) --depth;
    } while (depth > 0);
  }

  bool set(Node& node, Token const& open) {
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

  // ---- values

  Node index() {
    auto const start = here();
    auto base = named();
    if (too_deep_ || !adjacent_bracket()) return base;
    Node node;
    node.kind = Node::Kind::index;
    node.children.push_back(std::move(base));
    bool fine = true;
    while (adjacent_bracket()) fine = step(node) && fine;
    node.span = since(start);
    node.mark = node.steps.empty() ? node.span : joined(node.steps[0].span, node.steps.back().span);
    if (!fine) node.kind = Node::Kind::mistake;
    return node;
  }

  bool adjacent_bracket() {
    auto const& ahead = peek(Expect::operation);
    return ahead.kind == TokenKind::open_bracket && ahead.span.offset == last_end_;
  }

  bool step(Node& node) {
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
  Node named() {
    auto token = take(Expect::operand);
    Node node;
    node.kind = Node::Kind::field;
    node.span = token.span;
    node.mark = token.span;
    node.name = std::move(token.bytes);
    if (peek(Expect::operation).kind != TokenKind::open_parenthesis) return node;
    node.kind =
        node.name == "any" || node.name == "all" ? Node::Kind::quantifier : Node::Kind::call;
    auto const open = take(Expect::operation);
    if (!enter(joined(node.mark, open.span))) return node;
    arguments(node, open);
    --depth_;
    node.span = since(node.mark.offset);
    return node;
  }

  void arguments(Node& node, Token const& open) {
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
        break;
      }
    }
    auto const ahead = peek(Expect::operation);
    if (ahead.kind == TokenKind::close_parenthesis) {
      take(Expect::operation);
      return;
    }
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

  Node argument(std::string const& function) {
    auto const ahead = peek(Expect::operand);
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
                       ahead.kind == TokenKind::logical_not || ahead.bytes == "any" ||
                       ahead.bytes == "all";
    if (whole) return disjunction();
    auto const start = here();
    auto node = simple();
    if (!is_logical(peek(Expect::operation).kind)) return node;
    auto const sign = peek(Expect::operation);
    bool const quantifier = function == "any" || function == "all";
    std::string const inside =
        quantifier ? function + "((a[*] == \"x\") " +
                         std::string(text_.substr(sign.span.offset, sign.span.length)) +
                         " (a[*] == \"y\"))"
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

  std::string_view text_;
  Limits const& limits_;
  std::size_t nesting_limit_;
  Mistakes& mistakes_;
  Lexer lexer_;
  std::optional<Token> ahead_;
  Expect ahead_expect_ = Expect::operand;
  std::size_t ahead_start_ = 0;
  std::size_t ahead_mistakes_ = 0;
  std::size_t ahead_mistakes_end_ = 0;
  std::size_t last_end_ = 0;
  std::size_t depth_ = 0;
  bool too_deep_ = false;
};

}  // namespace

Parsed parse_expression(std::string_view text, Limits const& limits) {
  Parsed parsed;
  parsed.root = Parser(text, limits, parsed.mistakes).expression();
  return parsed;
}

Parsed parse_value(std::string_view text, Limits const& limits) {
  Parsed parsed;
  parsed.root = Parser(text, limits, parsed.mistakes).value();
  return parsed;
}

}  // namespace certgate::rules
