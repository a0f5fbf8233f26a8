#include "check_command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>

#include "certgate/base/clock.hpp"
#include "certgate/config/format_config.hpp"
#include "certgate/gateway/gateway.hpp"

namespace certgate::cli {
namespace {

struct CheckOptions {
  std::string path = "/etc/certgate/certgate.yaml";
  std::string at;
  bool dump = false;
  bool offline = false;
  bool online = false;
  bool json = false;
};

// 2027-01-01 or 2027-01-01T12:00:00Z, in UTC.
bool parse_moment(std::string const& text, UnixSeconds& moment) {
  std::tm utc{};
  auto const* end = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  if (end == nullptr || *end != '\0') {
    utc = {};
    end = ::strptime(text.c_str(), "%Y-%m-%d", &utc);
  }
  if (end == nullptr || *end != '\0') return false;
  auto const asked = utc;
  moment = ::timegm(&utc);
  return utc.tm_mday == asked.tm_mday && utc.tm_hour == asked.tm_hour && utc.tm_sec == asked.tm_sec;
}

nlohmann::json expiries_of(gateway::Built const& built) {
  auto expiries = nlohmann::json::array();
  for (auto const& expiry : built.expiries) {
    expiries.push_back({{"kind", gateway::name_of(expiry.kind)},
                        {"name", expiry.name},
                        {"file", expiry.file},
                        {"used_by", expiry.used_by},
                        {"until", expiry.until},
                        {"then", expiry.consequence}});
  }
  return expiries;
}

nlohmann::json names_of_origins(proxy::Generation const& generation) {
  auto names = nlohmann::json::array();
  for (auto const& origin : generation.origins) {
    for (auto const& name : origin->names()) {
      auto addresses = nlohmann::json::array();
      for (auto const& address : origin->addresses_of(name)) addresses.push_back(address.to_string());
      names.push_back({{"origin", origin->settings().name},
                       {"name", name},
                       {"addresses", std::move(addresses)}});
    }
  }
  return names;
}

// `built`: null when the configuration is not valid.
std::string format_json(std::string const& path, Diagnostics const& told,
                        gateway::Built const* built,
                        std::vector<gateway::CrlAnswer> const* addresses) {
  using nlohmann::json;
  json answer = json::object();
  answer["config"] = path;
  answer["valid"] = built != nullptr;
  answer["diagnostics"] = json::parse(gateway::format_diagnostics_json(told));
  answer["expiries"] = json::array();
  answer["names"] = json::array();
  if (built != nullptr) {
    answer["expiries"] = expiries_of(*built);
    answer["names"] = names_of_origins(*built->generation);
  }
  if (addresses != nullptr) {
    answer["crl_addresses"] = json::array();
    for (auto const& address : *addresses) {
      json entry = {{"url", address.url},
                    {"host", address.host},
                    {"distribution_point", address.is_from_certificate},
                    {"good", address.problem.empty()}};
      if (!address.problem.empty()) {
        entry["problem"] = address.problem;
      } else {
        entry["state"] = address.state;
        entry["number"] = address.number;
        entry["revoked"] = address.entries;
        entry["next_update"] = address.next_update ? json(*address.next_update) : json();
      }
      if (!address.delta_url.empty()) {
        entry["delta"] = address.delta_url;
        entry["delta_problem"] = address.delta_problem;
      }
      answer["crl_addresses"].push_back(std::move(entry));
    }
  }
  // Paths and names come from files: whatever bytes they hold, this is valid JSON.
  return answer.dump(1, ' ', false, json::error_handler_t::replace);
}

// 1: an address gives no list that a run would take, or one that has ended.
int status_of(std::vector<gateway::CrlAnswer> const& addresses, UnixSeconds at) {
  bool const all_good = std::all_of(addresses.begin(), addresses.end(), [&](auto const& address) {
    return address.problem.empty() && address.delta_problem.empty() &&
           (!address.next_update || *address.next_update > at);
  });
  return all_good ? 0 : 1;
}

int refuse(CheckOptions const& options, Diagnostics told) {
  // What has to be mended first; within each kind in the order of the places.
  std::stable_partition(told.items().begin(), told.items().end(), [](auto const& diagnostic) {
    return diagnostic.severity == Severity::error;
  });
  if (options.json) {
    std::puts(format_json(options.path, told, nullptr, nullptr).c_str());
  } else {
    std::fputs(render(told).c_str(), stderr);
  }
  return 2;
}

int check(CheckOptions const& options) {
  auto at = SystemClock{}.unix_seconds();
  if (!options.at.empty() && !parse_moment(options.at, at)) {
    std::fprintf(stderr, "certgate: `%s` is no date; write --at 2027-01-31\n", options.at.c_str());
    return 2;
  }
  auto const checked = gateway::check(options.path, at);
  if (!checked) return refuse(options, checked.error());
  auto told = checked->built.warnings;
  if (!options.offline && !options.dump) told.add_all(gateway::ask_origins(*checked, at));
  std::vector<gateway::CrlAnswer> addresses;
  if (options.online) {
    auto asked = gateway::ask_crl_addresses(*checked);
    if (!asked) return refuse(options, asked.error());
    addresses = std::move(*asked);
  }
  int const status = status_of(addresses, at);
  told.sort();
  if (options.json) {
    std::puts(format_json(options.path, told, &checked->built,
                          options.online ? &addresses : nullptr).c_str());
    return status;
  }
  if (!told.empty()) std::fputs(render(told).c_str(), stderr);
  if (options.dump) {
    std::fputs(config::format_config(checked->config).c_str(), stdout);
    return 0;
  }
  std::fputs(gateway::describe_hosts(*checked, at).c_str(), stdout);
  std::fputs(gateway::describe_expiries(checked->built.expiries, at).c_str(), stdout);
  if (options.online) std::fputs(gateway::describe_crl_answers(addresses, at).c_str(), stdout);
  std::printf("%s: ok\n", options.path.c_str());
  return status;
}

}  // namespace

void add_check_command(CLI::App& root, int& exit_status) {
  auto* const command = root.add_subcommand(
      "check", "Load everything a run would load; print mistakes, warnings and the policy");
  auto const options = std::make_shared<CheckOptions>();
  command->add_option("-c,--config", options->path, "The configuration file")
      ->capture_default_str();
  command->add_option("--at", options->at,
                      "Judge certificates and CRLs as on that day (2027-01-31, UTC)");
  auto* const dump = command->add_flag("--dump", options->dump,
                                       "Print the configuration with every default filled in");
  auto* const offline =
      command->add_flag("--offline", options->offline,
                        "Do not connect to https:// origins to look at their certificates");
  command
      ->add_flag("--online", options->online,
                 "Also fetch the CRL of every configured address, and say what each gives; nothing "
                 "is kept")
      ->excludes(offline)
      ->excludes(dump);
  command->add_flag("--json", options->json, "Print one JSON object: diagnostics, expiries and names of origins");
  command->footer(
      "Exit status: 0 valid (there may be warnings), 1 valid but --online found a CRL address that\n"
      "gives no good list, 2 invalid.\n"
      "Example: certgate check --config certgate.yaml --at 2027-01-01");
  command->callback([options, &exit_status] { exit_status = check(*options); });
}

}  // namespace certgate::cli
