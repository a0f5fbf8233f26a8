// What a person wrote about deciding: rules, named lists, tests, and headers computed from fields.
//
// Nothing here is compiled: expressions are text with the exact place of every character, so that
// the rules layer's errors can be shown where they are in the YAML file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "certgate/config/address.hpp"
#include "certgate/config/mark.hpp"

namespace certgate::config {

// An expression after YAML has removed indentation, folding and escapes, and the way back.
class ExpressionText {
 public:
  // `text` starts at text_offset and lies in the file from source_offset on, up to the next Run.
  struct Run {
    std::uint32_t text_offset;
    std::uint32_t source_offset;
  };

  ExpressionText() = default;
  ExpressionText(std::string text, Mark mark, std::vector<Run> runs)
      : text_(std::move(text)), mark_(mark), runs_(std::move(runs)) {}

  std::string const& text() const { return text_; }
  bool empty() const { return text_.empty(); }
  Mark mark() const { return mark_; }
  // The place in the file of a byte of text(); text().size() is allowed: behind the last byte.
  std::size_t source_offset_of(std::size_t offset) const;
  Place place_of(std::size_t offset) const;
  // Points at [offset, offset + length) of text(); cut at the end of the line it starts on.
  Diagnostic diagnostic(std::size_t offset, std::size_t length, std::string message,
                        std::string hint = {}, Severity severity = Severity::error) const;
  friend bool operator==(ExpressionText const& a, ExpressionText const& b) {
    return a.text_ == b.text_;
  }

 private:
  std::string text_;
  Mark mark_;
  std::vector<Run> runs_;
};

enum class Action { block, allow, log };

// The answer of a `block` rule in place of the built-in 403.
struct Response {
  Setting<int> status{403};           // 400 to 499
  Setting<std::string> content_type;  // empty: chosen by Accept
  Setting<std::string> body;          // empty: the built-in text
  friend bool operator==(Response const&, Response const&) = default;
};

// The mTLS rule form, for those who do not want to write expressions.
struct MtlsForm {
  std::vector<Setting<HostName>> hosts;     // at least one
  std::vector<Setting<std::string>> paths;  // each starts with /; empty: every path
  Setting<bool> block_revoked{true};
  Mark mark;
  friend bool operator==(MtlsForm const& a, MtlsForm const& b) {
    return a.hosts == b.hosts && a.paths == b.paths && a.block_revoked == b.block_revoked;
  }
};

struct Rule {
  Setting<std::string> name;  // unique in its rule set
  Setting<std::string> description;
  ExpressionText expression;  // empty when `mtls` is set: exactly one of them is
  std::optional<MtlsForm> mtls;
  Setting<Action> action{Action::block};
  Setting<bool> enabled{true};
  std::optional<Response> response;  // only with Action::block
  Mark mark;
  friend bool operator==(Rule const& a, Rule const& b);  // places do not matter
};

// A rule set that is evaluated beside the live one and only reported.
struct ShadowRules {
  std::vector<Rule> rules;  // `rules` and then those of `rule_files`
  Setting<Action> default_action{Action::allow};
  Mark mark;
  friend bool operator==(ShadowRules const& a, ShadowRules const& b) {
    return a.rules == b.rules && a.default_action == b.default_action;
  }
};

enum class ListType { ip, integer, string, host };

// A named set for `in $name`. The entries are not looked at here but to guess the type where none
// is written: all integers, all addresses, else strings.
struct List {
  Setting<std::string> name;  // [a-z0-9_.], without the dollar sign
  Setting<ListType> type{ListType::string};
  std::vector<Setting<std::string>> entries;             // written inline, in order
  FilePath file;                                         // or in a file of one entry a line, ...
  std::shared_ptr<SourceText const> text;                // ... which is this; null when inline
  friend bool operator==(List const& a, List const& b);  // places do not matter
};

// NAME: value expression (a field, a literal or a function call of the Rules language).
struct HeaderValue {
  Setting<std::string> name;
  ExpressionText value;
  friend bool operator==(HeaderValue const&, HeaderValue const&) = default;
};
struct RequestHeaders {
  std::vector<HeaderValue> set;  // each is first removed from what the client sent
  std::vector<Setting<std::string>> remove;
  friend bool operator==(RequestHeaders const&, RequestHeaders const&) = default;
};

// One request and what is expected of it: `tests:` and the files of `certgate test`.
struct RuleTest {
  Setting<std::string> name;
  Setting<std::string> method{std::string{"GET"}};
  Setting<std::string> url;  // https://host[:port]/path?query
  std::vector<std::pair<Setting<std::string>, Setting<std::string>>> headers;
  Setting<std::optional<std::string>> body;  // nothing: the request has none
  Setting<std::optional<IpAddress>> source_ip;
  FilePath client_certificate;  // PEM leaf and chain; empty: none presented
  // Fields set by hand after the certificate's: name and the value as YAML text.
  std::vector<std::pair<Setting<std::string>, Setting<std::string>>> fields;
  Setting<Action> expected_action{Action::allow};
  Setting<std::string> expected_rule;  // empty: not compared
  Mark mark;
};

}  // namespace certgate::config
