// Comparing a rule with those of its hosts only finds what comparing it with all of them finds.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <regex>

#include "lint_rules.hpp"
#include "unit/policy/request_fixture.hpp"

namespace certgate::policy {
namespace {

class RandomRules {
 public:
  explicit RandomRules(unsigned seed) : random_(seed) {}

  std::vector<RuleText> make() {
    std::vector<RuleText> rules(2 + pick(10));
    for (std::size_t i = 0; i < rules.size(); ++i) {
      rules[i].name = "r" + std::to_string(i);
      rules[i].expression = rule();
      rules[i].action = std::array{Action::block, Action::block, Action::allow, Action::log}[pick(4)];
      rules[i].enabled = pick(8) != 0;
    }
    return rules;
  }

 private:
  std::size_t pick(std::size_t below) {
    return std::uniform_int_distribution<std::size_t>{0, below - 1}(random_);
  }
  template <std::size_t n>
  std::string one_of(char const* const (&texts)[n]) {
    return texts[pick(n)];
  }

  // Most rules begin with a host, as people write them. No rule contradicts itself: that would be
  // covered by any other, whatever its host.
  std::string rule() {
    std::shuffle(subjects_.begin(), subjects_.end(), random_);
    next_ = 0;
    if (pick(5) == 0) return condition(2);
    if (pick(6) == 0) return "(" + host() + " or " + host() + ") and " + condition(1);
    if (pick(8) == 0) return host() + " or " + condition(1);
    if (pick(6) == 0) return R"(http.host in {"a.example" "b.example"} and http.host ne "a.example")";
    return host() + " and " + condition(1);
  }
  std::string host() {
    return one_of({R"(http.host eq "a.example")", R"(http.host eq "b.example")",
                   R"(http.host in {"a.example" "b.example"})",
                   R"(http.host in {"b.example" "a.example" "c.example"})",
                   R"(http.host in {"c.example"})", R"(http.host ne "a.example")",
                   R"(not http.host in {"a.example" "b.example"})",
                   R"(http.host wildcard "*.example")", R"(ends_with(http.host, ".example"))",
                   R"(lower(http.host) eq "a.example")"});
  }
  std::string condition(int depth) {
    if (depth > 0 && pick(2) == 0) {
      auto const left = condition(depth - 1), right = condition(depth - 1);
      auto const joined = "(" + left + (pick(2) == 0 ? " and " : " or ") + right + ")";
      return pick(4) == 0 ? "not " + joined : joined;
    }
    // Each subject at most once in a rule.
    switch (subjects_[next_++]) {
      case 0:
        return one_of({"cf.tls_client_auth.cert_verified", "not cf.tls_client_auth.cert_verified",
                       "cf.tls_client_auth.cert_revoked",
                       "(not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked)"});
      case 1:
        return one_of({R"(cf.tls_client_auth.cert_serial eq "0A")",
                       R"(cf.tls_client_auth.cert_serial ne "0A")",
                       R"(cf.tls_client_auth.cert_serial in {"0A" "0B"})"});
      case 2:
        return one_of({R"(http.request.uri.path eq "/x")", R"(http.request.uri.path in {"/x" "/y"})",
                       R"(starts_with(http.request.uri.path, "/x"))"});
      default:
        return one_of({"ssl", "ip.src in {10.0.0.0/8}"});
    }
  }

  std::array<int, 4> subjects_{0, 1, 2, 3};
  std::size_t next_ = 0;
  std::mt19937 random_;
};

LintContext oracle_context() {
  LintContext context;
  context.mode_of_host = [](std::string_view host) -> std::optional<x509::ClientAuthMode> {
    if (host == "c.example") return x509::ClientAuthMode::off;
    return x509::ClientAuthMode::request;
  };
  return context;
}

Policy policy_of(std::vector<RuleText> rules) {
  PolicyText text;
  text.live.rules = std::move(rules);
  return make_policy(std::move(text));
}

std::regex const shadowing_rule("this rule is never reached: `(r[0-9]+)`.*");

// One line each. Which of several shadowing rules is named depends on the order of the proofs.
std::vector<std::string> lines(Diagnostics const& warnings) {
  std::vector<std::string> out;
  for (auto const& warning : warnings) {
    auto const message = std::regex_replace(warning.message, shadowing_rule, "never reached");
    out.push_back(warning.place.file + ":" + std::to_string(warning.place.column) + ": " + message);
  }
  return out;
}

std::string as_text(std::vector<RuleText> const& rules) {
  std::string out;
  for (auto const& rule : rules) {
    out += rule.name + " " + std::string(name_of(rule.action)) + (rule.enabled ? "" : " (off)") +
           ": " + rule.expression + "\n";
  }
  return out;
}

TEST(LintOracle, a_rule_is_compared_with_all_that_matter) {
  std::size_t shadowed = 0, others = 0;
  for (unsigned seed = 1; seed <= 1'000; ++seed) {
    auto const rules = RandomRules{seed}.make();
    auto const policy = policy_of(rules);
    auto const context = oracle_context();
    auto const found = Linter{policy, context}.run();
    auto const expected = Linter{policy, context, Candidates::all}.run();
    ASSERT_EQ(lines(found), lines(expected)) << "seed " << seed << "\n" << as_text(rules);

    for (auto const& warning : found) {
      std::smatch named;
      if (!std::regex_match(warning.message, named, shadowing_rule)) {
        ++others;
        continue;
      }
      ++shadowed;
      // The two alone: the named one does shadow it.
      auto const index = [](std::string const& name) { return std::stoul(name.substr(1)); };
      auto const by = index(named[1]), of = index(warning.place.file);
      ASSERT_LT(by, of);
      auto const pair = policy_of({rules[by], rules[of]});
      auto const told = lines(Linter{pair, context, Candidates::all}.run());
      EXPECT_NE(std::find(told.begin(), told.end(), warning.place.file + ":1: never reached"),
                told.end())
          << "seed " << seed << " " << named[1] << "\n" << as_text(rules);
    }
  }
  // The generator makes what the test is about.
  EXPECT_GT(shadowed, 200u);
  EXPECT_GT(others, 200u);
}

}  // namespace
}  // namespace certgate::policy
