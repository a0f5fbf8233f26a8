// An explanation as text for a terminal, and as JSON.
#include "certgate/base/encoding.hpp"
#include "certgate/policy/explain.hpp"

namespace certgate::policy {
namespace {

constexpr std::string_view past_tense(Action action) {
  return action == Action::block ? "blocked" : action == Action::allow ? "allowed" : "logged";
}

std::string_view sentence_of(RuleRole role) {
  switch (role) {
    case RuleRole::decided:
      return "matches and decides";
    case RuleRole::logged:
      return "matches, is logged and goes on";
    case RuleRole::not_matched:
      return "does not match";
    case RuleRole::not_reached:
      return "is not reached";
    case RuleRole::disabled:
      return "is disabled";
    case RuleRole::failed:
      return "cannot be evaluated";
  }
  return "";
}

void append_indented(std::string& out, std::string_view text, std::string_view indent) {
  while (!text.empty()) {
    auto const end = std::min(text.find('\n'), text.size());
    out += indent;
    out += text.substr(0, end);
    out += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string describe_decider(std::string const& rule, std::string_view by_default) {
  return rule.empty() ? std::string{by_default} : "rule `" + rule + "`";
}

std::string outcome_sentence(SampleExplanation const& sample) {
  auto const& decision = sample.explanation.decision;
  std::string out{past_tense(decision.action)};
  out += " by ";
  out += decision.by == DecidedBy::default_action ? "the default action" : describe(decision);
  if (decision.action == Action::block) {
    out += "; the client gets " + std::to_string(sample.status);
  } else {
    out += "; the request goes to the origin";
  }
  return out;
}

class JsonWriter {
 public:
  void open(char bracket) { value_begins(), out_ += bracket, first_ = true; }
  void close(char bracket) { out_ += bracket, first_ = false; }
  void key(std::string_view name) { string(name), out_ += ':', first_ = true; }
  void string(std::string_view text) {
    value_begins();
    out_ += '"';
    append_json_escaped(out_, text);
    out_ += '"';
  }
  void raw(std::string_view text) { value_begins(), out_ += text; }
  void boolean(bool value) { raw(value ? "true" : "false"); }
  void member(std::string_view name, std::string_view value) { key(name), string(value); }
  std::string take() { return std::move(out_) + '\n'; }

 private:
  void value_begins() {
    if (!first_) out_ += ',';
    first_ = false;
  }
  std::string out_;
  bool first_ = true;
};

std::string_view name_of_outcome(rules::Outcome outcome) {
  switch (outcome) {
    case rules::Outcome::no_match:
      return "no_match";
    case rules::Outcome::match:
      return "match";
    case rules::Outcome::failed:
      return "failed";
  }
  return "failed";
}

void write_node(JsonWriter& json, rules::TraceNode const& node) {
  json.open('{');
  json.member("text", node.text);
  json.member("type", rules::format_type(node.type));
  if (node.type == rules::bool_type) {
    json.key("value"), json.boolean(node.is_true);
  } else {
    json.member("value", node.value);
  }
  json.key("skipped"), json.boolean(node.skipped);
  json.key("decisive"), json.boolean(node.decisive);
  if (!node.children.empty()) {
    json.key("parts"), json.open('[');
    for (auto const& child : node.children) write_node(json, child);
    json.close(']');
  }
  json.close('}');
}

void write_decision(JsonWriter& json, Decision const& decision) {
  json.key("decision"), json.open('{');
  json.member("action", name_of(decision.action));
  json.member("by", name_of(decision.by));
  if (!decision.rule_name.empty()) json.member("rule", decision.rule_name);
  if (decision.shadow.evaluated) {
    json.key("shadow"), json.open('{');
    json.member("action", name_of(decision.shadow.action));
    json.key("differs"), json.boolean(decision.shadow.differs);
    if (!decision.shadow.rule_name.empty()) json.member("rule", decision.shadow.rule_name);
    json.close('}');
  }
  json.close('}');
}

}  // namespace

std::string format_text(SampleExplanation const& sample) {
  std::string out = sample.request + "\n";
  if (!sample.certificate.empty()) out += "client certificate: " + sample.certificate + "\n";
  if (!sample.refused.empty()) return out + "\n" + sample.refused + "\n";

  auto const& explanation = sample.explanation;
  for (auto const& rule : explanation.rules) {
    out += "\n" + std::to_string(rule.index + 1) + ". `" + rule.name + "` (" +
           std::string{name_of(rule.action)} + ") " + std::string{sentence_of(rule.role)} + "\n";
    append_indented(out, rules::format_trace(rule.trace), "   ");
  }
  out += "\ndecision: " + outcome_sentence(sample) + "\n";
  if (auto const& shadow = explanation.decision.shadow; shadow.evaluated) {
    out += "shadow rules: " + std::string{shadow.differs ? "differ, " : "agree, "} +
           std::string{past_tense(shadow.action)} + " by " +
           describe_decider(std::string{shadow.rule_name}, "the default action") + "\n";
  }
  if (explanation.decision.by == DecidedBy::failure) return out;
  if (explanation.changes.empty()) {
    out += "no single condition, turned round, would change that\n";
    return out;
  }
  out += "what would change it, each by itself:\n";
  for (auto const& change : explanation.changes) {
    out += "  `" + change.condition + "` is " + (change.now ? "true" : "false") +
           "; otherwise: " + std::string{past_tense(change.action)} + " by " +
           describe_decider(change.rule, "the default action") + "\n";
  }
  return out;
}

std::string format_json(SampleExplanation const& sample) {
  JsonWriter json;
  json.open('{');
  json.member("request", sample.request);
  json.member("certificate", sample.certificate);
  json.key("status"), json.raw(std::to_string(sample.status));
  if (!sample.refused.empty()) {
    json.member("refused", sample.refused);
    json.close('}');
    return json.take();
  }
  auto const& explanation = sample.explanation;
  write_decision(json, explanation.decision);
  json.key("fields"), json.open('{');
  for (auto const& field : explanation.fields) json.member(field.name, field.value);
  json.close('}');
  json.key("rules"), json.open('[');
  for (auto const& rule : explanation.rules) {
    json.open('{');
    json.member("name", rule.name);
    json.member("action", name_of(rule.action));
    json.member("role", name_of(rule.role));
    json.member("outcome", name_of_outcome(rule.trace.outcome));
    json.key("expression"), write_node(json, rule.trace.root);
    json.close('}');
  }
  json.close(']');
  json.key("changes"), json.open('[');
  for (auto const& change : explanation.changes) {
    json.open('{');
    json.member("condition", change.condition);
    json.key("now"), json.boolean(change.now);
    json.member("action", name_of(change.action));
    if (!change.rule.empty()) json.member("rule", change.rule);
    json.close('}');
  }
  json.close(']');
  json.close('}');
  return json.take();
}

}  // namespace certgate::policy
