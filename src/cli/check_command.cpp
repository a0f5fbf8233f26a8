#include "check_command.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>
#include <memory>

#include "certgate/base/clock.hpp"
#include "certgate/config/format_config.hpp"
#include "certgate/gateway/gateway.hpp"

namespace certgate::cli {
namespace {

struct CheckOptions {
  std::string path = "/etc/certgate/certgate.yaml";
  std::string at;
  bool dump = false;
};

// 2027-01-01 or 2027-01-01T12:00:00Z, in UTC.
bool parse_moment(std::string const& text, UnixSeconds& moment) {
  std::tm utc{};
  auto const* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  if (end == nullptr || *end != '\0') {
    utc = {};
    end = ::strptime(text.c_str(), "%Y-%m-%d", &utc);
  }
  if (end == nullptr || *end != '\0') return false;
  moment = ::timegm(&utc);
  return true;
}

int check(CheckOptions const& options) {
  auto at = SystemClock{}.unix_seconds();
  if (!options.at.empty() && !parse_moment(options.at, at)) {
    std::fprintf(stderr, "certgate: `%s` is no date; write --at 2027-01-31\n", options.at.c_str());
    return 2;
  }
  auto const checked = gateway::check(options.path, at);
  if (!checked) {
    std::fputs(render(checked.error()).c_str(), stderr);
    return 2;
  }
  if (!checked->built.warnings.empty()) {
    std::fputs(render(checked->built.warnings).c_str(), stderr);
  }
  if (options.dump) {
    std::fputs(config::format_config(checked->config).c_str(), stdout);
    return 0;
  }
  std::fputs(gateway::describe_hosts(*checked, at).c_str(), stdout);
  std::fputs(gateway::describe_expiries(checked->built.expiries, at).c_str(), stdout);
  std::printf("%s: ok\n", options.path.c_str());
  return 0;
}

}  // namespace

void add_check_command(CLI::App& root, int& exit_status) {
  auto* const command = root.add_subcommand(
      "check", "Load everything a run would load; print mistakes, warnings and the policy");
  auto const options = std::make_shared<CheckOptions>();
  command->add_option("-c,--config", options->path, "The configuration file")
      ->capture_default_str();
  command->add_option("--at", options->at,
                      "Judge certificates and CRLs as on that day (2027-01-31, UTC)");
  command->add_flag("--dump", options->dump, "Print the configuration with every default filled in");
  command->footer(
      "Exit status: 0 valid (there may be warnings), 2 invalid.\n"
      "Example: certgate check --config certgate.yaml --at 2027-01-01");
  command->callback([options, &exit_status] { exit_status = check(*options); });
}

}  // namespace certgate::cli
