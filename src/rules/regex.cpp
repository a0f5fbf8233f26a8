#include "regex.hpp"

#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "regex_dialect.hpp"

namespace certgate::rules {

namespace {

// The engine's default for a compiled expression is 10 MiB; RE2 counts program and caches together.
constexpr std::int64_t max_automaton_bytes = 16 << 20;

constexpr std::string_view operators = "\\.+*?()|[]{}^$";

// Reads plain characters and escaped punctuation from `at` on; stops at the first operator.
std::string plain_text(std::string_view pattern, std::size_t& at) {
  std::string text;
  while (at < pattern.size()) {
    char c = pattern[at];
    std::size_t length = 1;
    if (c == '\\' && at + 1 < pattern.size() &&
        std::ispunct(static_cast<unsigned char>(pattern[at + 1])) != 0) {
      c = pattern[at + 1];
      if (c == '<' || c == '>') break;
      length = 2;
    } else if (operators.find(c) != std::string_view::npos ||
               static_cast<unsigned char>(c) >= 0x80) {
      break;
    }
    auto const next = at + length;
    // A repetition takes the last character away again.
    if (next < pattern.size() &&
        std::string_view("*+?{").find(pattern[next]) != std::string_view::npos) {
      break;
    }
    text += c;
    at = next;
  }
  return text;
}

}  // namespace

Regex::~Regex() = default;

// Every shortcut is the same language: ^ and $ are the ends of the value.
void Regex::find_shape() {
  std::size_t at = 0;
  bool const from_start = pattern_.starts_with('^');
  if (from_start) at = 1;
  auto text = plain_text(pattern_, at);
  bool const has_choice = pattern_.find('|') != std::string::npos;
  if (from_start && !has_choice) prefix_ = text;
  bool const to_end = at + 1 == pattern_.size() && pattern_[at] == '$';
  if (at != pattern_.size() && !to_end) return;
  shape_ = from_start ? (to_end ? Shape::equals : Shape::starts_with)
                      : (to_end ? Shape::ends_with : Shape::contains);
  literal_ = std::move(text);
}

Result<std::shared_ptr<Regex const>, LiteralMistake> Regex::compile(std::string_view pattern) {
  auto translated = translate_regex(pattern);
  if (!translated) return fail(std::move(translated).error());
  std::shared_ptr<Regex> regex(new Regex);
  regex->pattern_ = pattern;
  regex->find_shape();
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(max_automaton_bytes);
  options.set_encoding(translated->utf8 ? re2::RE2::Options::EncodingUTF8
                                        : re2::RE2::Options::EncodingLatin1);
  if (regex->shape_ != Shape::automaton) return std::shared_ptr<Regex const>(std::move(regex));
  regex->automaton_ = std::make_unique<re2::RE2>(translated->pattern, options);
  if (regex->automaton_->ok()) return std::shared_ptr<Regex const>(std::move(regex));
  LiteralMistake mistake{"this regular expression cannot be read: " + regex->automaton_->error(),
                         ""};
  switch (regex->automaton_->error_code()) {
    case re2::RE2::ErrorRepeatSize:
      mistake.hint = "a repetition can count to 1000";
      break;
    case re2::RE2::ErrorMissingParen:
    case re2::RE2::ErrorUnexpectedParen:
      mistake.hint = "write `\\(` for a parenthesis in the text";
      break;
    case re2::RE2::ErrorRepeatArgument:
      mistake.hint = "for `*` as in file names use the operator `wildcard`";
      break;
    case re2::RE2::ErrorPatternTooLarge:
      mistake.message = "this regular expression is too large";
      mistake.hint = "shorten its repetitions";
      break;
    default:
      break;
  }
  return fail(std::move(mistake));
}

bool Regex::search(std::string_view value) const noexcept {
  switch (shape_) {
    case Shape::equals:
      return value == literal_;
    case Shape::starts_with:
      return value.starts_with(literal_);
    case Shape::ends_with:
      return value.ends_with(literal_);
    case Shape::contains:
      return literal_.empty() ||
             (!value.empty() &&
              memmem(value.data(), value.size(), literal_.data(), literal_.size()) != nullptr);
    case Shape::automaton:
      break;
  }
  re2::StringPiece const text(value.data() ? value.data() : "", value.size());
  return automaton_->Match(text, 0, text.size(), re2::RE2::UNANCHORED, nullptr, 0);
}

bool Regex::search(std::string_view value, std::span<std::string_view> groups) const noexcept {
  if (shape_ != Shape::automaton) {
    if (!search(value)) return false;
    std::size_t start = 0;
    if (shape_ == Shape::ends_with) start = value.size() - literal_.size();
    if (shape_ == Shape::contains) start = value.find(literal_);
    if (!groups.empty()) groups[0] = value.substr(start, literal_.size());
    return true;
  }
  constexpr std::size_t max_groups = 16;
  re2::StringPiece found[max_groups];
  re2::StringPiece const text(value.data() ? value.data() : "", value.size());
  auto const count = std::min(groups.size(), max_groups);
  if (!automaton_->Match(text, 0, text.size(), re2::RE2::UNANCHORED, found,
                         static_cast<int>(count))) {
    return false;
  }
  for (std::size_t i = 0; i < count; ++i) groups[i] = {found[i].data(), found[i].size()};
  return true;
}

int Regex::group_count() const { return automaton_ ? automaton_->NumberOfCapturingGroups() : 0; }

std::size_t Regex::memory_bytes() const {
  constexpr std::size_t bytes_per_instruction = 16;
  auto const program =
      automaton_ ? static_cast<std::size_t>(automaton_->ProgramSize()) * bytes_per_instruction : 0;
  return sizeof(Regex) + pattern_.size() + program;
}

}  // namespace certgate::rules
