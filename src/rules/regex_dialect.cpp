#include "regex_dialect.hpp"

#include "certgate/base/encoding.hpp"
#include "characters.hpp"

namespace certgate::rules {

namespace {

bool is_non_ascii(char c) { return static_cast<unsigned char>(c) >= 0x80; }

class Translator {
 public:
  explicit Translator(std::string_view pattern) : in_(pattern) {}

  Result<TranslatedRegex, LiteralMistake> run() {
    if (in_.starts_with("(?u)")) {
      out_.utf8 = true;
      at_ = 4;
    }
    while (at_ < in_.size() && !mistake_.message.size()) piece();
    if (mistake_.message.empty() && ignores_case_ && beyond_ascii_ && !out_.utf8) {
      refuse("(?i) together with bytes beyond ASCII is read differently by different engines",
             "spell out both cases, or begin the expression with (?u)");
    }
    if (!mistake_.message.empty()) return fail(mistake_);
    return out_;
  }

 private:
  std::string_view rest() const { return in_.substr(at_); }
  void refuse(std::string message, std::string hint = {}) {
    mistake_ = {std::move(message), std::move(hint)};
  }
  void copy(std::size_t count) {
    out_.pattern += in_.substr(at_, count);
    at_ += count;
  }

  void piece() {
    char const c = in_[at_];
    if (c == '\\') return escape(false);
    if (c == '[') return character_class();
    if (c == '(') return group();
    if (is_non_ascii(c)) return non_ascii();
    if (rest().starts_with("{,")) {
      return refuse("a repetition needs its lower bound", "write {0,n}");
    }
    bool const repeats = c == '*' || c == '+' || c == '?';
    if ((c == '*' || c == '+') && at_ > 0 && after_repetition_) {
      return refuse("a repetition of a repetition (`" + std::string(in_.substr(at_ - 1, 2)) +
                        "`) is not supported",
                    "possessive repetition does not exist; for nesting write (?:a+)+");
    }
    after_repetition_ = repeats || c == '}';
    copy(1);
  }

  void group() {
    after_repetition_ = false;
    if (!rest().starts_with("(?")) return copy(1);
    auto const inside = rest().substr(2);
    if (inside.starts_with("<=") || inside.starts_with("<!") || inside.starts_with("=") ||
        inside.starts_with("!")) {
      return refuse("look-around (`" + std::string(rest().substr(0, inside[0] == '<' ? 4 : 3)) +
                        "`) is not supported",
                    "split the condition: `... matches \"a\" and not ... matches \"b\"`");
    }
    if (inside.starts_with(">")) {
      return refuse("atomic groups `(?>` are not supported",
                    "write `(?:`: matching never backtracks anyway");
    }
    if (inside.starts_with("#")) return refuse("comments `(?#` are not supported");
    if (inside.starts_with("<")) {
      out_.pattern += "(?P";
      at_ += 2;
      return;
    }
    if (inside.starts_with("P<")) return copy(3);
    // Flags, such as (?i) or (?i-s:
    std::size_t length = 2;
    bool negated = false;
    while (at_ + length < in_.size() && in_[at_ + length] != ')' && in_[at_ + length] != ':') {
      char const flag = in_[at_ + length++];
      if (flag == '-') {
        negated = true;
      } else if (flag == 'x') {
        return refuse("the flag (?x) is not supported", "write the expression without spaces");
      } else if (flag == 'R') {
        return refuse("the flag (?R) is not supported", "write `\\r?$`");
      } else if (flag == 'u') {
        return refuse("the flag (?u) can only stand at the very beginning, by itself",
                      "begin the expression with (?u)");
      } else if (flag == 'i') {
        ignores_case_ = ignores_case_ || !negated;
      } else if (flag != 'm' && flag != 's' && flag != 'U') {
        return refuse("`(?" + std::string(1, flag) + "` is not known",
                      "flags are i, m, s, U; groups are (?:...), (?P<name>...), (?<name>...)");
      }
    }
    copy(length);
  }

  // A character beyond ASCII stands for the bytes of its UTF-8 form, as one atom.
  void non_ascii() {
    after_repetition_ = false;
    beyond_ascii_ = true;
    if (out_.utf8) return copy(1);
    std::size_t length = 1;
    while (at_ + length < in_.size() && length < 4 &&
           (static_cast<unsigned char>(in_[at_ + length]) & 0xc0) == 0x80) {
      ++length;
    }
    out_.pattern += "(?:";
    for (std::size_t i = 0; i < length; ++i) append_byte(in_[at_ + i]);
    out_.pattern += ')';
    at_ += length;
  }
  void append_byte(char c) {
    out_.pattern += "\\x";
    auto const byte = static_cast<std::uint8_t>(c);
    append_hex(out_.pattern, Bytes(&byte, 1), HexCase::lower);
  }

