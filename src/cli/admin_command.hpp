// `certgate reload` and `certgate status`, and what every command that asks the running certgate
// needs.
#pragma once

#include <optional>
#include <string>

#include "certgate/admin/client.hpp"

namespace CLI {
class App;
}

namespace certgate::cli {

void add_reload_command(CLI::App& root, int& exit_status);
void add_status_command(CLI::App& root, int& exit_status);

// Where the running certgate is asked.
struct AdminOptions {
  std::string config = "/etc/certgate/certgate.yaml";
  std::string address;
  bool json = false;
};
void add_options(CLI::App& command, AdminOptions& options);
// Nullopt: what is wrong has been printed.
std::optional<admin::Address> find_address(AdminOptions const& options);
// Prints the answer and gives the exit status: 0 when it is 200. Sentences about what could not be
// done go to the error output; JSON goes to the output, whatever it says.
int show(Result<admin::Answer> const& answer, bool as_json);

}  // namespace certgate::cli
