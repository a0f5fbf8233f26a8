// Adds `certgate test`: tests of a rule set, from YAML files.
//
// Runs inside CLI11's parse and leaves 0 (done), 1 (failed) or 2 (bad usage or configuration) in
// `exit_status`, which must outlive the parse.
#pragma once

namespace CLI {
class App;
}

namespace certgate::cli {

void add_test_command(CLI::App& root, int& exit_status);

}  // namespace certgate::cli
