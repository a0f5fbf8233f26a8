// Tests of a rule set: a request and what should become of it.
//
// The model behind `certgate test` and `tests:` in the configuration; reading YAML and certificate
// files is the caller's.
#pragma once

#include <string>
#include <vector>

#include "certgate/policy/explain.hpp"
#include "certgate/policy/policy.hpp"
#include "certgate/policy/sample_request.hpp"

namespace certgate::policy {

struct RuleTest {
  std::string name;
  // `log`: some log rule matches (the one named, if one is), whatever is decided then.
  Action expected_action = Action::allow;
  std::string expected_rule;  // empty: not compared; `default_action` for "no rule"
};

struct RuleTestResult {
  std::string name;
  bool passed = false;
  std::string problem;      // "expected block by rule `a`, but it is allowed by the default action"
  std::string explanation;  // format_text() of a failed one
};

// A request that is refused before any rule is asked counts as blocked by no rule.
RuleTestResult run_rule_test(Policy const& policy, RuleTest const& test,
                             SampleRequest const& sample, Scratch& scratch);

// "12 tests, 1 failed" after a paragraph for each failure; ends with a newline.
std::string format_results(std::vector<RuleTestResult> const& results);

}  // namespace certgate::policy
