// Functions that replace: regex_replace, wildcard_replace, remove_query_args.
#include <array>

#include "function_families.hpp"
#include "regex.hpp"
#include "wildcard.hpp"

namespace certgate::rules {

namespace {

using Check = Result<Prepared, ArgumentMistake>;

constexpr std::size_t max_capture = 8;

// A replacement in pieces: text, or the number of a capture.
struct Replacement {
  struct Piece {
    std::string text;
    int capture = -1;
  };
  std::vector<Piece> pieces;
};

struct RegexReplace {
  std::shared_ptr<Regex const> regex;
  Replacement replacement;
};

struct WildcardReplace {
  WildcardPattern pattern;
  Replacement replacement;
};

// `${n}` is a capture, `$$` a dollar sign, any other `$` itself.
Result<Replacement, ArgumentMistake> parse_replacement(std::string_view text, std::size_t captures,
                                                       std::size_t argument, Limits const& limits) {
  Replacement replacement;
  replacement.pieces.emplace_back();
  std::size_t references = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$') {
      replacement.pieces.back().text += text[i];
    } else if (text.substr(i).starts_with("$$")) {
      replacement.pieces.back().text += '$';
      ++i;
    } else if (text.substr(i).starts_with("${")) {
      auto const end = text.find('}', i);
      auto const digits = text.substr(i + 2, end == std::string_view::npos ? 0 : end - i - 2);
      if (digits.size() != 1 || digits[0] < '1' || digits[0] > '9') {
        return fail(ArgumentMistake{
            argument, "a reference is written `${1}` to `${" + std::to_string(max_capture) + "}`",
            "for a dollar sign write `$$`"});
      }
      auto const number = static_cast<std::size_t>(digits[0] - '0');
      if (number > captures) {
        return fail(ArgumentMistake{argument, "`${" + std::string(digits) +
                                                  "}` refers to a capture that the pattern does "
                                                  "not have: it has " +
                                                  std::to_string(captures)});
      }
      if (++references > limits.capture_references || number > max_capture) {
        return fail(ArgumentMistake{
            argument,
            "at most " + std::to_string(limits.capture_references) + " references are allowed"});
      }
      replacement.pieces.push_back({"", static_cast<int>(number)});
      replacement.pieces.emplace_back();
      i = end;
    } else {
      replacement.pieces.back().text += '$';
    }
  }
  return replacement;
}

Check prepare_regex_replace(std::span<Argument const> arguments, Limits const& limits) {
  auto regex = Regex::compile(arguments[1].literal.as_bytes());
  if (!regex) return fail(ArgumentMistake{1, regex.error().message, regex.error().hint});
  auto const captures = static_cast<std::size_t>((*regex)->group_count());
  auto replacement = parse_replacement(arguments[2].literal.as_bytes(), captures, 2, limits);
  if (!replacement) return fail(std::move(replacement).error());
  return Prepared{bytes_type,
                  std::make_shared<RegexReplace const>(
                      RegexReplace{std::move(regex).value(), std::move(replacement).value()}),
                  {}};
}

ValueView assemble(CallContext& context, std::string_view before, Replacement const& replacement,
                   std::span<std::string_view const> captures, std::string_view after) noexcept {
  auto size = before.size() + after.size();
  auto const text_of = [&](Replacement::Piece const& piece) {
    return piece.capture < 0 ? std::string_view(piece.text)
                             : captures[static_cast<std::size_t>(piece.capture)];
  };
  for (auto const& piece : replacement.pieces) size += text_of(piece).size();
  ArenaText out(context, size);
  if (!out.ok()) return out.value();
  out.append(before);
  for (auto const& piece : replacement.pieces) out.append(text_of(piece));
  out.append(after);
  return out.value();
}

