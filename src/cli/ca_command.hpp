// Adds `certgate ca` with all its subcommands to the program's command line.
//
// The chosen subcommand runs inside CLI11's parse and leaves 0 (done), 1 (failed) or 2 (bad usage)
// in `exit_status`, which must outlive the parse.
#pragma once

namespace CLI {
class App;
}

namespace certgate::cli {

void add_ca_command(CLI::App& root, int& exit_status);

}  // namespace certgate::cli
