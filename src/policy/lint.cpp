// Runs the checks over all rules, and those that look at one rule by itself.
#include "certgate/policy/lint.hpp"

#include <algorithm>

#include "lint_rules.hpp"

namespace certgate::policy {
using rules::Node;

std::vector<std::string> required_hosts(rules::CheckedExpression const& checked,
                                        rules::Scheme const& scheme) {
  for (auto& requirement : rules::requirements(checked, scheme)) {
    if (requirement.field == id_of(Field::host) &&
        requirement.shape == rules::Requirement::Shape::equals_one_of) {
      return std::move(requirement.values);
    }
  }
  return {};
}

std::vector<std::string> asked_hosts(rules::CheckedExpression const& checked,
                                     rules::Scheme const& scheme) {
  std::vector<std::string> hosts;
  for (auto& requirement : rules::requirements(checked, scheme)) {
    if (requirement.field != id_of(Field::host) ||
        requirement.shape != rules::Requirement::Shape::equals_one_of) {
      continue;
    }
    for (auto& host : requirement.values) hosts.push_back(std::move(host));
  }
  return hosts;
}

void RulesByHost::add(LintedRule const& rule) {
  if (rule.hosts.empty()) on_any_host.push_back(&rule);
  for (auto const& host : rule.hosts) by_host_[host].push_back(&rule);
}

std::vector<LintedRule const*> RulesByHost::on(std::vector<std::string> const& hosts) const {
  std::vector<LintedRule const*> found;
  for (auto const& host : hosts) {
    auto const at = by_host_.find(host);
    if (at == by_host_.end()) continue;
    for (auto const* const rule : at->second) {
      if (found.size() == max_proofs_per_rule) return found;
      if (std::find(found.begin(), found.end(), rule) == found.end()) found.push_back(rule);
    }
  }
  return found;
}

bool LintedRule::uses_field(Field field) const {
  return std::any_of(uses.begin(), uses.end(),
                     [field](auto const& use) { return use.field == id_of(field); });
}

rules::Span LintedRule::span_of(rules::FieldId field) const {
  auto const at = std::find_if(uses.begin(), uses.end(),
                               [field](auto const& use) { return use.field == field; });
  return at->span;
}

Linter::Linter(Policy const& policy, LintContext const& context, Candidates candidates)
    : policy_(policy), context_(context), candidates_(candidates) {
  auto const& set = policy.live();
  for (std::size_t i = 0; i < set.size(); ++i) {
    if (!set.compiled().rule(i).enabled) continue;
    auto checked = rules::check(policy.scheme(), set.rule(i).expression, policy.limits());
    if (!checked) continue;  // it has been compiled, so it checks
    LintedRule rule;
    rule.index = i;
    rule.text = &set.rule(i);
    rule.checked = std::move(*checked);
    rule.uses = rules::field_uses(rule.checked);
    rule.hosts = required_hosts(rule.checked, policy.scheme());
    rule.asked_hosts = asked_hosts(rule.checked, policy.scheme());
    rules_.push_back(std::move(rule));
  }
  found_.resize(set.size());
  for (auto const& rule : rules_) {
    if (rule.text->action != Action::block || !rule.is_about_certificates()) continue;
    blocks_.push_back(&rule);
    blocks_by_host_.add(rule);
  }
}

void Linter::warn(LintedRule const& rule, rules::Span span, std::string message, std::string hint) {
  auto const& text = *rule.text;
  auto const locate = text.locate ? text.locate : locate_in(text.name, text.expression);
  found_[rule.index].add(
      locate(span.offset, span.length, std::move(message), std::move(hint), Severity::warning));
}

void Linter::check_comparisons(LintedRule const& rule, Node const& node) {
  for (auto const& child : node.children) check_comparisons(rule, child);
  if (node.kind != Node::Kind::comparison) return;

  auto const* left = &node.children.front();
  while (!left->children.empty() && left->kind != Node::Kind::field) left = &left->children.front();
  if (left->kind != Node::Kind::field) return;
  auto const field = left->field;

  bool const is_name =
      field >= id_of(Field::cert_subject_dn) && field <= id_of(Field::cert_issuer_dn_legacy);
  if (!is_name) return;
  auto const loose = [&] {
    if (node.compare == rules::CompareOp::contains) return true;
    if (node.compare != rules::CompareOp::matches || node.literals.empty()) return false;
    auto const& pattern = node.literals.front().bytes;
    return !pattern.starts_with('^') || !pattern.ends_with('$');
  };
  if (loose()) {
    warn(rule, node.span,
         "a part of a distinguished name can stand anywhere in it, also inside another attribute",
         "compare the whole name with `eq`, or the serial number, the fingerprint or the issuer's "
         "cert_issuer_ski");
  }
}

void Linter::check_header_values() {
  if (context_.header_values == nullptr) return;
  auto const& values = *context_.header_values;
  for (std::size_t i = 0; i < values.texts().size(); ++i) {
    auto const ids = values.fields_used(i).ids();
    if (std::none_of(ids.begin(), ids.end(), is_identity_field)) continue;
    if (is_blocked("not cf.tls_client_auth.cert_verified")) continue;
    auto const& text = values.texts()[i];
    auto const locate = text.locate ? text.locate : locate_in(text.name, text.expression);
    general_.add(locate(0, text.expression.size(),
                        "`" + text.name +
                            "` also carries what an unverified certificate claims, for no rule "
                            "blocks unverified clients on every host",
                        "block them, send cf.tls_client_auth.cert_verified along, or use "
                        "forward_client_certificate, which sends verified identities only",
                        Severity::warning));
  }
}

Diagnostics Linter::run() {
  find_unreachable();
  for (auto const& rule : rules_) {
    for (auto const& use : rule.uses) {
      if (!is_fixed(use.field)) continue;
      auto const& row = field_table()[use.field];
      warn(rule, use.span,
           "`" + std::string{row.name} + "` is always " +
               (row.type == rules::bool_type  ? "false"
                : row.type == rules::int_type ? "0"
                                              : "\"\"") +
               " here",
           std::string{row.doc});
    }
    if (rule.uses_field(Field::cert_fingerprint_sha1)) {
      warn(rule, rule.span_of(id_of(Field::cert_fingerprint_sha1)),
           "SHA-1 fingerprints can be forged", "use cf.tls_client_auth.cert_fingerprint_sha256");
    }
    check_comparisons(rule, rule.checked.root);
    check_values(rule, rule.checked.root);
    check_hosts(rule);
    if (rule.is_terminating()) check_fingerprints(rule);
    if (rule.text->action == Action::allow) check_allow(rule);
    if (rule.text->action == Action::block) check_block(rule);
  }
  check_header_values();

  Diagnostics all;
  all.add_all(policy_.warnings());
  for (auto& of_rule : found_) all.add_all(std::move(of_rule));
  all.add_all(std::move(general_));
  return all;
}

Diagnostics lint(Policy const& policy, LintContext const& context) {
  return Linter{policy, context}.run();
}

}  // namespace certgate::policy
