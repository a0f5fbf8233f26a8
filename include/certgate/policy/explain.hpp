// Why a request was decided as it was: every rule, every part of it, and what would change it.
//
// Slow and thorough, for people: each rule is compiled again and each part run by itself. The
// decision is the one decide() gives for the same facts.
#pragma once

#include <string>
#include <vector>

#include "certgate/policy/decision.hpp"
#include "certgate/policy/facts.hpp"
#include "certgate/policy/policy.hpp"
#include "certgate/policy/sample_request.hpp"
#include "certgate/rules/trace.hpp"

namespace certgate::policy {

enum class RuleRole : std::uint8_t {
  decided,      // the first allow or block that matched
  logged,       // a log rule that matched before it
  not_matched,  // tried, did not match
  not_reached,  // stands below the one that decided
  disabled,
  failed,  // could not be evaluated: the request is denied
};
std::string_view name_of(RuleRole role);

struct RuleExplanation {
  std::uint32_t index = 0;  // from 0
  std::string name;
  Action action = Action::block;
  RuleRole role = RuleRole::not_matched;
  rules::Trace trace;  // of a rule that is not reached or disabled too
};

// If this one condition were the other way round and nothing else, the request would be decided
// differently.
struct Change {
  std::string condition;  // as written in the rule
  bool now = false;
  Action action = Action::block;  // then
  std::string rule;               // that would decide; empty: the default action
};

struct FieldValue {
  std::string name;
  std::string value;  // rules::format_value()
};

struct Explanation {
  Decision decision;  // points into the Policy
  Action default_action = Action::allow;
  std::vector<FieldValue> fields;  // that the rules read, in the order of the table
  std::vector<RuleExplanation> rules;
  std::vector<Change> changes;
};

// Rules whose parts are tried the other way round, and parts tried; beyond these, `changes` may be
// incomplete.
inline constexpr std::size_t max_changed_rules = 500;
inline constexpr std::size_t max_changed_conditions = 100;

Explanation explain(Policy const& policy, Facts const& facts, Scratch& scratch);

// The same for a sample request, including what is refused before any rule is asked.
struct SampleExplanation {
  std::string request;      // "GET https://api.example.com/v1"
  std::string certificate;  // "SUCCESS, subject CN=sensor-7, serial 0A", "none"
  std::string refused;      // not empty: refused before any rule is asked, and why
  int status = 0;           // what the client gets; 0: no answer (handshake) or the origin's
  Explanation explanation;  // empty when refused
};
SampleExplanation explain(Policy const& policy, SampleRequest const& sample, Scratch& scratch);

// For a terminal; ends with a newline.
std::string format_text(SampleExplanation const& explanation);
// One JSON object; ends with a newline.
std::string format_json(SampleExplanation const& explanation);

}  // namespace certgate::policy
