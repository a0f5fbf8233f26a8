#include "certgate/rules/lexer.hpp"

#include <array>
#include <optional>
#include <utility>

#include "certgate/base/encoding.hpp"
#include "certgate/rules/ast.hpp"
#include "characters.hpp"

namespace certgate::rules {

namespace {

// Of each byte: whether a field's name can hold it.
constexpr auto name_chars = [] {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
  table['_'] = true;
  return table;
}();
bool is_name_char(char c) { return name_chars[static_cast<unsigned char>(c)]; }

struct Sign {
  std::string_view text;
  TokenKind kind;
};

constexpr auto signs = std::to_array<Sign>({
    {"&&", TokenKind::logical_and},
    {"||", TokenKind::logical_or},
    {"^^", TokenKind::logical_xor},
    {"==", TokenKind::equal},
    {"!=", TokenKind::not_equal},
    {">=", TokenKind::greater_equal},
    {"<=", TokenKind::less_equal},
    {">", TokenKind::greater},
    {"<", TokenKind::less},
    {"&", TokenKind::bitwise_and},
    {"~", TokenKind::matches},
    {"!", TokenKind::logical_not},
    {"(", TokenKind::open_parenthesis},
    {")", TokenKind::close_parenthesis},
    {"[", TokenKind::open_bracket},
    {"]", TokenKind::close_bracket},
    {"{", TokenKind::open_brace},
    {"}", TokenKind::close_brace},
    {",", TokenKind::comma},
    {"*", TokenKind::star},
});

// In the order in which the reference engine tries them as prefixes.
constexpr auto words = std::to_array<Sign>({
    {"in", TokenKind::in},
    {"eq", TokenKind::equal},
    {"ne", TokenKind::not_equal},
    {"ge", TokenKind::greater_equal},
    {"le", TokenKind::less_equal},
    {"gt", TokenKind::greater},
    {"lt", TokenKind::less},
    {"bitwise_and", TokenKind::bitwise_and},
    {"contains", TokenKind::contains},
    {"matches", TokenKind::matches},
    {"wildcard", TokenKind::wildcard},
    {"strict wildcard", TokenKind::strict_wildcard},
    {"or", TokenKind::logical_or},
    {"xor", TokenKind::logical_xor},
    {"and", TokenKind::logical_and},
    {"not", TokenKind::logical_not},
});

// What people write in place of an operator.
struct Slip {
  std::string_view text;
  TokenKind meant;
  std::string_view hint;
};

constexpr auto sign_slips = std::to_array<Slip>({
    {"===", TokenKind::equal, "write `==` or `eq`"},
    {"=~", TokenKind::matches, "write `matches`"},
    {"!~", TokenKind::matches, "write `not` before the field, and `matches`"},
    {"<>", TokenKind::not_equal, "write `!=` or `ne`"},
    {"=>", TokenKind::greater_equal, "write `>=` or `ge`"},
    {"=<", TokenKind::less_equal, "write `<=` or `le`"},
    {":=", TokenKind::equal, "write `==` or `eq`"},
});

constexpr auto word_slips = std::to_array<Slip>({
    {"is", TokenKind::equal, "write `eq`"},
    {"equal", TokenKind::equal, "write `eq`"},
    {"equals", TokenKind::equal, "write `eq`"},
    {"neq", TokenKind::not_equal, "write `ne`"},
    {"lte", TokenKind::less_equal, "write `le`"},
    {"gte", TokenKind::greater_equal, "write `ge`"},
    {"like", TokenKind::wildcard, "write `wildcard`, whose `*` stands for anything"},
    {"glob", TokenKind::wildcard, "write `wildcard`, whose `*` stands for anything"},
    {"match", TokenKind::matches, "write `matches`"},
    {"regex", TokenKind::matches, "write `matches`"},
    {"contain", TokenKind::contains, "write `contains`"},
    {"include", TokenKind::contains, "write `contains`"},
    {"includes", TokenKind::contains, "write `contains`"},
    {"starts_with", TokenKind::contains, "it is a function: `starts_with(field, \"...\")`"},
    {"startswith", TokenKind::contains, "use the function `starts_with(field, \"...\")`"},
    {"ends_with", TokenKind::contains, "it is a function: `ends_with(field, \"...\")`"},
    {"endswith", TokenKind::contains, "use the function `ends_with(field, \"...\")`"},
});

std::size_t name_length(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && (is_letter(text[length]) || text[length] == '_')) ++length;
  return length;
}

// The bytes of the (possibly malformed) UTF-8 character that `text` starts with.
std::size_t character_length(std::string_view text) {
  std::size_t length = 1;
  if (static_cast<unsigned char>(text[0]) < 0xc0) return length;
  while (length < text.size() && length < 4 &&
         (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) {
    ++length;
  }
  return length;
}

// How much of a bare literal is an integer or a byte string directly followed by a logical
// operator: `80and ssl` is legal.
std::size_t length_before_operator(std::string_view run) {
  auto const ends_here = [&](std::size_t at) {
    auto const rest = run.substr(at);
    return rest.starts_with("and") || rest.starts_with("or") || rest.starts_with("xor");
  };
  std::size_t at = run.starts_with('-') ? 1 : 0;
  auto const first_digit = at;
  while (at < run.size() && is_digit(run[at])) ++at;
  if (at > first_digit && ends_here(at)) return at;
  at = 0;
  while (at + 2 <= run.size() && hex_digit(run[at]) >= 0 && hex_digit(run[at + 1]) >= 0) {
    at += 2;
    if (at > 2 && ends_here(at)) return at;
    if (at >= run.size() || (run[at] != ':' && run[at] != '-' && run[at] != '.')) break;
    ++at;
  }
  return run.size();
}

}  // namespace

std::string_view describe(TokenKind kind) {
  switch (kind) {
    case TokenKind::end:
      return "the end";
    case TokenKind::unknown:
      return "something unknown";
    case TokenKind::identifier:
      return "a name";
    case TokenKind::quoted:
    case TokenKind::raw:
      return "a string";
    case TokenKind::bare:
      return "a literal";
    case TokenKind::list_name:
      return "a list";
    default:
      break;
  }
  for (auto const& sign : signs) {
    if (sign.kind == kind) return sign.text;
  }
  for (auto const& word : words) {
    if (word.kind == kind) return word.text;
  }
  return "something";
}

void Lexer::skip_space() {
  while (offset_ < text_.size() && is_space(text_[offset_])) {
    if (text_[offset_] == '\t' && tab_ == std::string_view::npos) tab_ = offset_;
    ++offset_;
  }
}

std::size_t Lexer::position() {
  skip_space();
  return offset_;
}

bool Lexer::adjacent() const { return offset_ < text_.size() && !is_space(text_[offset_]); }

void Lexer::mistake(Span span, std::string message, std::string hint) {
  mistakes_.push_back({span, std::move(message), std::move(hint)});
}

Token Lexer::take(TokenKind kind, std::size_t length) {
  Token token;
  token.kind = kind;
  token.span = {offset_, length};
  offset_ += length;
  return token;
}

// Steps over white space, and over what people take for it.
void Lexer::skip_ignored(Expect expect) {
  for (;;) {
    skip_space();
    if (offset_ == text_.size()) return;
    char const c = text_[offset_];
    if (c != '#' && c != '/' && c != '\xc2') return;
    // An unquoted path may begin with slashes: that is another mistake, told later.
    bool const slashes = at("//") && expect != Expect::literal && expect != Expect::regex;
    if (at("#") || at("/*") || slashes) {
      auto end = text_.find('\n', offset_);
      if (end == std::string_view::npos) end = text_.size();
      mistake({offset_, end - offset_}, "the language has no comments",
              "describe the rule outside of its expression");
      offset_ = end;
    } else if (at("\u00a0")) {
      mistake({offset_, 2}, "a no-break space (U+00A0) is not white space here",
              "replace it by an ordinary space");
      offset_ += 2;
    } else {
      return;
    }
  }
}

Token Lexer::next(Expect expect) {
  skip_ignored(expect);
  if (offset_ == text_.size()) return take(TokenKind::end, 0);
  char const c = text_[offset_];
  if (c == '"') return expect == Expect::regex ? quoted_regex() : quoted();
  if (c == 'r' && (at("r\"") || at("r#"))) return raw();
  if (c == '\\' && at("\\\"")) {
    return foreign_quotes("\\\"", "\\\"", "the quotes are escaped",
                          "this looks copied from JSON: remove the backslashes before the quotes");
  }
  if (c == '\'') {
    return foreign_quotes("'", "'", "strings are written in double quotes", "replace ' by \"");
  }
  static constexpr std::pair<std::string_view, std::string_view> typographic[] = {
      {"\u201c", "\u201d"}, {"\u201d", "\u201d"}, {"\u2018", "\u2019"}};
  for (auto const& [open, close] : typographic) {
    if (c == open[0] && at(open)) {
      return foreign_quotes(open, close, "strings are written in straight double quotes",
                            "replace the typographic quotes by \"");
    }
  }
  if (c == '$') return list_name();
  return sign_or_operator(expect);
}

// NOT, where a condition can begin.
std::optional<Token> Lexer::shouted_not(std::string_view rest) {
  if (rest.size() < 4 || ascii_lower(rest.substr(0, 3)) != "not") return std::nullopt;
  if (rest[3] != '(' && !is_space(rest[3])) return std::nullopt;
  auto token = take(TokenKind::logical_not, 3);
  mistake(token.span, "`" + std::string(rest.substr(0, 3)) + "` is not an operator",
          "operators are lower case: write `not`");
  token.mistaken = true;
  return token;
}

// A word where an operator is expected, when it is none as it stands.
std::optional<Token> Lexer::operator_word(std::string_view rest, std::string_view word) {
  auto const lower = ascii_lower(word);
  if (rest.starts_with("strict wildcard")) return take(TokenKind::strict_wildcard, 15);
  if (lower == "strict") {
    std::size_t end = word.size();
    while (end < rest.size() && is_space(rest[end])) ++end;
    if (ascii_lower(rest.substr(end, 8)) == "wildcard") {
      auto token = take(TokenKind::strict_wildcard, end + 8);
      mistake(token.span, "this operator is spelt `strict wildcard`",
              "lower case, with exactly one space between the words");
      token.mistaken = true;
      return token;
    }
    auto token = take(TokenKind::strict_wildcard, word.size());
    mistake(token.span, "`" + std::string(word) + "` is not an operator by itself",
            "write `strict wildcard`, or `wildcard` where letters may be of either case");
    token.mistaken = true;
    return token;
  }
  for (auto const& slip : word_slips) {
    if (lower != slip.text) continue;
    auto token = take(slip.meant, word.size());
    mistake(token.span, "`" + std::string(word) + "` is not an operator", std::string(slip.hint));
    token.mistaken = true;
    return token;
  }
  for (auto const& each : words) {
    if (lower != each.text || each.kind == TokenKind::strict_wildcard) continue;
    auto token = take(each.kind, word.size());
    mistake(token.span, "`" + std::string(word) + "` is not an operator",
            "operators are lower case: write `" + std::string(each.text) + "`");
    token.mistaken = true;
    return token;
  }
  for (auto const& each : words) {
    if (word.starts_with(each.text)) return take(each.kind, each.text.size());
  }
  return std::nullopt;
}

Token Lexer::sign_or_operator(Expect expect) {
  auto const rest = text_.substr(offset_);
  bool const literal = expect == Expect::literal || expect == Expect::regex;
  if (expect == Expect::operand) {
    if (rest.starts_with("not")) return take(TokenKind::logical_not, 3);
    if (auto token = shouted_not(rest)) return *std::move(token);
    if (is_name_char(rest[0]) || rest[0] == ':' || rest[0] == '/' || rest[0] == '-') {
      return identifier();
    }
  }
  if (expect == Expect::operation) {
    auto const length = name_length(rest);
    auto const word = rest.substr(0, length);
    for (auto const& each : words) {
      if (length == each.text.size() && word == each.text) return take(each.kind, length);
    }
    for (auto const& slip : sign_slips) {
      if (length > 0) break;
      if (!rest.starts_with(slip.text)) continue;
      auto token = take(slip.meant, slip.text.size());
      mistake(token.span, "`" + std::string(slip.text) + "` is not an operator",
              std::string(slip.hint));
      token.mistaken = true;
      return token;
    }
    if (length > 0) {
      if (auto token = operator_word(rest, word)) return *std::move(token);
    }
  }
  for (auto const& sign : signs) {
    if (rest[0] != sign.text[0] || !rest.starts_with(sign.text)) continue;
    // Right of a comparison a sign is structure, or the start of a literal without quotes.
    if (literal && sign.kind == TokenKind::star && rest.size() > 1 && rest[1] != ']' &&
        !is_space(rest[1])) {
      break;
    }
    if (literal && sign.kind > TokenKind::logical_xor) break;
    if (literal && sign.kind == TokenKind::logical_not) break;
    return take(sign.kind, sign.text.size());
  }
  if (expect == Expect::operation && (rest[0] == '=' || rest[0] == '|' || rest[0] == '^')) {
    bool const equals = rest[0] == '=';
    bool const bar = rest[0] == '|';
    auto token =
        take(equals ? TokenKind::equal : (bar ? TokenKind::logical_or : TokenKind::logical_xor), 1);
    mistake(token.span, "`" + std::string(rest.substr(0, 1)) + "` is not an operator",
            equals ? "write `==` or `eq`" : (bar ? "write `||` or `or`" : "write `^^` or `xor`"));
    token.mistaken = true;
    return token;
  }
  if (literal && !(static_cast<unsigned char>(rest[0]) < 0x21)) return bare();
  std::size_t length = 0;
  while (length < rest.size() && (is_name_char(rest[length]) || rest[length] == '.')) ++length;
  if (length == 0) length = character_length(rest);
  return take(TokenKind::unknown, length);
}

Token Lexer::identifier() {
  auto const rest = text_.substr(offset_);
  std::size_t length = 0;
  while (length < rest.size() && (is_name_char(rest[length]) || rest[length] == '.')) ++length;
  bool const starts_like_name = is_letter(rest[0]) || rest[0] == '_';
  // `fe80::1` and `ab-cd` are literals; `http.host` is not.
  bool is_name = starts_like_name;
  if (is_name && length < rest.size() && (rest[length] == ':' || rest[length] == '-')) {
    is_name = false;
  }
  if (!is_name) return bare();
  auto token = take(TokenKind::identifier, length);
  token.bytes = rest.substr(0, length);
  return token;
}

Token Lexer::bare() {
  auto const rest = text_.substr(offset_);
  std::size_t length = 0;
  while (length < rest.size() && !is_space(rest[length])) {
    auto const two = rest.substr(length, 2);
    if (two == "&&" || two == "||" || two == "^^") break;
    if (std::string_view("\"'{}()[],").find(rest[length]) != std::string_view::npos) break;
    ++length;
  }
  if (length == 0) length = 1;
  length = length_before_operator(rest.substr(0, length));
  auto token = take(TokenKind::bare, length);
  token.bytes = rest.substr(0, length);
  return token;
}

Token Lexer::list_name() {
  auto const rest = text_.substr(offset_);
  std::size_t length = 1;
  while (length < rest.size() &&
         (is_name_char(rest[length]) || rest[length] == '.' || rest[length] == '-')) {
    ++length;
  }
  auto token = take(TokenKind::list_name, length);
  token.bytes = rest.substr(1, length - 1);
  bool legal = !token.bytes.empty() && token.bytes.front() != '.' && token.bytes.back() != '.';
  for (char const c : token.bytes) legal = legal && c != '-' && !(c >= 'A' && c <= 'Z');
  if (!legal) {
    mistake(token.span, "this is not the name of a list",
            "a list's name has lower-case letters, digits, `_` and inner dots: `$office_networks`");
    token.mistaken = true;
  }
  return token;
}

Token Lexer::foreign_quotes(std::string_view open, std::string_view close, std::string message,
                            std::string hint) {
  auto const start = offset_;
  auto end = text_.find(close, offset_ + open.size());
  bool const closed = end != std::string_view::npos;
  if (!closed) end = text_.size();
  Token token;
  token.kind = TokenKind::quoted;
  token.bytes = text_.substr(start + open.size(), end - start - open.size());
  offset_ = closed ? end + close.size() : end;
  token.span = {start, offset_ - start};
  token.mistaken = true;
  bool const again = !mistakes_.empty() && mistakes_.back().message == message &&
                     mistakes_.back().span.offset != start;
  if (!again) mistake(token.span, std::move(message), std::move(hint));
  return token;
}

}  // namespace certgate::rules
