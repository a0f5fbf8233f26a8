#include "deny_command.hpp"

#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "admin_command.hpp"
#include "certgate/config/quantity.hpp"

namespace certgate::cli {
namespace {

using nlohmann::json;

// The answer comes once every worker has taken the change; a reload that runs goes first.
constexpr std::chrono::minutes patience{10};

struct DenyOptions {
  AdminOptions admin;
  std::string serial, issuer, fingerprint, subject, for_time, reason;
  bool as_json = false;
};

void add_criteria(CLI::App& command, DenyOptions& options) {
  auto* const which = command.add_option_group("which", "Exactly one of these");
  which->add_option("--serial", options.serial, "Serial number in hexadecimal (0A:1B or 0a1b)");
  which->add_option("--fingerprint", options.fingerprint,
                    "SHA-256 of the certificate in hexadecimal");
  which->add_option("--subject", options.subject,
                    "The whole subject: 'CN=sensor-7,O=Example' or '/O=Example/CN=sensor-7'");
  which->require_option(1);
  command.add_option("--issuer", options.issuer,
                     "With --serial: only certificates of this issuer (its whole subject)");
  command.add_flag("--json", options.as_json, "Print one JSON object: entries, open connections");
}

// For the audit log. The socket is open to the daemon's own user and root only, so this is who
// they say they are behind sudo.
std::string who_asks() {
  if (auto const* const name = std::getenv("SUDO_USER"); name != nullptr && *name != '\0') {
    return name;
  }
  auto const* const entry = ::getpwuid(::getuid());
  return entry == nullptr ? "uid " + std::to_string(::getuid()) : entry->pw_name;
}

int post(DenyOptions const& options, char const* path, json const& body) {
  auto const address = find_address(options.admin);
  if (!address) return 2;
  if (!address->is_unix()) {
    std::fputs(
        "certgate: the deny list is changed and read over a unix socket only, where the caller is "
        "known; configure `admin: {address: unix:/run/certgate/admin.sock}`\n",
        stderr);
    return 2;
  }
  admin::Client const client(*address, patience);
  auto const text = body.dump(-1, ' ', false, json::error_handler_t::replace);
  return show(client.post(path, text), options.as_json);
}

json criteria_of(DenyOptions const& options) {
  json body = json::object();
  if (!options.serial.empty()) body["serial"] = options.serial;
  if (!options.issuer.empty()) body["issuer"] = options.issuer;
  if (!options.fingerprint.empty()) body["fingerprint"] = options.fingerprint;
  if (!options.subject.empty()) body["subject"] = options.subject;
  body["by"] = who_asks();
  if (options.as_json) body["json"] = true;
  return body;
}

int deny(DenyOptions const& options) {
  auto body = criteria_of(options);
  if (!options.for_time.empty()) {
    auto const time = config::parse_duration(options.for_time);
    if (!time || *time < std::chrono::seconds{1}) {
      std::fprintf(stderr, "certgate: `%s` is no duration; write --for 90s, 30m, 2h or 7d\n",
                   options.for_time.c_str());
      return 2;
    }
    body["seconds"] = std::chrono::ceil<std::chrono::seconds>(*time).count();
  }
  if (!options.reason.empty()) body["reason"] = options.reason;
  return post(options, "/deny", body);
}

}  // namespace

void add_deny_commands(CLI::App& root, int& exit_status) {
  auto* const deny_command = root.add_subcommand(
      "deny", "Throw a client certificate out at once: it counts as revoked from now on");
  auto const denied = std::make_shared<DenyOptions>();
  add_options(*deny_command, denied->admin);
  add_criteria(*deny_command, *denied);
  deny_command->add_option("--for", denied->for_time,
                           "For so long (90s, 30m, 2h); else until undeny");
  deny_command->add_option("--reason", denied->reason, "For the audit log and `certgate denies`");
  deny_command->footer(
      "Open connections are refused from their next request on, tunnels are cut. The list is kept "
      "in\n"
      "the configuration's `state_directory`.\n"
      "Exit status: 0 in force and kept, 1 not (or not kept; it says which), 2 bad usage.\n"
      "Example: certgate deny --serial 0A1B2C --issuer 'CN=Devices,O=Example' --for 2h");
  deny_command->callback([denied, &exit_status] { exit_status = deny(*denied); });

  auto* const undeny_command =
      root.add_subcommand("undeny", "Take certificates off the deny list again");
  auto const undenied = std::make_shared<DenyOptions>();
  add_options(*undeny_command, undenied->admin);
  add_criteria(*undeny_command, *undenied);
  undeny_command->footer(
      "The criteria are those of `deny`; --serial without --issuer takes every entry with that "
      "serial.\n"
      "Example: certgate undeny --serial 0A1B2C");
  undeny_command->callback([undenied, &exit_status] {
    exit_status = post(*undenied, "/undeny", criteria_of(*undenied));
  });

  auto* const denies_command = root.add_subcommand("denies", "Print the deny list in force");
  auto const listed = std::make_shared<DenyOptions>();
  add_options(*denies_command, listed->admin);
  denies_command->add_flag("--json", listed->as_json, "JSON");
  denies_command->footer("Example: certgate denies --admin unix:/run/certgate/admin.sock");
  denies_command->callback([listed, &exit_status] {
    exit_status = post(*listed, "/denies", {{"json", listed->as_json}});
  });
}

}  // namespace certgate::cli
