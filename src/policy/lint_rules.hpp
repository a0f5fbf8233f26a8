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
  // These, and those that its other conditions require: `hosts` again unless they contradict.
  std::vector<std::string> asked_hosts;

  bool is_terminating() const { return text->action != Action::log; }
  bool uses_field(Field field) const;
  bool is_about_certificates() const;
  // The first place where it is named. REQUIRES: it is used.
  rules::Span span_of(rules::FieldId field) const;
};

// One of these is required by whatever it matches; empty: none is known to be.
std::vector<std::string> required_hosts(rules::CheckedExpression const& checked,
                                        rules::Scheme const& scheme);

// Which rules a rule is compared with: proofs are costly, and those on other hosts are in vain.
enum class Candidates {
  of_its_hosts,
  all,  // the tests' oracle
};

// Every host that some condition of it requires.
std::vector<std::string> asked_hosts(rules::CheckedExpression const& checked,
                                     rules::Scheme const& scheme);

// Rules in order: those on any host, those that require a host.
class RulesByHost {
 public:
  void add(LintedRule const& rule);
  // Of those that require a host, the first that can cover what asks for one of these.
  std::vector<LintedRule const*> on(std::vector<std::string> const& hosts) const;

  std::vector<LintedRule const*> on_any_host;

 private:
  std::unordered_map<std::string, std::vector<LintedRule const*>> by_host_;
};

class Linter {
 public:
  Linter(Policy const& policy, LintContext const& context,
         Candidates candidates = Candidates::of_its_hosts);
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
  void check_fingerprints(LintedRule const& rule);
  void check_allow(LintedRule const& rule);
  void check_block(LintedRule const& rule);
  void check_comparisons(LintedRule const& rule, rules::Node const& node);
  void check_header_values();

  // lint_values.cpp: values that a field never has.
  void check_values(LintedRule const& rule, rules::Node const& node);
  void check_list_entries(LintedRule const& rule, rules::Node const& node, Field field);

  // An enabled block rule that is proven to match whatever `expression` matches.
  bool is_blocked(std::string const& expression) const;
  // Those of them that can cover what asks for one of these hosts.
  std::vector<LintedRule const*> blocks_for(std::vector<std::string> const& hosts) const;
  void warn(LintedRule const& rule, rules::Span span, std::string message, std::string hint);
  rules::Span whole(LintedRule const& rule) const { return {0, rule.checked.text.size()}; }

  Policy const& policy_;
  LintContext const& context_;
  Candidates candidates_;
  std::vector<LintedRule> rules_;
  // Block rules about certificates, in order.
  std::vector<LintedRule const*> blocks_;
  RulesByHost blocks_by_host_;
  std::vector<Diagnostics> found_;  // by rule
  Diagnostics general_;
};

}  // namespace certgate::policy
