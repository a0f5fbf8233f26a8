#include "token_reader.hpp"

#include <algorithm>

namespace certgate::rules {

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

Token const& TokenReader::peek(Expect expect) {
  if (ahead_ && ahead_expect_ == expect) return *ahead_;
  forget_ahead();
  ahead_start_ = lexer_.position();
  ahead_mistakes_ = mistakes_.size();
  ahead_ = lexer_.next(expect);
  ahead_mistakes_end_ = mistakes_.size();
  ahead_expect_ = expect;
  return *ahead_;
}

Token TokenReader::take(Expect expect) {
  peek(expect);
  auto token = std::move(*ahead_);
  ahead_.reset();
  last_end_ = token.span.end();
  return token;
}

void TokenReader::forget_ahead() {
  if (!ahead_) return;
  lexer_.seek(ahead_start_);
  // What the lexer found wrong with the token it will find again.
  auto const first = mistakes_.begin();
  mistakes_.erase(first + static_cast<std::ptrdiff_t>(ahead_mistakes_),
                  first + static_cast<std::ptrdiff_t>(ahead_mistakes_end_));
  ahead_.reset();
}

std::size_t TokenReader::here() { return ahead_ ? ahead_start_ : lexer_.position(); }

void TokenReader::mistake(Span span, std::string message, std::string hint) {
  mistakes_.push_back({span, std::move(message), std::move(hint)});
}

std::string TokenReader::shown(Span span) const {
  return "`" + std::string(text_.substr(span.offset, span.length)) + "`";
}

Span TokenReader::since(std::size_t start) const {
  return {start, last_end_ > start ? last_end_ - start : 0};
}

void TokenReader::skip_to_boundary() {
  forget_ahead();
  std::size_t at = lexer_.position();
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
      if (c == ',' || rest.starts_with("&&") || rest.starts_with("||") || rest.starts_with("^^")) {
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

}  // namespace certgate::rules
