// Order, first match, disabled rules, and what the index saves.
#include "certgate/rules/ruleset.hpp"

#include <gtest/gtest.h>

#include "sample.hpp"

namespace certgate::rules {
namespace {

Rule rule(test::Sample& sample, std::string const& text, bool enabled = true) {
  auto compiled = compile_rule(sample.scheme(), text, text, 0);
  EXPECT_TRUE(compiled) << text << ": " << (compiled ? "" : compiled.error()[0].message);
  auto result = compiled ? std::move(compiled).value() : Rule{};
  result.enabled = enabled;
  return result;
}

std::vector<std::uint32_t> matches(test::Sample& sample, Ruleset const& ruleset,
                                   std::size_t* run = nullptr) {
  Walk walk(ruleset, sample.values(), sample.scratch());
  std::vector<std::uint32_t> found;
  for (auto step = walk.next(); step.kind == Step::matched; step = walk.next()) {
    found.push_back(step.rule);
  }
  if (run) *run = walk.rules_run();
  return found;
}

using Found = std::vector<std::uint32_t>;

TEST(Ruleset, visits_matches_in_order) {
  test::Sample sample;
  std::vector<Rule> rules;
  rules.push_back(rule(sample, R"(text eq "Hello World")"));
  rules.push_back(rule(sample, "off"));
  rules.push_back(rule(sample, "yes"));
  rules.push_back(rule(sample, R"(host eq "API.example.com")"));
  rules.push_back(rule(sample, "yes", false));
  rules.push_back(rule(sample, "port in {1 443}"));
  rules.push_back(rule(sample, "ip in {192.0.2.0/28 10.0.0.1..10.0.0.7}"));
  rules.push_back(rule(sample, R"(starts_with(path, "/v1/") or path eq "/")"));
  rules.push_back(rule(sample, R"(text matches "^Hello")"));
  rules.push_back(rule(sample, "not off"));
  rules.push_back(rule(sample, "not gone_bool"));
  rules.push_back(rule(sample, R"(path strict wildcard "/v1/*")"));
  rules.push_back(rule(sample, R"(path wildcard "/V1/*")"));
  EXPECT_EQ(matches(sample, Ruleset(rules)), (Found{0, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12}));
  EXPECT_EQ(matches(sample, Ruleset(rules, Indexing::every_rule_in_turn)),
            (Found{0, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12}));
}

TEST(Ruleset, an_empty_one_matches_nothing) {
  test::Sample sample;
  EXPECT_EQ(matches(sample, Ruleset()), Found{});
  EXPECT_EQ(matches(sample, Ruleset(std::vector<Rule>{})), Found{});
}

TEST(Ruleset, runs_only_rules_that_could_match) {
  test::Sample sample;
  std::vector<Rule> rules;
  for (int i = 0; i < 2000; ++i) {
    rules.push_back(rule(sample, "host in {\"h" + std::to_string(i) + ".example.com\"} and yes"));
  }
  rules.push_back(rule(sample, R"(text contains "x")"));  // nothing to file it under
  sample.set("host", ValueView::bytes("h77.example.com"));
  std::size_t run = 0;
  EXPECT_EQ(matches(sample, Ruleset(rules), &run), Found{77});
  EXPECT_EQ(run, 2u);
}

TEST(Ruleset, divides_a_bucket_again) {
  test::Sample sample;
  std::vector<Rule> rules;
  for (int i = 0; i < 1000; ++i) {
    rules.push_back(rule(sample, "host eq \"h" + std::to_string(i % 10) + "\" and path eq \"/p" +
                                     std::to_string(i / 10 % 10) + "\" and port eq " +
                                     std::to_string(i / 100)));
  }
  sample.set("host", ValueView::bytes("h3"));
  sample.set("path", ValueView::bytes("/p5"));
  sample.set("port", ValueView::integer(7));
  std::size_t run = 0;
  EXPECT_EQ(matches(sample, Ruleset(rules), &run), Found{753});
  EXPECT_LE(run, 10u);
}

TEST(Ruleset, never_runs_the_impossible) {
  test::Sample sample;
  std::size_t run = 9;
  EXPECT_EQ(matches(sample, Ruleset({rule(sample, "text in {}"), rule(sample, "ip in {}")}), &run),
            Found{});
  EXPECT_EQ(run, 0u);
}

// More lists at once than a walk can merge: every rule is tried instead.
TEST(Ruleset, survives_many_prefixes) {
  test::Sample sample;
  std::string const path(300, 'a');
  sample.set("path", ValueView::bytes(path));
  std::vector<Rule> rules;
  Found expected;
  for (std::uint32_t i = 0; i < 300; ++i) {
    rules.push_back(rule(sample, "starts_with(path, \"" + std::string(i + 1, 'a') + "\")"));
    expected.push_back(i);
  }
  EXPECT_EQ(matches(sample, Ruleset(rules)), expected);
}

TEST(Ruleset, says_which_rule_could_not_be_run) {
  test::Sample sample;
  Ruleset const ruleset({rule(sample, "off"), rule(sample, R"(concat(text, text) eq "x")")});
  Scratch small(16);
  Walk walk(ruleset, sample.values(), small);
  auto const step = walk.next();
  EXPECT_EQ(step.kind, Step::failed);
  EXPECT_EQ(step.rule, 1u);
}

TEST(Ruleset, needs_the_fields_of_enabled_rules) {
  test::Sample sample;
  Ruleset const ruleset({rule(sample, "port eq 1"), rule(sample, "debt eq 1", false)});
  EXPECT_TRUE(ruleset.fields_used().contains(*sample.scheme().find_field("port")));
  EXPECT_FALSE(ruleset.fields_used().contains(*sample.scheme().find_field("debt")));
  EXPECT_GT(ruleset.memory_bytes(), 0u);
}

}  // namespace
}  // namespace certgate::rules
