#include "ca_command.hpp"

#include <sys/stat.h>

#include <iostream>

#include "ca_subcommands.hpp"

namespace certgate::cli {

void run_when_chosen(CLI::App* command, int& exit_status, std::function<Result<void>()> work) {
  command->callback([command, &exit_status, work = std::move(work)] {
    run_as_ca(exit_status, work, [command](Error const* problem) {
      if (problem == nullptr) return;
      std::cout.flush();
      std::cerr << "certgate ca " << command->get_name() << ": " << problem->detail << '\n';
    });
  });
}

void run_as_ca(int& exit_status, std::function<Result<void>()> const& work,
               std::function<void(Error const*)> const& tell) {
  // Whatever is created is for the owner alone unless it is opened on purpose.
  ::umask(077);
  auto const done = work();
  tell(done ? nullptr : &done.error());
  if (!done) exit_status = done.error().code == ErrorCode::invalid ? 2 : 1;
}

void add_repeated(CLI::App* command, std::string const& name, std::vector<std::string>& values,
                  std::string const& description) {
  command->add_option(name, values, description + " (may be repeated)")->allow_extra_args(false);
}

UnixSeconds now_in_seconds() { return SystemClock().unix_seconds(); }

void add_ca_command(CLI::App& root, int& exit_status) {
  auto* const ca =
      root.add_subcommand("ca", "A small certificate authority for client certificates");
  ca->require_subcommand(1);
  ca->footer(
      "Example:\n"
      "  certgate ca init /var/lib/certgate/ca --name 'Example Devices'\n"
      "  certgate ca issue /var/lib/certgate/ca --name ann-phone\n"
      "  certgate ca revoke /var/lib/certgate/ca ann-phone --reason keyCompromise\n"
      "\n"
      "Exit codes: 0 done, 1 failed, 2 bad usage.");
  add_ca_init(*ca, exit_status);
  add_ca_issue(*ca, exit_status);
  add_ca_sign(*ca, exit_status);
  add_ca_renew(*ca, exit_status);
  add_ca_revoke(*ca, exit_status);
  add_ca_restore(*ca, exit_status);
  add_ca_list(*ca, exit_status);
  add_ca_crl(*ca, exit_status);
  add_ca_hand_out(*ca, exit_status);
}

}  // namespace certgate::cli
