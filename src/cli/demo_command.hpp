// Adds `certgate demo` to the program's command line.
#pragma once

namespace CLI {
class App;
}

namespace certgate::cli {

void add_demo_command(CLI::App& root, int& exit_status);

}  // namespace certgate::cli
