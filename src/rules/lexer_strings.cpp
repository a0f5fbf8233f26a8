// Reads string literals: quoted, quoted as a regular expression, and raw.
#include "certgate/base/encoding.hpp"
#include "certgate/rules/lexer.hpp"

namespace certgate::rules {

namespace {

bool is_octal(char c) { return c >= '0' && c <= '7'; }

constexpr std::size_t max_raw_hashes = 255;

}  // namespace

// Spec: escapes are \" \\ \xHH \OOO (exactly three octal digits, at most 377) and nothing else.
Token Lexer::quoted() {
  auto const start = offset_;
  Token token;
  token.kind = TokenKind::quoted;
  std::size_t at = start + 1;
  while (at < text_.size() && text_[at] != '"') {
    if (text_[at] != '\\') {
      token.bytes += text_[at++];
      continue;
    }
    auto const rest = text_.substr(at + 1);
    if (rest.empty()) {
      ++at;
      break;
    }
    if (rest[0] == '"' || rest[0] == '\\') {
      token.bytes += rest[0];
      at += 2;
    } else if (rest.size() >= 3 && rest[0] == 'x' && hex_digit(rest[1]) >= 0 &&
               hex_digit(rest[2]) >= 0) {
      token.bytes += static_cast<char>(hex_digit(rest[1]) * 16 + hex_digit(rest[2]));
      at += 4;
    } else if (rest.size() >= 3 && rest[0] <= '3' && is_octal(rest[0]) && is_octal(rest[1]) &&
               is_octal(rest[2])) {
      token.bytes +=
          static_cast<char>((rest[0] - '0') * 64 + (rest[1] - '0') * 8 + (rest[2] - '0'));
      at += 4;
    } else {
      std::string hint = "write `\\\\` for a backslash, or use a raw string: r\"...\"";
      if (rest[0] == 'n' || rest[0] == 't' || rest[0] == 'r') {
        hint = rest[0] == 'n' ? "write `\\x0a` for a new line"
                              : (rest[0] == 't' ? "write `\\x09` for a tab"
                                                : "write `\\x0d` for a carriage return");
      } else if (rest[0] == 'x') {
        hint = "`\\x` takes two hexadecimal digits: `\\x41`";
      } else if (rest[0] >= '0' && rest[0] <= '9') {
        hint = "an octal escape has three digits, at most 377: `\\101`";
      }
      mistake({at, 2}, "`" + std::string(text_.substr(at, 2)) + "` is not an escape sequence",
              std::move(hint));
      token.mistaken = true;
      at += 2;
    }
  }
  bool const closed = at < text_.size();
  offset_ = closed ? at + 1 : text_.size();
  token.span = {start, offset_ - start};
  if (!closed) {
    mistake(token.span, "this string is never closed", "add the missing `\"`");
    token.mistaken = true;
  }
  return token;
}

// Spec: in a quoted regular expression `\"` is a quote, any other escape is passed through; inside
// a [class] a bare quote does not end the string and `\"` stays as it is.
Token Lexer::quoted_regex() {
  auto const start = offset_;
  Token token;
  token.kind = TokenKind::quoted;
  std::size_t at = start + 1;
  std::size_t class_start = 0;
  bool in_class = false;
  while (at < text_.size() && (in_class || text_[at] != '"')) {
    char const c = text_[at];
    if (c == '\\' && at + 1 < text_.size()) {
      if (text_[at + 1] != '"' || in_class) token.bytes += c;
      token.bytes += text_[at + 1];
      at += 2;
      continue;
    }
    if (!in_class && c == '[') {
      in_class = true;
      class_start = at;
    } else if (in_class && c == ']') {
      in_class = false;
    }
    token.bytes += c;
    ++at;
  }
  bool const closed = at < text_.size();
  offset_ = closed ? at + 1 : text_.size();
  token.span = {start, offset_ - start};
  if (!closed) {
    if (in_class) {
      mistake({class_start, text_.size() - class_start},
              "this character class is never closed, so neither is the string",
              "add the missing `]`, or write `\\[` for a bracket");
    } else {
      mistake(token.span, "this string is never closed", "add the missing `\"`");
    }
    token.mistaken = true;
  }
  return token;
}

Token Lexer::raw() {
  auto const start = offset_;
  std::size_t at = start + 1;
  while (at < text_.size() && text_[at] == '#') ++at;
  auto const hashes = at - start - 1;
  Token token;
  token.kind = TokenKind::raw;
  if (at == text_.size() || text_[at] != '"') {
    // Whatever stands in place of the string.
    while (at < text_.size() &&
           std::string_view(" \t\r\n(){}[],").find(text_[at]) == std::string_view::npos) {
      ++at;
    }
    offset_ = at;
    token.span = {start, at - start};
    mistake(token.span, "a raw string is written r\"...\" or r#\"...\"#",
            "put its text between double quotes");
    token.mistaken = true;
    return token;
  }
  if (hashes > max_raw_hashes) {
    mistake({start + 1, hashes}, "a raw string takes at most 255 `#`");
    token.mistaken = true;
  }
  auto const ending = '"' + std::string(hashes, '#');
  auto const end = text_.find(ending, at + 1);
  bool const closed = end != std::string_view::npos;
  token.bytes = text_.substr(at + 1, (closed ? end : text_.size()) - at - 1);
  offset_ = closed ? end + ending.size() : text_.size();
  token.span = {start, offset_ - start};
  if (!closed) {
    mistake(token.span, "this raw string is never closed", "it must end with `" + ending + "`");
    token.mistaken = true;
  }
  return token;
}

}  // namespace certgate::rules
