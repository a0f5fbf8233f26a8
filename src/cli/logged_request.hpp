// One line of the JSON access log as the facts that a replay can judge by.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "certgate/policy/decision.hpp"
#include "certgate/policy/replay.hpp"

namespace certgate::cli {

// What was decided then.
struct LoggedDecision {
  policy::Action action = policy::Action::block;
  std::string rule;  // empty: the default action
  std::string request_id;
  std::string summary;  // "GET api.example.com/v1"
};

// Sets what the line tells in `request`. nullopt: it is not the record of a decided request. A text
// that the log has cut, or that may have held other bytes than it shows, is left unknown.
std::optional<LoggedDecision> parse_log_line(std::string_view line, policy::LoggedRequest& request);

}  // namespace certgate::cli
