// Programs and rule sets decide as the obvious ways do, on random input.
//
// A short run by default; CERTGATE_NIGHTLY=1 makes it a million expressions and 100,000 rule sets.
#include <gtest/gtest.h>

#include <cstdlib>

#include "certgate/rules/ruleset.hpp"
#include "oracle.hpp"

namespace certgate::rules {
namespace {

bool nightly() {
  auto const* value = std::getenv("CERTGATE_NIGHTLY");
  return value && std::string_view(value) == "1";
}

std::uint64_t first_seed() {
  auto const* value = std::getenv("CERTGATE_SEED");
  return value ? std::strtoull(value, nullptr, 10) : 1;
}

TEST(Agreement, programs_decide_as_the_tree_does) {
  std::size_t const schemes = nightly() ? 25000 : 60;
  std::size_t compiled_count = 0;
  std::size_t matches = 0;
  for (std::size_t s = 0; s < schemes; ++s) {
    test::Generator generate(first_seed() + s);
    auto const scheme = generate.scheme();
    Scratch scratch;
    for (int e = 0; e < 8; ++e) {
      auto const text = generate.expression(scheme, 3);
      auto const checked = check(scheme, text, {.expression_length = 1 << 20});
      ASSERT_TRUE(checked) << text << "\n" << checked.error()[0].message;
      auto const program = compile_checked(*checked);
      ++compiled_count;
      for (int v = 0; v < 5; ++v) {
        auto const values = generate.values(scheme);
        test::Views const views(values);
        bool const expected = test::judged_to_match(*checked, values);
        matches += expected ? 1 : 0;
        ASSERT_EQ(evaluate(program, views.values(), scratch),
                  expected ? Outcome::match : Outcome::no_match)
            << "seed " << first_seed() + s << ": " << text << "\n"
            << dump(checked->root);
      }
    }
  }
  EXPECT_GT(matches, compiled_count / 2);  // otherwise the generator says little
}

// A rule set over few values, so that requests fall into its buckets.
std::vector<Rule> random_rules(test::Generator& generate, Scheme const& scheme, std::size_t count) {
  std::vector<Rule> rules;
  for (std::size_t i = 0; i < count; ++i) {
    auto text = generate.expression(scheme, 1);
    if (generate.below(2) == 0) text = "(" + text + ") and " + generate.expression(scheme, 1);
    auto rule = compile_rule(scheme, "rule", text, 0);
    EXPECT_TRUE(rule) << text;
    if (!rule) continue;
    rule->enabled = generate.below(10) != 0;
    rules.push_back(std::move(rule).value());
  }
  return rules;
}

TEST(Agreement, the_index_finds_what_every_rule_in_turn_finds) {
  std::size_t const sets = nightly() ? 100000 : 60;
  for (std::size_t s = 0; s < sets; ++s) {
    test::Generator generate(first_seed() + 1000000 + s);
    auto const scheme = generate.scheme();
    auto const size = nightly() && s % 50 == 0 ? 1 + generate.below(5000) : 1 + generate.below(60);
    auto const rules = random_rules(generate, scheme, size);
    Ruleset const indexed(rules);
    Ruleset const plain(rules, Indexing::every_rule_in_turn);
    Scratch scratch;
    for (int v = 0; v < 6; ++v) {
      auto const values = generate.values(scheme);
      test::Views const views(values);
      Walk fast(indexed, views.values(), scratch);
      Walk slow(plain, views.values(), scratch);
      for (;;) {
        auto const expected = slow.next();
        auto const found = fast.next();
        ASSERT_EQ(found.kind, expected.kind) << "seed " << first_seed() + 1000000 + s;
        if (expected.kind != Step::matched) break;
        ASSERT_EQ(found.rule, expected.rule) << "seed " << first_seed() + 1000000 + s;
      }
      ASSERT_LE(fast.rules_run(), slow.rules_run());
    }
  }
}

// What the prover claims must never be refuted by a value.
TEST(Agreement, nothing_is_proven_that_is_not_so) {
  std::size_t const schemes = nightly() ? 20000 : 80;
  std::size_t proven = 0;
  for (std::size_t s = 0; s < schemes; ++s) {
    test::Generator generate(first_seed() + 2000000 + s);
    auto const scheme = generate.scheme();
    for (int e = 0; e < 6; ++e) {
      auto const a = check(scheme, generate.expression(scheme, 1));
      auto const b = check(scheme, generate.expression(scheme, 1));
      ASSERT_TRUE(a && b);
      bool const a_never = never_matches(*a, scheme);
      bool const a_always = always_matches(*a, scheme);
      bool const a_then_b = implies(*a, *b, scheme);
      bool const apart = disjoint(*a, *b, scheme);
      proven += a_never + a_always + a_then_b + apart;
      for (int v = 0; v < 12; ++v) {
        auto const values = generate.values(scheme);
        bool const is_a = test::judged_to_match(*a, values);
        bool const is_b = test::judged_to_match(*b, values);
        auto const about = a->text + "\n" + b->text;
        ASSERT_FALSE(a_never && is_a) << about;
        ASSERT_FALSE(a_always && !is_a) << about;
        ASSERT_FALSE(a_then_b && is_a && !is_b) << about;
        ASSERT_FALSE(apart && is_a && is_b) << about;
      }
    }
  }
  EXPECT_GT(proven, 0u);
}

}  // namespace
}  // namespace certgate::rules
