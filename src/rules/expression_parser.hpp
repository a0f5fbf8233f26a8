// The recursive descent behind parse_expression() and parse_value(), one member for each shape.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "certgate/rules/limits.hpp"
#include "token_reader.hpp"

namespace certgate::rules {

class ExpressionParser : private TokenReader {
 public:
  ExpressionParser(std::string_view text, Limits const& limits, Mistakes& mistakes)
      : TokenReader(text, mistakes),
        limits_(limits),
        nesting_limit_(std::min(limits.nesting, max_nesting)) {}

  Node expression();
  Node value();

 private:
  // Conditions: parser.cpp.
  bool length_is_fine();
  void expect_end();
  void warn_of_tab();
  void unexpected_operation(Token const& token);
  Node disjunction();
  Node chain(TokenKind op);
  bool enter(Span span);
  Node simple();
  Node misplaced_operator();
  Node missing_operand();
  Node parenthesised();
  void close(Token const& open, char const* message);
  Node negation();
  Node comparison();
  bool right_side(Node& node, Token const& operation);

  // Values, and what stands right of an operator: parser_values.cpp.
  void skip_balanced();
  void skip_to_closing(Token const& open);
  bool set(Node& node, Token const& open);
  Node index();
  bool at_bracket();
  bool step(Node& node);
  Node named();
  void arguments(Node& node, Token const& open);
  Node argument(std::string const& function);

  Limits const& limits_;
  std::size_t nesting_limit_;
  std::size_t depth_ = 0;
  bool too_deep_ = false;
};

}  // namespace certgate::rules
