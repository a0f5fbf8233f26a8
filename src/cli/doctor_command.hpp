// `certgate doctor`: why would this client certificate, or this server, be refused, and what helps?
#pragma once

namespace CLI {
class App;
}

namespace certgate::cli {

void add_doctor_command(CLI::App& root, int& exit_status);

}  // namespace certgate::cli
