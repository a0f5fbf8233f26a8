#include "admin_command.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "certgate/admin/client.hpp"
#include "certgate/gateway/build.hpp"

namespace certgate::cli {
namespace {

// A reload loads CRLs and compiles rules: large ones take a while.
constexpr std::chrono::minutes reload_patience{10};
constexpr std::chrono::seconds status_patience{10};

// For people: one line for each value.
std::string indented(std::string const& text) {
  using nlohmann::ordered_json;
  auto const value = ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return text;
  return value.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

void add_options(CLI::App& command, AdminOptions& options) {
  command.add_option("-c,--config", options.config,
                     "The configuration file, which names the admin address")
      ->capture_default_str();
  command.add_option("--admin", options.address,
                     "The admin address itself: unix:/run/certgate/admin.sock or 127.0.0.1:9901");
}

std::optional<admin::Address> find_address(AdminOptions const& options) {
  auto text = options.address;
  if (text.empty()) {
    auto const config = gateway::load_config(options.config, SystemClock{}.unix_seconds());
    if (!config) {
      // The running process may have been started from a better version of this file.
      std::fputs(render(config.error()).c_str(), stderr);
      std::fputs("certgate: name the admin address with --admin\n", stderr);
      return std::nullopt;
    }
    if (!config->admin) {
      std::fprintf(stderr,
                   "certgate: %s has no `admin: {address: ...}`, so there is nobody to ask\n",
                   options.config.c_str());
      return std::nullopt;
    }
    text = config::format_admin_address(*config->admin->address);
  }
  auto address = admin::Address::parse(text);
  if (!address) {
    std::fprintf(stderr, "certgate: %s\n", address.error().detail.c_str());
    return std::nullopt;
  }
  return std::move(*address);
}

int show(Result<admin::Answer> const& answer, bool as_json) {
  if (!answer) {
    std::fprintf(stderr, "certgate: %s\n", answer.error().detail.c_str());
    return 1;
  }
  bool const good = answer->status == 200;
  bool const is_json = as_json && answer->body.starts_with('{');
  std::fputs(answer->body.c_str(), good || is_json ? stdout : stderr);
  return good ? 0 : 1;
}

void add_reload_command(CLI::App& root, int& exit_status) {
  auto* const command = root.add_subcommand(
      "reload", "Have the running certgate reload, and wait for the verdict");
  auto const options = std::make_shared<AdminOptions>();
  add_options(*command, *options);
  command->add_flag("--json", options->json, "Print one JSON object: version, changes, diagnostics");
  command->footer(
      "Exit status: 0 reloaded, 1 refused (nothing changed) or not reachable.\n"
      "Example: certgate reload --config certgate.yaml");
  command->callback([options, &exit_status] {
    auto const address = find_address(*options);
    if (!address) {
      exit_status = 2;
      return;
    }
    admin::Client const client(*address, reload_patience);
    exit_status = show(client.post("/reload", options->json ? R"({"json": true})" : ""), options->json);
  });
}

void add_status_command(CLI::App& root, int& exit_status) {
  auto* const command =
      root.add_subcommand("status", "Print the state of the running certgate as JSON");
  auto const options = std::make_shared<AdminOptions>();
  add_options(*command, *options);
  command->add_flag("--json", options->json, "JSON (what it prints in any case; on a terminal with line breaks)");
  command->footer("Example: certgate status --admin unix:/run/certgate/admin.sock");
  command->callback([options, &exit_status] {
    auto const address = find_address(*options);
    if (!address) {
      exit_status = 2;
      return;
    }
    admin::Client const client(*address, status_patience);
    auto answer = client.get("/status");
    if (answer && ::isatty(STDOUT_FILENO) == 1) answer->body = indented(answer->body);
    exit_status = show(answer, true);
  });
}

}  // namespace certgate::cli
