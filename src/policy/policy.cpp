// Compiles rule descriptions, collecting the mistakes of all of them.
#include "certgate/policy/policy.hpp"

#include <utility>

namespace certgate::policy {
namespace {

void add_mistakes(rules::Mistakes const& mistakes, Locate const& locate, Diagnostics& out) {
  for (auto const& mistake : mistakes) {
    out.add(locate(mistake.span.offset, mistake.span.length, mistake.message, mistake.hint,
                   mistake.severity));
  }
}

void add_lists(std::vector<ListText>& lists, rules::Scheme& scheme, Diagnostics& mistakes) {
  for (auto& text : lists) {
    if (scheme.find_list(text.name) || scheme.find_unavailable_list(text.name)) {
      mistakes.add({.place = {.file = "list " + text.name},
                    .message = "the list `" + text.name + "` is defined twice",
                    .hint = "give each list a name of its own"});
      continue;
    }
    auto list = text.file != nullptr ? rules::parse_list(text.kind, text.file->text())
                                     : rules::build_list(text.kind, text.entries);
    if (list) {
      scheme.add_list(text.name, std::move(*list));
      continue;
    }
    if (text.file != nullptr) mistakes.add_all(rules::to_diagnostics(list.error(), *text.file));
    for (auto const& mistake : text.file != nullptr ? rules::Mistakes{} : list.error()) {
      mistakes.add(text.locate ? text.locate(mistake.span.offset, mistake.message, mistake.hint)
                               : Diagnostic{.place = {.file = "list " + text.name},
                                            .message = mistake.message,
                                            .hint = mistake.hint});
    }
    // Rules that name it should not be reported as well.
    scheme.add_list(text.name, rules::build_list(text.kind, {}).value());
  }
}

rules::Ruleset compile_rules(std::vector<RuleText>& texts, rules::Scheme const& scheme,
                             rules::Limits const& limits, Diagnostics& mistakes,
                             Diagnostics& warnings) {
  std::vector<rules::Rule> compiled;
  compiled.reserve(texts.size());
  for (auto& text : texts) {
    rules::Mistakes odd;
    auto rule = rules::compile_rule(scheme, text.name, text.expression,
                                    static_cast<int>(text.action), limits, &odd);
    auto const report = [&text](rules::Mistakes const& found, Diagnostics& out) {
      if (found.empty()) return;
      add_mistakes(found, text.locate ? text.locate : locate_in(text.name, text.expression), out);
    };
    if (!rule) {
      report(rule.error(), mistakes);
      continue;
    }
    report(odd, warnings);
    rule->enabled = text.enabled;
    compiled.push_back(std::move(*rule));
  }
  return rules::Ruleset{std::move(compiled)};
}

}  // namespace

Locate locate_in(std::string name, std::string text) {
  auto source = std::make_shared<SourceText const>(std::move(name), std::move(text));
  return [source](std::size_t offset, std::size_t length, std::string message, std::string hint,
                  Severity severity) {
    return make_diagnostic(*source, offset, length, std::move(message), std::move(hint), severity);
  };
}

Policy::Policy() : scheme_(std::make_shared<rules::Scheme const>(make_scheme())) {}

Result<Policy, Diagnostics> Policy::build(PolicyText text) {
  Policy policy;
  policy.limits_ = text.limits;
  Diagnostics mistakes;

  auto scheme = std::make_shared<rules::Scheme>(make_scheme());
  add_lists(text.lists, *scheme, mistakes);
  policy.scheme_ = scheme;

  auto build_set = [&](RuleSetText& set) {
    RuleSet built;
    built.compiled_ = compile_rules(set.rules, *scheme, text.limits, mistakes, policy.warnings_);
    built.plan_ = FillPlan{built.compiled_.fields_used()};
    built.default_action_ = set.default_action;
    built.texts_ = std::move(set.rules);
    return built;
  };
  policy.live_ = build_set(text.live);
  rules::FieldSet used = policy.live_.compiled_.fields_used();
  if (text.shadow) {
    policy.shadow_ = build_set(*text.shadow);
    used.insert_all(policy.shadow_->compiled_.fields_used());
  }
  if (!mistakes.empty()) return fail(std::move(mistakes));
  policy.plan_ = FillPlan{used};
  return policy;
}

std::size_t Policy::memory_bytes() const {
  auto const of_set = [](RuleSet const& set) {
    std::size_t bytes = set.compiled().memory_bytes();
    for (std::size_t i = 0; i < set.size(); ++i) {
      auto const& rule = set.rule(i);
      bytes += sizeof rule + rule.name.capacity() + rule.expression.capacity();
    }
    return bytes;
  };
  return sizeof *this + of_set(live_) + (shadow_ ? of_set(*shadow_) : 0);
}

}  // namespace certgate::policy
