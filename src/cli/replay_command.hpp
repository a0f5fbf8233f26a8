// Adds `certgate replay`: which logged requests another configuration would decide differently.
//
// Runs inside CLI11's parse and leaves 0 (done), 1 (failed) or 2 (bad usage or configuration) in
// `exit_status`, which must outlive the parse.
#pragma once

namespace CLI {
class App;
}

namespace certgate::cli {

void add_replay_command(CLI::App& root, int& exit_status);

}  // namespace certgate::cli
