// What the linter knows of each rule, and the groups of checks it consists of.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "certgate/policy/lint.hpp"
#include "certgate/rules/analysis.hpp"
#include "certgate/rules/checker.hpp"

namespace certgate::policy {

struct LintedRule {
  std::size_t index = 0;
  RuleText const* text = nullptr;
  rules::CheckedExpression checked;
  std::vector<rules::FieldUse> uses;
  std::vector<std::string> hosts;  // one of these is required; empty: any host

  bool is_terminating() const { return text->action != Action::log; }
  bool uses_field(Field field) const;
  bool is_about_certificates() const;
  // The first place where it is named. REQUIRES: it is used.
  rules::Span span_of(rules::FieldId field) const;
};

// One of these is required by whatever it matches; empty: none is known to be.
std::vector<std::string> required_hosts(rules::CheckedExpression const& checked,
                                        rules::Scheme const& scheme);

class Linter {
 public:
  Linter(Policy const& policy, LintContext const& context);
  Diagnostics run();

 private:
  // lint_reach.cpp: rules that can never match or are never reached.
  void find_unreachable();
  // Whether the rule can match at all; adds what is odd about the way it is written.
  bool check_matches(LintedRule const& rule);
  LintedRule const* find_shadowing(LintedRule const& rule,
                                   std::vector<LintedRule const*> const& candidates);

  // lint_identity.cpp: client certificates.
  void check_hosts(LintedRule const& rule);
  void check_allow(LintedRule const& rule);
  void check_block(LintedRule const& rule);
  void check_comparisons(LintedRule const& rule, rules::Node const& node);
  void check_header_values();

  // lint_values.cpp: values that a field never has.
  void check_values(LintedRule const& rule, rules::Node const& node);
  void check_list_entries(LintedRule const& rule, rules::Node const& node, Field field);

  // An enabled block rule that is proven to match whatever `expression` matches.
  bool is_blocked(std::string const& expression) const;
  // Those of them that can cover what requires one of these hosts.
  std::vector<LintedRule const*> blocks_for(std::vector<std::string> const& hosts) const;
  void warn(LintedRule const& rule, rules::Span span, std::string message, std::string hint);
  rules::Span whole(LintedRule const& rule) const { return {0, rule.checked.text.size()}; }

  Policy const& policy_;
  LintContext const& context_;
  std::vector<LintedRule> rules_;
  // Block rules about certificates, in order: all, those on any host, those that require a host.
  std::vector<LintedRule const*> blocks_, blocks_on_any_host_;
  std::unordered_map<std::string, std::vector<LintedRule const*>> blocks_by_host_;
  std::vector<Diagnostics> found_;  // by rule
  Diagnostics general_;
};

}  // namespace certgate::policy
