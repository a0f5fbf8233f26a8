// What another policy would make of requests that are only known from the access log.
//
// A log holds some fields and not others: header fields, cookies and most of a certificate's facts
// are gone. Every rule is therefore judged with three values, and the answer says whether it is
// certain, or else what the log would have had to hold.
//
// See: docs/explain.md.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/result.hpp"
#include "certgate/policy/decision.hpp"
#include "certgate/policy/facts.hpp"
#include "certgate/policy/policy.hpp"

namespace certgate::policy {

// The facts of one logged request. Fields derived from those given are known too: the URI from
// path and query, the arguments, all certificate fields of a client that presented none.
class LoggedRequest {
 public:
  LoggedRequest() = default;
  LoggedRequest(LoggedRequest const&) = delete;
  LoggedRequest& operator=(LoggedRequest const&) = delete;

  // Fails when `text` is not a value of the field's type.
  Result<void> set(Field field, std::string_view text);
  void set_flag(Field field, bool value);
  // cert_presented, cert_verified and cert_revoked, and "" for every other certificate field when
  // nothing was presented.
  void set_verdict(bool presented, bool verified, bool revoked);
  void set_path_and_query(std::string_view path, std::string_view query);
  void clear();

  bool knows(rules::FieldId field) const { return known_.contains(field); }

 private:
  friend class Replayer;
  void set_value(rules::FieldId field, rules::ValueView value);

  std::deque<std::string> texts_;
  std::vector<FieldOverride> values_;
  rules::FieldSet known_;
  std::string query_;
};

struct ReplayedDecision {
  // Every unknown rule matching or not: the decisions that are possible.
  bool may_block = false;
  bool may_allow = false;
  std::string_view rule;  // that decides when certain; empty: the default action, or uncertain
  // Fields that the log does not hold and the outcome hangs on; empty when certain.
  std::vector<rules::FieldId> missing;
  // `log` rules: that would record the request, and those of which the log does not tell.
  std::vector<std::string_view> logged;
  std::vector<std::string_view> may_log;
  bool certain() const { return may_block != may_allow; }
  Action action() const { return may_allow && !may_block ? Action::allow : Action::block; }
};

struct ReplayedRequest {
  ReplayedDecision live;
  std::optional<ReplayedDecision> shadow;  // nothing: the policy has no shadow rules
};

// Tries each rule in turn: a log of a million requests and a thousand rules takes minutes.
class Replayer {
 public:
  explicit Replayer(Policy const& policy);
  ~Replayer();
  ReplayedRequest replay(LoggedRequest const& request);

 private:
  struct Rule;
  std::vector<Rule> compile(RuleSet const& set) const;
  // REQUIRES: scratch_ holds the request's values.
  ReplayedDecision judge_set(RuleSet const& set, std::vector<Rule> const& rules,
                             LoggedRequest const& request);

  Policy const& policy_;
  std::vector<Rule> live_;
  std::vector<Rule> shadow_;
  Scratch scratch_;
};

}  // namespace certgate::policy
