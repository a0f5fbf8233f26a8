// Rules in order, first terminating match; anything that goes wrong denies.
#include "certgate/policy/decide.hpp"

namespace certgate::policy {
namespace {

// The part of a decision that live and shadow rules have in common.
struct Judgement {
  Action action = Action::block;
  DecidedBy by = DecidedBy::failure;
  std::uint32_t rule = no_rule;
};

template <class OnLog>
Judgement judge(RuleSet const& set, Scratch& scratch, OnLog on_log) noexcept {
  rules::Walk walk{set.compiled(), scratch.values(), scratch.evaluation()};
  for (;;) {
    auto const step = walk.next();
    switch (step.kind) {
      case rules::Step::failed:
        return {Action::block, DecidedBy::failure, step.rule};
      case rules::Step::done:
        return {set.default_action(), DecidedBy::default_action, no_rule};
      case rules::Step::matched:
        break;
    }
    auto const action = static_cast<Action>(set.compiled().rule(step.rule).action);
    if (action != Action::log) return {action, DecidedBy::rule, step.rule};
    on_log(step.rule);
  }
}

std::string_view name_of_rule(RuleSet const& set, std::uint32_t rule) {
  return rule == no_rule ? std::string_view{} : std::string_view{set.rule(rule).name};
}

ShadowDecision judge_shadow(RuleSet const& set, Action live_action, Scratch& scratch) noexcept {
  auto const judged = judge(set, scratch, [](std::uint32_t) {});
  return {.evaluated = true,
          .differs = judged.action != live_action,
          .action = judged.action,
          .by = judged.by,
          .rule = judged.rule,
          .rule_name = name_of_rule(set, judged.rule)};
}

}  // namespace

Decision decide(Policy const& policy, Facts const& facts, Scratch& scratch) noexcept {
  Decision decision{};  // braces: all of it is copied, unused places of `logged_rules` too
  if (!fill_values(facts, policy.plan(), scratch)) return decision;

  auto const& live = policy.live();
  auto const judged = judge(live, scratch, [&decision](std::uint32_t rule) {
    if (decision.logged_count < max_logged_rules) {
      decision.logged_rules[decision.logged_count++] = rule;
    } else {
      decision.more_logged = true;
    }
  });
  decision.action = judged.action;
  decision.by = judged.by;
  decision.rule = judged.rule;
  if (judged.rule != no_rule) {
    decision.rule_name = live.rule(judged.rule).name;
    if (judged.by == DecidedBy::rule) decision.response = live.response(judged.rule);
  }
  if (auto const* shadow = policy.shadow()) {
    decision.shadow = judge_shadow(*shadow, decision.action, scratch);
  }
  return decision;
}

}  // namespace certgate::policy
