// Words for decisions.
#include "certgate/policy/decision.hpp"

namespace certgate::policy {

std::string_view name_of(Action action) {
  switch (action) {
    case Action::block:
      return "block";
    case Action::allow:
      return "allow";
    case Action::log:
      return "log";
  }
  return "block";
}

std::string_view name_of(DecidedBy by) {
  switch (by) {
    case DecidedBy::failure:
      return "failure";
    case DecidedBy::rule:
      return "rule";
    case DecidedBy::default_action:
      return "default_action";
  }
  return "failure";
}

std::string describe(Decision const& decision) {
  switch (decision.by) {
    case DecidedBy::rule:
      return "rule `" + std::string{decision.rule_name} + "`";
    case DecidedBy::default_action:
      return "default action";
    case DecidedBy::failure:
      break;
  }
  return decision.rule_name.empty()
             ? std::string{"evaluation failed"}
             : "evaluation of rule `" + std::string{decision.rule_name} + "` failed";
}

}  // namespace certgate::policy