// Only the first match is replaced.
ValueView regex_replace(CallContext& context, std::span<ValueView const> arguments) noexcept {
  auto const& data = *static_cast<RegexReplace const*>(context.data);
  auto const text = arguments[0].as_bytes();
  std::array<std::string_view, max_capture + 1> groups;
  if (!data.regex->search(text, groups)) return arguments[0];
  std::size_t const start =
      groups[0].data() ? static_cast<std::size_t>(groups[0].data() - text.data()) : 0;
  if (text.empty()) return assemble(context, {}, data.replacement, groups, {});
  return assemble(context, text.substr(0, start), data.replacement, groups,
                  text.substr(start + groups[0].size()));
}

Check prepare_wildcard_replace(std::span<Argument const> arguments, Limits const& limits) {
  auto rule = CaseRule::insensitive;
  std::vector<ArgumentMistake> warnings;
  if (arguments.size() > 3) {
    if (arguments[3].literal.as_bytes() == "s") {
      rule = CaseRule::sensitive;
    } else {
      warnings.push_back({3, "the flag of wildcard_replace() is `s` (case-sensitive)", ""});
    }
  }
  auto pattern = WildcardPattern::parse(arguments[1].literal.as_bytes(), rule);
  if (!pattern) return fail(ArgumentMistake{1, pattern.error().message, pattern.error().hint});
  auto replacement =
      parse_replacement(arguments[2].literal.as_bytes(), pattern->stars(), 2, limits);
  if (!replacement) return fail(std::move(replacement).error());
  return Prepared{bytes_type,
                  std::make_shared<WildcardReplace const>(
                      WildcardReplace{std::move(pattern).value(), std::move(replacement).value()}),
                  std::move(warnings)};
}

ValueView wildcard_replace(CallContext& context, std::span<ValueView const> arguments) noexcept {
  auto const& data = *static_cast<WildcardReplace const*>(context.data);
  std::array<std::string_view, max_capture + 1> captures;
  auto const stars = std::span<std::string_view>(captures).subspan(1);
  if (!data.pattern.matches(arguments[0].as_bytes(), stars)) return arguments[0];
  return assemble(context, {}, data.replacement, captures, {});
}

// The arguments that stay keep their order and their encoding.
ValueView remove_query_args(CallContext& context, std::span<ValueView const> arguments) noexcept {
  auto rest = arguments[0].as_bytes();
  ArenaText out(context, rest.size());
  if (!out.ok()) return out.value();
  bool first = true;
  for (;;) {
    auto const end = rest.find('&');
    auto const pair = rest.substr(0, end);
    auto const name = pair.substr(0, pair.find('='));
    bool removed = false;
    for (auto const& each : arguments.subspan(1)) removed = removed || each.as_bytes() == name;
    if (!removed) {
      if (!first) out.push('&');
      out.append(pair);
      first = false;
    }
    if (end == std::string_view::npos) break;
    rest = rest.substr(end + 1);
  }
  return out.value();
}

}  // namespace

void add_replace_functions(std::vector<Function>& out) {
  auto const text_field = Parameter{"the string", {bytes_type}, Accepts::field_only};
  auto const replacement = Parameter{"the replacement", {bytes_type}, Accepts::literal_only};
  out.push_back({.name = "regex_replace",
                 .parameters = {{"the string", {bytes_type}},
                                {"the regular expression", {bytes_type}, Accepts::literal_only},
                                replacement},
                 .required = 3,
                 .doc = "regex_replace(string, regex, replacement) replaces the first match",
                 .prepare = prepare_regex_replace,
                 .call = regex_replace});
  out.push_back({.name = "wildcard_replace",
                 .parameters = {text_field,
                                {"the pattern", {bytes_type}, Accepts::literal_only},
                                replacement,
                                {"the flags", {bytes_type}, Accepts::literal_only}},
                 .required = 3,
                 .doc = "wildcard_replace(string, pattern, replacement[, \"s\"])",
                 .prepare = prepare_wildcard_replace,
                 .call = wildcard_replace});
  out.push_back({.name = "remove_query_args",
                 .parameters = {{"the query", {bytes_type}, Accepts::field_only},
                                {"an argument's name", {bytes_type}}},
                 .required = 2,
                 .repeats_last = true,
                 .result = bytes_type,
                 .doc = "remove_query_args(query, name, ...)",
                 .call = remove_query_args});
}

}  // namespace certgate::rules
