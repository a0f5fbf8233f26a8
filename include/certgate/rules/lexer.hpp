// Cuts an expression into tokens, with the span of each.
//
// The language has no reserved words and no word boundaries (`notssl` is `not ssl`, `10.0.0.1` may
// be an address or four bytes), so the parser says what could come next, and the lexer reads that.
// It reports malformed literals itself and then goes on, so that one slip is one mistake.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "certgate/rules/mistake.hpp"

namespace certgate::rules {

enum class TokenKind : std::uint8_t {
  end,
  unknown,
  identifier,  // a field or function name
  quoted,      // "..." : bytes hold the decoded value
  raw,         // r"..." r#"..."# : bytes hold the inside
  bare,        // any other literal, to be understood by the type it is compared with: 80 10.0.0.0/8
  list_name,   // $name : bytes hold the name
  open_parenthesis,
  close_parenthesis,
  open_bracket,
  close_bracket,
  open_brace,
  close_brace,
  comma,
  star,
  logical_not,
  logical_and,
  logical_or,
  logical_xor,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  contains,
  matches,
  wildcard,
  strict_wildcard,
  bitwise_and,
};

// `equal`: "`==`"; `identifier`: "a field name". For messages.
std::string_view describe(TokenKind kind);

struct Token {
  TokenKind kind = TokenKind::end;
  Span span;
  std::string bytes;      // see TokenKind
  bool mistaken = false;  // a mistake about it has been reported
};

// What the parser could use next.
enum class Expect {
  operand,    // a name, `not`, a parenthesis; or a literal, where an argument may be one
  operation,  // a comparison or logical operator, a bracket directly after a name, a closing sign
  literal,    // what stands right of a comparison, inside a set, or in brackets
  regex,      // a literal right of `matches`, where a backslash means something else
};

class Lexer {
 public:
  // Both must outlive the lexer.
  Lexer(std::string_view text, Mistakes& mistakes) : text_(text), mistakes_(mistakes) {}

  // Skips white space, reads one token and moves behind it. At the end: TokenKind::end, for ever.
  Token next(Expect expect);
  // Where the next token starts, after white space; text.size() at the end.
  std::size_t position();
  // Whether nothing, not even white space, stands between the last token and the next.
  bool adjacent() const;
  void seek(std::size_t offset) { offset_ = offset; }
  std::string_view text() const { return text_; }
  // Where the first tab between tokens stands; npos: there is none.
  std::size_t first_tab() const { return tab_; }

 private:
  void skip_space();
  void skip_ignored(Expect expect);
  Token sign_or_operator(Expect expect);
  std::optional<Token> shouted_not(std::string_view rest);
  std::optional<Token> operator_word(std::string_view rest, std::string_view word);
  Token identifier();
  Token quoted();
  Token quoted_regex();
  Token raw();
  Token bare();
  Token list_name();
  Token foreign_quotes(std::string_view open, std::string_view close, std::string message,
                       std::string hint);
  Token take(TokenKind kind, std::size_t length);
  void mistake(Span span, std::string message, std::string hint = {});
  bool at(std::string_view word) const { return text_.substr(offset_).starts_with(word); }

  std::string_view text_;
  Mistakes& mistakes_;
  std::size_t offset_ = 0;
  std::size_t tab_ = std::string_view::npos;
};

}  // namespace certgate::rules
