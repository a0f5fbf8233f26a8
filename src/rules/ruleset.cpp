#include "certgate/rules/ruleset.hpp"

namespace certgate::rules {

Ruleset::Ruleset(std::vector<Rule> rules, Indexing indexing) : rules_(std::move(rules)) {
  std::vector<Requirements const*> requirements;
  requirements.reserve(rules_.size());
  for (auto const& rule : rules_) {
    requirements.push_back(rule.enabled ? &rule.requirements : nullptr);
    if (!rule.enabled) continue;
    fields_used_.insert_all(rule.program.fields_used());
    // The index looks at them as well.
    for (auto const& each : rule.requirements) fields_used_.insert(each.field);
  }
  index_ = indexing == Indexing::indexed ? RulesetIndex::build(requirements)
                                         : RulesetIndex::every_rule(requirements);
  // The index has taken from them what it needs.
  for (auto& rule : rules_) rule.requirements = {};
}

std::size_t Ruleset::memory_bytes() const {
  auto bytes = rules_.capacity() * sizeof(Rule) + index_.memory_bytes();
  for (auto const& rule : rules_) {
    bytes += rule.program.memory_bytes() + rule.name.capacity();
  }
  return bytes;
}

Walk::Walk(Ruleset const& ruleset, Values values, Scratch& scratch) noexcept
    : ruleset_(ruleset), values_(values), scratch_(scratch), candidates_(ruleset.index_, values) {}

Step Walk::next() noexcept {
  for (auto rule = candidates_.next(); rule != Candidates::none; rule = candidates_.next()) {
    ++rules_run_;
    switch (evaluate(ruleset_.rules_[rule].program, values_, scratch_)) {
      case Outcome::match:
        return {Step::matched, rule};
      case Outcome::failed:
        return {Step::failed, rule};
      case Outcome::no_match:
        break;
    }
  }
  return {};
}

Result<Rule, Mistakes> compile_rule(Scheme const& scheme, std::string name, std::string_view text,
                                    int action, Limits const& limits, Mistakes* warnings) {
  auto checked = check(scheme, text, limits, Wanted::condition);
  if (!checked) return fail(std::move(checked).error());
  Rule rule;
  rule.name = std::move(name);
  rule.program = compile_checked(*checked);
  rule.action = action;
  rule.requirements = requirements(*checked, scheme);
  if (warnings) *warnings = std::move(checked->warnings);
  return rule;
}

}  // namespace certgate::rules
