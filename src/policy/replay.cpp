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

Replayer::Replayer(Policy const& policy) : policy_(policy) {
  auto const& set = policy.live();
  for (std::uint32_t i = 0; i < set.size(); ++i) {
    auto const action = set.rule(i).action;
    if (!set.compiled().rule(i).enabled || action == Action::log) continue;
    auto const checked = rules::check(policy.scheme(), set.rule(i).expression, policy.limits());
    if (checked) rules_.push_back({i, action, build_condition(*checked)});
  }
}

Replayer::~Replayer() = default;

ReplayedDecision Replayer::replay(LoggedRequest const& request) {
  // What is always known here, whatever the log says.
  auto const is_known = [&request](rules::FieldId id) {
    if (id == id_of(Field::full_uri)) {
      return request.knows(id_of(Field::host)) && request.knows(id_of(Field::uri));
    }
    return request.knows(id) || is_fixed(id) || id == id_of(Field::ssl) ||
           id == id_of(Field::edge_client_tcp) || id == id_of(Field::headers_truncated);
  };
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

  ReplayedDecision decision;
  auto const possible = [&decision](Action action) {
    (action == Action::allow ? decision.may_allow : decision.may_block) = true;
  };
  if (!fill_values(facts, policy_.live().plan(), scratch_)) {
    possible(Action::block);
    return decision;
  }
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
  for (auto const& rule : rules_) {
    auto const before = missing.size();
    auto const matches = judge(rule.condition, judge_leaf);
    if (matches != Truth::unknown) missing.resize(before);
    if (matches == Truth::no) continue;
    possible(rule.action);
    if (matches == Truth::yes) {
      decider = policy_.live().rule(rule.index).name;
      break;
    }
    passed_unknown = true;
  }
  if (!decider) possible(policy_.live().default_action());
  if (decider && !passed_unknown) decision.rule = *decider;
  if (!decision.certain()) {
    std::sort(missing.begin(), missing.end());
    missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
    decision.missing = std::move(missing);
  }
  return decision;
}

}  // namespace certgate::policy
