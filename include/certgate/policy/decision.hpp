// What came out of judging one request, and why.
//
// A value without heap memory; names and responses point into the Policy, which outlives it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace certgate::policy {

enum class Action : std::uint8_t { block, allow, log };
std::string_view name_of(Action action);  // "block", "allow", "log"

// Instead of the built-in 403 page.
struct BlockResponse {
  int status = 403;          // 400 to 499
  std::string content_type;  // empty: chosen by Accept
  std::string body;          // empty: the built-in text
};

enum class DecidedBy : std::uint8_t {
  failure,         // the request could not be judged: denied
  rule,            // the first allow or block rule that matched
  default_action,  // no such rule matched
};
std::string_view name_of(DecidedBy by);  // "failure", "rule", "default_action"

inline constexpr std::uint32_t no_rule = 0xffffffff;

// What the shadow rules would have done.
struct ShadowDecision {
  bool evaluated = false;  // false: there are no shadow rules
  bool differs = false;    // another action than the live rules'
  Action action = Action::block;
  DecidedBy by = DecidedBy::failure;
  std::uint32_t rule = no_rule;  // index among the shadow rules
  std::string_view rule_name;    // empty unless a rule decided or failed
};

// Log rules remembered for each decision; counters beyond that are lost, the log says so.
inline constexpr std::size_t max_logged_rules = 16;

struct Decision {
  Action action = Action::block;  // block or allow
  DecidedBy by = DecidedBy::failure;
  std::uint32_t rule = no_rule;  // that decided, or that could not be evaluated
  std::string_view rule_name;
  BlockResponse const* response = nullptr;  // null: the built-in page
  ShadowDecision shadow;

  // `log` rules that matched before the decision, in order.
  std::span<std::uint32_t const> logged() const { return {logged_rules.data(), logged_count}; }
  bool evaluation_failed() const { return by == DecidedBy::failure; }

  std::array<std::uint32_t, max_logged_rules> logged_rules;  // [0, logged_count) are set
  std::uint8_t logged_count = 0;
  bool more_logged = false;  // more than fit
};

// For the access log: "rule `devices only`", "default action", "evaluation failed".
std::string describe(Decision const& decision);

}  // namespace certgate::policy
