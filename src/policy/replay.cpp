// Judges logged requests with three-valued logic.
#include "certgate/policy/replay.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

#include "certgate/policy/sample_request.hpp"
#include "condition.hpp"

namespace certgate::policy {

void LoggedRequest::set_value(rules::FieldId field, rules::ValueView value) {
  known_.insert(field);
  values_.push_back({field, value});
}

Result<void> LoggedRequest::set(Field field, std::string_view text) {
  texts_.emplace_back(text);
  CERTGATE_TRY(auto const value, parse_field_value(id_of(field), texts_.back()));
  set_value(id_of(field), value);
  return {};
}

void LoggedRequest::set_flag(Field field, bool value) {
  set_value(id_of(field), rules::ValueView::boolean(value));
}

void LoggedRequest::set_verdict(bool presented, bool verified, bool revoked) {
  set_flag(Field::cert_presented, presented);
  set_flag(Field::cert_verified, verified);
  set_flag(Field::cert_revoked, revoked);
  if (presented) return;
  for (auto id = id_of(Field::cert_subject_dn); id < id_of(Field::ssl); ++id) {
    bool const is_flag = field_table()[id].type == rules::bool_type;
    set_value(id, is_flag ? rules::ValueView::boolean(false) : rules::ValueView::bytes({}));
  }
}

void LoggedRequest::set_path_and_query(std::string_view path, std::string_view query) {
  auto& uri = texts_.emplace_back(path);
  if (!query.empty()) uri.append("?").append(query);
  std::string_view const whole = uri;
  set_value(id_of(Field::uri), rules::ValueView::bytes(whole));
  set_value(id_of(Field::path), rules::ValueView::bytes(whole.substr(0, path.size())));
  set_value(
      id_of(Field::query),
      rules::ValueView::bytes(query.empty() ? std::string_view{} : whole.substr(path.size() + 1)));
  query_ = query;
  // Made from path and query by fill_values(); the path before normalisation is not in the log.
  for (auto const derived :
       {Field::path_extension, Field::args, Field::args_names, Field::args_values}) {
    known_.insert(id_of(derived));
  }
}

void LoggedRequest::clear() {
  texts_.clear();
  values_.clear();
  known_ = {};
  query_.clear();
}

struct Replayer::Rule {
  std::uint32_t index;
  Action action;
  Condition condition;
};

Replayer::Replayer(Policy const& policy) : policy_(policy), live_(compile(policy.live())) {
  if (auto const* shadow = policy.shadow()) shadow_ = compile(*shadow);
}

Replayer::~Replayer() = default;

std::vector<Replayer::Rule> Replayer::compile(RuleSet const& set) const {
  std::vector<Rule> rules;
  for (std::uint32_t i = 0; i < set.size(); ++i) {
    if (!set.compiled().rule(i).enabled) continue;
    auto const checked = rules::check(policy_.scheme(), set.rule(i).expression, policy_.limits());
    if (checked) rules.push_back({i, set.rule(i).action, build_condition(*checked)});
  }
  return rules;
}

namespace {

// What is always known in a replay, whatever the log says.
bool is_known_to(LoggedRequest const& request, rules::FieldId id) {
  if (id == id_of(Field::full_uri)) {
    return request.knows(id_of(Field::host)) && request.knows(id_of(Field::uri));
  }
  return request.knows(id) || is_fixed(id) || id == id_of(Field::ssl) ||
         id == id_of(Field::edge_client_tcp) || id == id_of(Field::headers_truncated);
}

}  // namespace

ReplayedRequest Replayer::replay(LoggedRequest const& request) {
  http::RequestHead const head;
  http::Target target;
  Facts facts;
  for (auto const& value : request.values_) {
    if (value.field == id_of(Field::path)) target.path = value.value.as_bytes();
    if (value.field == id_of(Field::uri)) target.origin_form = value.value.as_bytes();
    if (value.field == id_of(Field::host)) facts.host = value.value.as_bytes();
  }
  target.query = request.query_;
  facts.head = &head;
  facts.target = &target;
  facts.overrides = request.values_;

  ReplayedRequest replayed;
  if (policy_.shadow() != nullptr) replayed.shadow.emplace();
  if (!fill_values(facts, policy_.plan(), scratch_)) {
    replayed.live.may_block = true;
    if (replayed.shadow) replayed.shadow->may_block = true;
    return replayed;
  }
  replayed.live = judge_set(policy_.live(), live_, request);
  if (replayed.shadow) replayed.shadow = judge_set(*policy_.shadow(), shadow_, request);
  return replayed;
}

ReplayedDecision Replayer::judge_set(RuleSet const& set, std::vector<Rule> const& rules,
                                     LoggedRequest const& request) {
  ReplayedDecision decision;
  auto const possible = [&decision](Action action) {
    (action == Action::allow ? decision.may_allow : decision.may_block) = true;
  };
  auto const is_known = [&request](rules::FieldId id) { return is_known_to(request, id); };
  std::vector<rules::FieldId> missing;
  auto const judge_leaf = [&](Condition const& leaf) {
    auto const used = leaf.program.fields_used().ids();
    if (std::all_of(used.begin(), used.end(), is_known)) return evaluate_leaf(leaf, scratch_);
    std::copy_if(used.begin(), used.end(), std::back_inserter(missing),
                 [&](rules::FieldId id) { return !is_known(id); });
    return Truth::unknown;
  };
  bool passed_unknown = false;
  std::optional<std::string_view> decider;
  for (auto const& rule : rules) {
    auto const before = missing.size();
    auto const matches = judge(rule.condition, judge_leaf);
    std::string_view const name = set.rule(rule.index).name;
    // Nothing hangs on a rule that only records.
    if (matches != Truth::unknown || rule.action == Action::log) missing.resize(before);
    if (matches == Truth::no) continue;
    if (rule.action == Action::log) {
      bool const surely = matches == Truth::yes && !passed_unknown;
      (surely ? decision.logged : decision.may_log).push_back(name);
      continue;
    }
    possible(rule.action);
    if (matches == Truth::yes) {
      decider = name;
      break;
    }
    passed_unknown = true;
  }
  if (!decider) possible(set.default_action());
  if (decider && !passed_unknown) decision.rule = *decider;
  if (!decision.certain()) {
    std::sort(missing.begin(), missing.end());
    missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
    decision.missing = std::move(missing);
  }
  return decision;
}

}  // namespace certgate::policy
