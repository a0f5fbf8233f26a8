// Adds `certgate reload` and `certgate status`: what is asked of a running certgate.
#pragma once

namespace CLI {
class App;
}

namespace certgate::cli {

void add_reload_command(CLI::App& root, int& exit_status);
void add_status_command(CLI::App& root, int& exit_status);

}  // namespace certgate::cli
