// Everything that decides requests, compiled: rules, lists, default action, shadow rules.
//
// Built from plain descriptions, once per Generation; immutable after that, so any thread may use
// it (policy/decide.hpp). Counting is the caller's: Decision names rules by index.
//
// Errors: build() compiles every rule and reports the mistakes of all of them, each at the place
//         that its `locate` gives; rules that parse but look wrong are in warnings() and lint().
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/diagnostic.hpp"
#include "certgate/base/result.hpp"
#include "certgate/policy/decision.hpp"
#include "certgate/policy/facts.hpp"
#include "certgate/policy/fields.hpp"
#include "certgate/rules/limits.hpp"
#include "certgate/rules/list.hpp"
#include "certgate/rules/ruleset.hpp"

namespace certgate::policy {

// Turns a stretch of an expression's text into a diagnostic at its place in a file.
using Locate = std::function<Diagnostic(std::size_t offset, std::size_t length, std::string message,
                                        std::string hint, Severity severity)>;
// For text that stands in no file: the place is `name`, line and column those of the text.
Locate locate_in(std::string name, std::string text);

// A rule as a person wrote it.
struct RuleText {
  std::string name;
  std::string expression;
  Action action = Action::block;
  bool enabled = true;
  std::optional<BlockResponse> response;
  Locate locate = nullptr;  // null: locate_in(name, expression)
};

// A named list for `in $name`.
struct ListText {
  std::string name;
  rules::ListKind kind = rules::ListKind::bytes;
  std::vector<std::string> entries;
  // In place of `entries`: a file of one entry a line (rules::parse_list()), kept by the caller.
  SourceText const* file = nullptr;
  // The place of one entry; null: the list's name. Not asked for a file.
  std::function<Diagnostic(std::size_t entry, std::string message, std::string hint)> locate =
      nullptr;
};

struct RuleSetText {
  std::vector<RuleText> rules;
  Action default_action = Action::allow;  // allow or block
};

struct PolicyText {
  RuleSetText live;
  std::optional<RuleSetText> shadow;
  std::vector<ListText> lists;
  rules::Limits limits;
};

// Rules in order, what they read, and what happens when none decides.
class RuleSet {
 public:
  rules::Ruleset const& compiled() const { return compiled_; }
  FillPlan const& plan() const { return plan_; }
  Action default_action() const { return default_action_; }
  std::size_t size() const { return texts_.size(); }
  RuleText const& rule(std::size_t index) const { return texts_[index]; }
  BlockResponse const* response(std::size_t index) const {
    auto const& response = texts_[index].response;
    return response ? &*response : nullptr;
  }

 private:
  friend class Policy;
  rules::Ruleset compiled_;
  FillPlan plan_;
  Action default_action_ = Action::allow;
  std::vector<RuleText> texts_;
};

class Policy {
 public:
  // No rules: everything is allowed.
  Policy();
  static Result<Policy, Diagnostics> build(PolicyText text);

  RuleSet const& live() const { return live_; }
  RuleSet const* shadow() const { return shadow_ ? &*shadow_ : nullptr; }
  // Fields of live and shadow rules together.
  FillPlan const& plan() const { return plan_; }
  // What the compiler found odd: literals that can never be equal, and the like.
  Diagnostics const& warnings() const { return warnings_; }
  rules::Scheme const& scheme() const { return *scheme_; }
  rules::Limits const& limits() const { return limits_; }
  std::size_t memory_bytes() const;

 private:
  std::shared_ptr<rules::Scheme const> scheme_;
  RuleSet live_;
  std::optional<RuleSet> shadow_;
  FillPlan plan_;
  Diagnostics warnings_;
  rules::Limits limits_;
};

}  // namespace certgate::policy
