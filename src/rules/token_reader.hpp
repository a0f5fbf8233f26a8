// What the parser reads from: one token ahead, read again when something else is expected after
// all.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "certgate/rules/ast.hpp"
#include "certgate/rules/lexer.hpp"
#include "certgate/rules/mistake.hpp"
#include "characters.hpp"

namespace certgate::rules {

inline bool is_compare(TokenKind kind) {
  return kind >= TokenKind::equal && kind <= TokenKind::bitwise_and;
}

inline bool is_logical(TokenKind kind) {
  return kind == TokenKind::logical_and || kind == TokenKind::logical_or ||
         kind == TokenKind::logical_xor;
}

inline bool is_literal(TokenKind kind) {
  return kind == TokenKind::quoted || kind == TokenKind::raw || kind == TokenKind::bare ||
         kind == TokenKind::list_name;
}

CompareOp compare_op(TokenKind kind);

inline Literal literal_of(Token token) {
  return {token.kind, token.span, std::move(token.bytes), token.mistaken};
}

class TokenReader {
 protected:
  // Both must outlive the reader.
  TokenReader(std::string_view text, Mistakes& mistakes)
      : text_(text), mistakes_(mistakes), lexer_(text, mistakes) {}

  // The next token, left where it is.
  Token const& peek(Expect expect);
  // The same without its bytes, for keeping beyond take().
  Token glance(Expect expect) {
    auto const& token = peek(expect);
    return {token.kind, token.span, {}, token.mistaken};
  }
  Token take(Expect expect);
  // Lets go of the token ahead and of what was found wrong with it.
  void forget_ahead();
  // Where the next token starts.
  std::size_t here();
  // Goes to the next logical operator, comma or closing sign that belongs to what is open here.
  void skip_to_boundary();

  void mistake(Span span, std::string message, std::string hint = {});
  std::string shown(Span span) const;
  // From `start` to the end of the token taken last.
  Span since(std::size_t start) const;

  std::string_view text_;
  Mistakes& mistakes_;
  Lexer lexer_;
  std::size_t last_end_ = 0;

 private:
  std::optional<Token> ahead_;
  Expect ahead_expect_ = Expect::operand;
  std::size_t ahead_start_ = 0;
  std::size_t ahead_mistakes_ = 0;
  std::size_t ahead_mistakes_end_ = 0;
};

}  // namespace certgate::rules