  void escape(bool in_class) {
    after_repetition_ = false;
    if (at_ + 1 == in_.size()) return refuse("a backslash at the end escapes nothing");
    char const c = in_[at_ + 1];
    std::string const shown = "`\\" + std::string(1, c) + "`";
    if (c == 's' || c == 'S') {
      // Rust counts the vertical tab as white space; RE2's \s does not.
      at_ += 2;
      if (c == 's') {
        out_.pattern += in_class ? "\\t-\\r " : "[\\t-\\r ]";
      } else if (in_class) {
        out_.pattern += out_.utf8 ? "\\x00-\\x08\\x0e-\\x1f\\x21-\\x{10ffff}"
                                  : "\\x00-\\x08\\x0e-\\x1f\\x21-\\xff";
      } else {
        out_.pattern += "[^\\t-\\r ]";
      }
      return;
    }
    if (is_digit(c)) {
      return refuse("back-references and octal escapes (" + shown + ") are not supported",
                    "a byte is written \\xHH");
    }
    if ((c == 'p' || c == 'P') && !out_.utf8) {
      return refuse("character properties (" + shown + ") need the flag (?u)",
                    "begin the expression with (?u), or list the characters: [a-zA-Z]");
    }
    if (c == 'C' || c == 'Q' || c == 'E' || c == 'Z' || c == 'e' || c == 'u' || c == 'U' ||
        c == 'K' || c == 'G' || c == 'X' || c == 'R' || c == 'h' || c == '<' || c == '>') {
      return refuse(shown + " is not supported in regular expressions",
                    c == 'Z' ? "the end of the text is `$` or `\\z`"
                             : (c == '<' || c == '>' ? "a word boundary is `\\b`"
                                                     : "a byte is written \\xHH"));
    }
    if (c == 'b' && rest().starts_with("\\b{")) {
      return refuse("`\\b{...}` is not supported", "write `\\b`");
    }
    if (c == 'x') {
      std::size_t const digits = at_ + 2;
      if (digits + 1 < in_.size() && hex_digit(in_[digits]) >= 8) beyond_ascii_ = true;
      if (digits < in_.size() && in_[digits] == '{') beyond_ascii_ = true;
    }
    auto const end = rest().substr(2).starts_with('{') ? rest().find('}') : std::string_view::npos;
    copy(end == std::string_view::npos ? 2 : end + 1);
  }

  void character_class() {
    after_repetition_ = false;
    auto const start = at_;
    copy(1);
    if (at_ < in_.size() && in_[at_] == '^') copy(1);
    if (at_ < in_.size() && in_[at_] == ']') copy(1);
    while (at_ < in_.size() && in_[at_] != ']' && mistake_.message.empty()) {
      auto const now = rest();
      if (now.starts_with("[:")) {
        auto const end = now.find(":]");
        if (end == std::string_view::npos) return refuse("`[:` is never closed");
        copy(end + 2);
      } else if (now[0] == '[') {
        return refuse("a character class inside another is not supported",
                      "write `\\[` for a bracket, or list the characters in one class");
      } else if (now.starts_with("&&") || now.starts_with("--") || now.starts_with("~~")) {
        return refuse(
            "the class operation `" + std::string(now.substr(0, 2)) + "` is not supported",
            "list the characters, or escape one of the two");
      } else if (now[0] == '\\') {
        escape(true);
      } else if (is_non_ascii(now[0]) && !out_.utf8) {
        return refuse("a character beyond ASCII cannot stand in a class",
                      "begin the expression with (?u), or write an alternation: (a|b)");
      } else {
        copy(1);
      }
    }
    if (!mistake_.message.empty()) return;
    if (at_ == in_.size()) {
      return refuse("the character class `" + std::string(in_.substr(start)) + "` is never closed",
                    "add the missing `]`, or write `\\[` for a bracket");
    }
    copy(1);
  }

  std::string_view in_;
  std::size_t at_ = 0;
  TranslatedRegex out_;
  LiteralMistake mistake_;
  bool ignores_case_ = false;
  bool beyond_ascii_ = false;
  bool after_repetition_ = false;
};

}  // namespace

Result<TranslatedRegex, LiteralMistake> translate_regex(std::string_view pattern) {
  return Translator(pattern).run();
}

}  // namespace certgate::rules
