// Explains a decision: traces of all rules, and the single conditions that it hangs on.
#include "certgate/policy/explain.hpp"

#include <algorithm>
#include <unordered_map>

#include "certgate/policy/decide.hpp"
#include "condition.hpp"

namespace certgate::policy {
namespace {

FillPlan plan_of_all_rules(Policy const& policy) {
  rules::FieldSet used;
  for (auto const& rule : policy.live().compiled().rules()) {
    used.insert_all(rule.program.fields_used());
  }
  return FillPlan{used};
}

RuleRole role_of(Decision const& decision, rules::Rule const& rule, std::uint32_t index,
                 rules::Outcome outcome) {
  if (!rule.enabled) return RuleRole::disabled;
  if (index == decision.rule) {
    return decision.by == DecidedBy::failure ? RuleRole::failed : RuleRole::decided;
  }
  if (index > decision.rule) return RuleRole::not_reached;  // no_rule is above every index
  return outcome == rules::Outcome::match ? RuleRole::logged : RuleRole::not_matched;
}

// Decides again and again with one condition turned round.
class Alternatives {
 public:
  Alternatives(Policy const& policy, Scratch& scratch) : policy_(policy) {
    auto const& set = policy.live();
    for (std::size_t i = 0; i < set.size() && rules_.size() < max_changed_rules; ++i) {
      auto const action = set.rule(i).action;
      if (!set.compiled().rule(i).enabled || action == Action::log) continue;
      auto const checked = rules::check(policy.scheme(), set.rule(i).expression, policy.limits());
      if (!checked) continue;
      rules_.push_back({i, build_condition(*checked)});
    }
    complete_ = rules_.size() < max_changed_rules;
    for (auto const& rule : rules_) {
      for_each_leaf(rule.condition, [&](Condition const& leaf) {
        if (truths_.contains(leaf.text)) return;
        truths_.emplace(leaf.text, evaluate_leaf(leaf, scratch));
        order_.push_back(leaf.text);
      });
    }
  }

  std::vector<Change> find(Decision const& decision) const {
    std::vector<Change> changes;
    if (decision.by == DecidedBy::failure || !complete_) return changes;
    for (std::size_t i = 0; i < order_.size() && i < max_changed_conditions; ++i) {
      auto const& text = order_[i];
      auto const now = truths_.at(text);
      if (now == Truth::unknown) continue;
      auto const [action, rule] = decide_with(text, now == Truth::yes ? Truth::no : Truth::yes);
      if (action == decision.action) continue;
      changes.push_back({text, now == Truth::yes, action,
                         rule == no_rule ? std::string{} : policy_.live().rule(rule).name});
    }
    return changes;
  }

 private:
  struct TriedRule {
    std::size_t index;
    Condition condition;
  };

  std::pair<Action, std::uint32_t> decide_with(std::string const& text, Truth truth) const {
    for (auto const& rule : rules_) {
      auto const matches = judge(rule.condition, [&](Condition const& leaf) {
        return leaf.text == text ? truth : truths_.at(leaf.text);
      });
      if (matches == Truth::yes) {
        return {policy_.live().rule(rule.index).action, static_cast<std::uint32_t>(rule.index)};
      }
    }
    return {policy_.live().default_action(), no_rule};
  }

  Policy const& policy_;
  std::vector<TriedRule> rules_;
  std::unordered_map<std::string, Truth> truths_;
  std::vector<std::string> order_;
  bool complete_ = true;
};

std::string describe_certificate(SampleRequest const& sample) {
  auto const& verdict = sample.verdict();
  if (!verdict.presented) {
    return sample.text().certificate ? "not asked for on this host" : "none";
  }
  auto const& leaf = sample.text().certificate->leaf();
  std::string out{verdict.reason};
  if (!verdict.detail.empty()) {
    out += ", " + std::string{verdict.detail};
  } else if (verdict.revoked) {
    out += ", revoked";
  }
  out += ", subject " + rules::format_value(rules::ValueView::bytes(leaf.subject_dn()));
  return out + ", serial " + std::string{leaf.serial()};
}

}  // namespace

std::string_view name_of(RuleRole role) {
  switch (role) {
    case RuleRole::decided:
      return "decided";
    case RuleRole::logged:
      return "logged";
    case RuleRole::not_matched:
      return "not_matched";
    case RuleRole::not_reached:
      return "not_reached";
    case RuleRole::disabled:
      return "disabled";
    case RuleRole::failed:
      return "failed";
  }
  return "failed";
}

Explanation explain(Policy const& policy, Facts const& facts, Scratch& scratch) {
  Explanation explanation;
  explanation.decision = decide(policy, facts, scratch);
  explanation.default_action = policy.live().default_action();

  auto const plan = plan_of_all_rules(policy);
  if (!fill_values(facts, plan, scratch)) return explanation;  // decide() failed as well
  for (auto const id : plan.ids()) {
    explanation.fields.push_back(
        {policy.scheme().field(id).name, rules::format_value(scratch.values()[id])});
  }
  auto const& set = policy.live();
  for (std::uint32_t i = 0; i < set.size(); ++i) {
    auto const& text = set.rule(i);
    auto const checked = rules::check(policy.scheme(), text.expression, policy.limits());
    if (!checked) continue;  // it has been compiled, so it checks
    RuleExplanation rule;
    rule.index = i;
    rule.name = text.name;
    rule.action = text.action;
    rule.trace = rules::trace(*checked, scratch.values(), scratch.evaluation());
    rule.role = role_of(explanation.decision, set.compiled().rule(i), i, rule.trace.outcome);
    explanation.rules.push_back(std::move(rule));
  }
  explanation.changes = Alternatives{policy, scratch}.find(explanation.decision);
  return explanation;
}

SampleExplanation explain(Policy const& policy, SampleRequest const& sample, Scratch& scratch) {
  SampleExplanation out;
  out.request = sample.text().method + " " + sample.text().url;
  if (sample.refusal()) {
    out.status = sample.refusal()->status;
    out.refused = "the request is refused with " + std::to_string(out.status) + ": " +
                  std::string{sample.refusal()->reason};
    return out;
  }
  out.certificate = describe_certificate(sample);
  if (sample.handshake_refused()) {
    out.refused = "the handshake fails: this host requires a valid client certificate";
    return out;
  }
  out.explanation = explain(policy, sample.facts(), scratch);
  auto const& decision = out.explanation.decision;
  if (decision.action == Action::block) {
    out.status = decision.response ? decision.response->status : 403;
  }
  return out;
}

}  // namespace certgate::policy
