// `certgate deny`, `certgate undeny`, `certgate denies`: throwing a certificate out at once.
#pragma once

namespace CLI {
class App;
}

namespace certgate::cli {

void add_deny_commands(CLI::App& root, int& exit_status);

}  // namespace certgate::cli
