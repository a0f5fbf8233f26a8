// Rules that never match, and rules that are never reached, with proofs.
#include <algorithm>

#include "lint_rules.hpp"

namespace certgate::policy {

bool Linter::check_matches(LintedRule const& rule) {
  auto const odd = rules::oddities(rule.checked);
  for (auto const& one : odd) warn(rule, one.span, one.message, one.hint);
  if (!rules::never_matches(rule.checked, policy_.scheme())) return true;
  // What was said about a part of it already is the reason.
  if (odd.empty()) {
    warn(rule, whole(rule), "this rule can never match",
         "its conditions contradict each other; correct or remove it");
  }
  return false;
}

LintedRule const* Linter::find_shadowing(LintedRule const& rule,
                                         std::vector<LintedRule const*> const& candidates) {
  std::size_t proofs = 0;
  for (auto const* const earlier : candidates) {
    if (++proofs > max_proofs_per_rule) return nullptr;
    if (rules::implies(rule.checked, earlier->checked, policy_.scheme())) return earlier;
  }
  return nullptr;
}

// A rule is covered only by one that requires no host, or a host that the rule asks for too; so
// rules on distinct hosts are never compared with each other.
void Linter::find_unreachable() {
  RulesByHost earlier;
  for (auto const& rule : rules_) {
    if (!check_matches(rule)) continue;
    auto const* shadowing = find_shadowing(rule, earlier.on_any_host);
    if (shadowing == nullptr && !rule.asked_hosts.empty()) {
      shadowing = find_shadowing(rule, earlier.on(rule.asked_hosts));
    }
    if (shadowing != nullptr) {
      bool const same = shadowing->text->action == rule.text->action;
      warn(rule, whole(rule),
           "this rule is never reached: `" + shadowing->text->name +
               "` matches everything that it matches, and decides first",
           same ? "remove one of them"
                : "move it above `" + shadowing->text->name + "`, or make that one narrower");
      continue;  // whatever it covers is covered by the other as well
    }
    if (!rule.is_terminating()) continue;
    if (candidates_ == Candidates::all) {
      earlier.on_any_host.push_back(&rule);
    } else {
      earlier.add(rule);
    }
  }
}

}  // namespace certgate::policy
