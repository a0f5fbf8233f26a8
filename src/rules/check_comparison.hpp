// Checks one comparison: does the operator suit the field, and the literal the operator?
#pragma once

#include <string>
#include <string_view>

#include "certgate/rules/ast.hpp"
#include "certgate/rules/limits.hpp"
#include "certgate/rules/mistake.hpp"
#include "certgate/rules/scheme.hpp"

namespace certgate::rules {

struct CheckContext {
  Scheme const& scheme;
  std::string_view text;
  Limits const& limits;
  Mistakes& mistakes;
  std::size_t regexes = 0;

  void error(Span span, std::string message, std::string hint = {}) {
    mistakes.push_back({span, std::move(message), std::move(hint)});
  }
  void warn(Span span, std::string message, std::string hint = {}) {
    mistakes.push_back({span, std::move(message), std::move(hint), Severity::warning});
  }
  std::string shown(Span span) const {
    return "`" + std::string(text.substr(span.offset, span.length)) + "`";
  }
  std::string_view source(Span span) const { return text.substr(span.offset, span.length); }
};

// Which letters the values of a (typed) field, index or call can have.
Letters letters_of(Node const& node, Scheme const& scheme);
// The field that a field or index node reads, else null.
Field const* field_of(Node const& node, Scheme const& scheme);

// Understands a literal as `type`; false when it is mistaken (reported).
bool read_bytes(CheckContext& context, Literal const& literal, std::string& out);
bool read_integer(CheckContext& context, Literal const& literal, std::int64_t& out);
bool read_address(CheckContext& context, Literal const& literal, IpAddress& out);
// Warns where letter case or separators make equality impossible; `claim` says what follows: "this
// can never be equal".
void warn_of_spelling(CheckContext& context, Node const& left, Literal const& literal,
                      std::string_view bytes, std::string_view claim);

// REQUIRES: the left side is typed. Sets `comparand` and the type.
void check_comparison(CheckContext& context, Node& node);

}  // namespace certgate::rules
