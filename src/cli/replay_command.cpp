// Reads an access log and judges its requests by another configuration.
#include "replay_command.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <system_error>

#include "certgate/policy/replay.hpp"
#include "loaded_policy.hpp"
#include "logged_request.hpp"

namespace certgate::cli {
namespace {

struct ReplayOptions {
  std::string config;
  std::string log;
  bool json = false;
};

struct Counts {
  std::size_t requests = 0;
  std::size_t same = 0;
  std::size_t different = 0;
  std::size_t uncertain = 0;
  std::size_t skipped = 0;  // refused before any rule, failed handshakes, lines of another kind
  std::size_t records = 0;  // of these, JSON objects
  std::map<std::string_view, std::size_t> missing;
  // Of each `log` rule, by its name: requests that it would record, and that it may.
  struct Logged {
    std::size_t surely = 0;
    std::size_t perhaps = 0;
  };
  std::map<std::string_view, Logged> logged;
  std::size_t shadow_same = 0;  // as the live rules
  std::size_t shadow_different = 0;
  std::size_t shadow_uncertain = 0;
};

std::string as_json(std::string_view text) {
  std::string out = "\"";
  append_json_escaped(out, text);
  return out + '"';
}

std::string by_rule(std::string_view name) {
  return name.empty() ? std::string{} : " by rule " + as_json(name);
}

void print_difference(LoggedDecision const& logged, policy::ReplayedDecision const& replayed,
                      bool is_json) {
  auto const now = policy::name_of(replayed.action());
  if (is_json) {
    std::cout << "{\"request_id\":" << as_json(logged.request_id)
              << ",\"request\":" << as_json(logged.summary) << ",\"rules\":\"live\""
              << ",\"was\":" << as_json(policy::name_of(logged.action))
              << ",\"was_rule\":" << as_json(logged.rule) << ",\"becomes\":" << as_json(now)
              << ",\"rule\":" << as_json(replayed.rule) << "}\n";
    return;
  }
  // Everything in the log came from a peer once: nothing of it may reach a terminal unescaped.
  std::cout << logged.request_id << ' ' << as_json(logged.summary) << ": was "
            << policy::name_of(logged.action) << by_rule(logged.rule) << ", would be " << now
            << by_rule(replayed.rule) << '\n';
}

void print_shadow_difference(LoggedDecision const& logged, policy::ReplayedRequest const& replayed,
                             bool is_json) {
  auto const& live = replayed.live;
  auto const& shadow = *replayed.shadow;
  if (is_json) {
    std::cout << "{\"request_id\":" << as_json(logged.request_id)
              << ",\"request\":" << as_json(logged.summary) << ",\"rules\":\"shadow\""
              << ",\"live\":" << as_json(policy::name_of(live.action()))
              << ",\"live_rule\":" << as_json(live.rule)
              << ",\"shadow\":" << as_json(policy::name_of(shadow.action()))
              << ",\"shadow_rule\":" << as_json(shadow.rule) << "}\n";
    return;
  }
  std::cout << logged.request_id << ' ' << as_json(logged.summary) << ": live rules "
            << policy::name_of(live.action()) << by_rule(live.rule) << ", shadow rules "
            << policy::name_of(shadow.action()) << by_rule(shadow.rule) << '\n';
}

void print_summary(Counts const& counts) {
  std::cerr << counts.requests << " requests: " << counts.same << " the same, " << counts.different
            << " different, " << counts.uncertain << " uncertain";
  if (counts.skipped != 0) {
    std::cerr << "; " << counts.skipped << (counts.skipped == 1 ? " line" : " lines")
              << " without a decision";
  }
  std::cerr << '\n';
  for (auto const& [field, count] : counts.missing) {
    std::cerr << "  " << count << " hang on " << field << ", which the log does not hold\n";
  }
  for (auto const& [rule, count] : counts.logged) {
    std::cerr << "log rule " << as_json(rule) << ": " << count.surely << " recorded, "
              << count.perhaps << " uncertain\n";
  }
  auto const shadowed = counts.shadow_same + counts.shadow_different + counts.shadow_uncertain;
  if (shadowed == 0) return;
  std::cerr << "shadow rules: " << counts.shadow_same << " as the live ones, "
            << counts.shadow_different << " different, " << counts.shadow_uncertain
            << " uncertain\n";
}

void replay_line(std::string const& line, policy::Replayer& replayer, ReplayOptions const& options,
                 policy::LoggedRequest& request, Counts& counts) {
  request.clear();
  auto const logged = parse_log_line(line, request);
  if (!logged) {
    ++counts.skipped;
    if (line.starts_with('{')) ++counts.records;
    return;
  }
  ++counts.requests;
  auto const replayed = replayer.replay(request);
  auto const& live = replayed.live;
  for (auto const rule : live.logged) ++counts.logged[rule].surely;
  for (auto const rule : live.may_log) ++counts.logged[rule].perhaps;
  if (!live.certain()) {
    ++counts.uncertain;
    for (auto const id : live.missing) ++counts.missing[policy::field_table()[id].name];
  } else if (live.action() == logged->action) {
    ++counts.same;
  } else {
    ++counts.different;
    print_difference(*logged, live, options.json);
  }
  if (!replayed.shadow) return;
  if (!live.certain() || !replayed.shadow->certain()) {
    ++counts.shadow_uncertain;
  } else if (live.action() == replayed.shadow->action()) {
    ++counts.shadow_same;
  } else {
    ++counts.shadow_different;
    print_shadow_difference(*logged, replayed, options.json);
  }
}

int replay(ReplayOptions const& options) {
  auto const loaded = LoadedPolicy::load(options.config);
  if (loaded == nullptr) return 2;
  std::ifstream file;
  if (options.log != "-") {
    file.open(options.log);
    if (!file) {
      std::cerr << "certgate replay: cannot read `" << options.log
                << "`: " << std::system_category().message(errno) << '\n';
      return 1;
    }
  }
  auto& log = options.log == "-" ? std::cin : file;
  policy::Replayer replayer{loaded->policy()};
  policy::LoggedRequest request;
  Counts counts;
  for (std::string line; std::getline(log, line);) {
    if (!line.empty()) replay_line(line, replayer, options, request, counts);
  }
  if (log.bad()) {
    std::cerr << "certgate replay: cannot read `" << options.log
              << "`: " << std::system_category().message(errno) << '\n';
    return 1;
  }
  if (counts.requests == 0 && counts.skipped != 0 && counts.records == 0) {
    std::cerr << "certgate replay: no line of `" << options.log
              << "` is a record of the JSON access log (log.access.format: json)\n";
    return 1;
  }
  print_summary(counts);
  return 0;
}

}  // namespace

void add_replay_command(CLI::App& root, int& exit_status) {
  auto* const command = root.add_subcommand(
      "replay", "Say which logged requests another configuration would decide differently");
  auto const options = std::make_shared<ReplayOptions>();
  command->add_option("--config,-c", options->config, "The other configuration file")->required();
  command->add_option("log", options->log, "An access log in JSON, or - for standard input")
      ->required();
  command->add_flag("--json", options->json, "Print each difference as a JSON object");
  command->footer(
      "Example:\n"
      "  certgate replay --config new.yaml /var/log/certgate/access.log\n"
      "\n"
      "Differences go to standard output, the counts to standard error: of requests, of each\n"
      "`log` rule, and of the shadow rules, which are compared with the live ones.\n"
      "Exit codes: 0 done, 1 failed, 2 bad usage or invalid configuration.");
  command->callback([options, &exit_status] { exit_status = replay(*options); });
}

}  // namespace certgate::cli
