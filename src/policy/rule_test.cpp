// Runs tests of a rule set.
#include "certgate/policy/rule_test.hpp"

#include <algorithm>

namespace certgate::policy {
namespace {

constexpr std::string_view by_default = "default_action";

std::string describe_expected(RuleTest const& test) {
  std::string out{name_of(test.expected_action)};
  if (test.expected_rule == by_default) return out + " by the default action";
  if (!test.expected_rule.empty()) out += " by rule `" + test.expected_rule + "`";
  return out;
}

std::string describe_actual(SampleExplanation const& actual) {
  if (!actual.refused.empty()) return actual.refused;
  auto const& decision = actual.explanation.decision;
  std::string out = "it is ";
  out += decision.action == Action::block ? "blocked" : "allowed";
  out += decision.by == DecidedBy::default_action ? " by the default action"
                                                  : " by " + describe(decision);
  return out;
}

bool is_logged(SampleExplanation const& actual, std::string const& rule) {
  auto const& rules = actual.explanation.rules;
  return std::any_of(rules.begin(), rules.end(), [&rule](RuleExplanation const& tried) {
    return tried.role == RuleRole::logged && (rule.empty() || tried.name == rule);
  });
}

bool is_as_expected(SampleExplanation const& actual, RuleTest const& test) {
  if (!actual.refused.empty()) {
    return test.expected_action == Action::block && test.expected_rule.empty();
  }
  if (test.expected_action == Action::log) return is_logged(actual, test.expected_rule);
  auto const& decision = actual.explanation.decision;
  if (decision.by == DecidedBy::failure || decision.action != test.expected_action) return false;
  if (test.expected_rule.empty()) return true;
  return decision.by == DecidedBy::default_action ? test.expected_rule == by_default
                                                  : decision.rule_name == test.expected_rule;
}

}  // namespace

RuleTestResult run_rule_test(Policy const& policy, RuleTest const& test,
                             SampleRequest const& sample, Scratch& scratch) {
  RuleTestResult result;
  result.name = test.name;
  auto const actual = explain(policy, sample, scratch);
  result.passed = is_as_expected(actual, test);
  if (result.passed) return result;
  result.problem = "expected " + describe_expected(test) + ", but " + describe_actual(actual);
  result.explanation = format_text(actual);
  return result;
}

std::string format_results(std::vector<RuleTestResult> const& results) {
  std::string out;
  std::size_t failed = 0;
  for (auto const& result : results) {
    if (result.passed) continue;
    ++failed;
    out += "FAILED " + result.name + ": " + result.problem + "\n";
    std::string_view text = result.explanation;
    while (!text.empty()) {
      auto const end = std::min(text.find('\n'), text.size());
      if (end != 0) out += "    " + std::string{text.substr(0, end)};
      out += '\n';
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    out += '\n';
  }
  out += std::to_string(results.size()) + (results.size() == 1 ? " test, " : " tests, ");
  return out + (failed == 0 ? "all passed" : std::to_string(failed) + " failed") + "\n";
}

}  // namespace certgate::policy
