#include "certgate/cli/command.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "admin_command.hpp"
#include "ca_command.hpp"
#include "check_command.hpp"
#include "demo_command.hpp"
#include "deny_command.hpp"
#include "doctor_command.hpp"
#include "explain_command.hpp"
#include "replay_command.hpp"
#include "rule_command.hpp"
#include "run_command.hpp"
#include "test_command.hpp"
#include "usage.hpp"
#include "version.hpp"

namespace certgate::cli {

int run(int argc, char** argv) {
  CLI::App app{"certgate: a TLS-terminating reverse proxy that enforces mTLS rules"};
  app.name("certgate");
  app.set_version_flag("--version", version_text(), "Print the version and what it was built with");
  app.require_subcommand(1);
  app.footer(
      "certgate demo                       see it work on this machine\n"
      "certgate COMMAND --help             what a command does, with an example\n"
      "man certgate                        the manual");

  int exit_status = 0;
  add_run_command(app, exit_status);
  add_check_command(app, exit_status);
  add_explain_command(app, exit_status);
  add_test_command(app, exit_status);
  add_rule_command(app, exit_status);
  add_replay_command(app, exit_status);
  add_ca_command(app, exit_status);
  add_reload_command(app, exit_status);
  add_status_command(app, exit_status);
  add_deny_commands(app, exit_status);
  add_doctor_command(app, exit_status);
  add_demo_command(app, exit_status);

  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& error) {
    // --help and --version are "errors" with status 0; everything else is bad usage.
    if (error.get_exit_code() == 0) return app.exit(error);
    std::fputs(explain_usage(app, error).c_str(), stderr);
    return 2;
  } catch (std::exception const& error) {
    std::fprintf(stderr, "certgate: %s\n", error.what());
    return 1;
  }
  return exit_status;
}

}  // namespace certgate::cli
