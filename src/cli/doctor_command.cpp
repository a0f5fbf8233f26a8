#include "doctor_command.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "certgate/policy/explain.hpp"
#include "doctor_advice.hpp"
#include "doctor_server.hpp"
#include "loaded_policy.hpp"

namespace certgate::cli {
namespace {

struct DoctorOptions {
  std::string target, config, host, path = "/", method = "GET", ca, certificate, key;
};

// Prints findings; true when none is bad.
bool tell(std::vector<Finding> const& findings) {
  bool good = true;
  for (auto const& finding : findings) {
    auto const* mark = "ok  ";
    if (finding.grade == Finding::Grade::note) mark = "note";
    if (finding.grade == Finding::Grade::bad) mark = "BAD ", good = false;
    std::printf("  %s  %s\n", mark, finding.what.c_str());
    if (!finding.remedy.empty()) std::printf("        -> %s\n", finding.remedy.c_str());
  }
  return good;
}

// What the rules make of one request with this certificate.
bool tell_decision(LoadedPolicy const& loaded, x509::ClientChain::Pointer const& chain,
                   std::string const& host, DoctorOptions const& options) {
  policy::SampleText text;
  text.method = options.method;
  text.url = "https://" + host + options.path;
  text.certificate = chain;
  auto const sample = loaded.sample(std::move(text));
  if (!sample) return tell({{Finding::Grade::bad, sample.error().detail, {}}});
  auto const scratch = std::make_unique<policy::Scratch>();
  auto const explained = policy::explain(loaded.policy(), **sample, *scratch);
  auto const remedy = "certgate explain --config " + options.config + " --url https://" + host +
                      options.path + " --client-cert " + options.target + " shows every rule";
  if (!explained.refused.empty()) {
    return tell({{Finding::Grade::bad, explained.request + " is refused: " + explained.refused,
                  "see the points above; " + remedy}});
  }
  auto const& decision = explained.explanation.decision;
  auto const by = policy::describe(decision);
  if (decision.action == policy::Action::block) {
    return tell({{Finding::Grade::bad, explained.request + " is blocked by " + by, remedy}});
  }
  return tell({{Finding::Grade::good, explained.request + " is allowed by " + by, {}}});
}

int examine_file(DoctorOptions const& options) {
  auto const chain = read_client_certificate(options.target);
  if (!chain) {
    std::fprintf(stderr, "certgate doctor: %s\n", chain.error().detail.c_str());
    return 2;
  }
  auto const& leaf = (*chain)->leaf();
  std::printf("%s\n  subject      %s\n  issuer       %s\n  serial       %s\n  fingerprint  %s\n",
              options.target.c_str(), std::string(leaf.subject_dn()).c_str(),
              std::string(leaf.issuer_dn()).c_str(), std::string(leaf.serial()).c_str(),
              std::string(leaf.fingerprint_sha256()).c_str());
  auto const now = SystemClock{}.unix_seconds();
  bool good = tell(examine_certificate(**chain, now));
  if (options.config.empty()) {
    std::printf("Name the configuration with --config to see what its hosts would make of it.\n");
    return good ? 0 : 1;
  }
  auto const loaded = LoadedPolicy::load(options.config);
  if (loaded == nullptr) return 2;
  auto hosts = loaded->host_names();
  if (!options.host.empty()) hosts = {options.host};
  for (auto const& host : hosts) {
    auto const client = loaded->client_policy(host);
    std::printf("host %s\n", host.c_str());
    if (!client) {
      good = tell({{Finding::Grade::bad, "no entry of `hosts` serves this name",
                    "the handshake is refused, or the client gets 421"}});
      continue;
    }
    good = tell(examine_path(**chain, *client, loaded->now())) && good;
    good = tell_decision(*loaded, *chain, host, options) && good;
  }
  std::printf(good ? "It would be let in.\n" : "It would be refused somewhere: see BAD above.\n");
  return good ? 0 : 1;
}

// A file of that name goes before HOST:PORT.
int examine(DoctorOptions const& options) {
  std::error_code error;
  auto const colon = options.target.rfind(':');
  if (colon == std::string::npos || std::filesystem::exists(options.target, error)) {
    return examine_file(options);
  }
  ServerVisit visit;
  visit.host = options.target.substr(0, colon);
  visit.port = options.target.substr(colon + 1);
  if (visit.host.starts_with('[') && visit.host.ends_with(']')) {
    visit.host = visit.host.substr(1, visit.host.size() - 2);
  }
  if (options.certificate.empty() != options.key.empty()) {
    std::fputs("certgate doctor: --cert and --key go together\n", stderr);
    return 2;
  }
  visit.name = options.host;
  visit.ca = options.ca;
  visit.certificate = options.certificate;
  visit.key = options.key;
  visit.method = options.method;
  visit.path = options.path;
  std::printf("server %s\n", options.target.c_str());
  return tell(visit_server(visit)) ? 0 : 1;
}

}  // namespace

void add_doctor_command(CLI::App& root, int& exit_status) {
  auto* const command = root.add_subcommand(
      "doctor", "Say in plain words why a client certificate would be refused, and what to do");
  auto const options = std::make_shared<DoctorOptions>();
  command->add_option("CERT|HOST:PORT", options->target, "PEM file with the client's certificate and chain, or HOST:PORT of a server")
      ->required();
  command->add_option("-c,--config", options->config, "The configuration whose hosts are asked");
  command->add_option("--host", options->host,
                      "Only this host name, else every host; of a server: the name to ask for");
  command->add_option("--ca", options->ca, "Of a server: PEM file of the CA that issued its certificate");
  command->add_option("--cert", options->certificate, "Of a server: the client certificate to show");
  command->add_option("--key", options->key, "Of a server: its private key");
  command->add_option("--path", options->path, "The path that is asked for")->capture_default_str();
  command->add_option("--method", options->method, "The method")->capture_default_str();
  command->footer(
      "Exit status: 0 let in, 1 refused somewhere, 2 bad usage or invalid configuration.\n"
      "Example: certgate doctor sensor-7.pem --config certgate.yaml --host api.example.com");
  command->callback([options, &exit_status] { exit_status = examine(*options); });
}

}  // namespace certgate::cli
