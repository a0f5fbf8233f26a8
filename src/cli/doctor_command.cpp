#include "doctor_command.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "certgate/policy/explain.hpp"
#include "doctor_advice.hpp"
#include "doctor_server.hpp"
#include "loaded_policy.hpp"

namespace certgate::cli {
namespace {

using nlohmann::json;

struct DoctorOptions {
  std::string target, config, host, path = "/", method = "GET", ca, certificate, key;
  bool as_json = false;
};

// What is said, section by section; as sentences at once, as JSON at the end.
class Report {
 public:
  explicit Report(DoctorOptions const& options) : as_json_(options.as_json) {
    answer_["target"] = options.target;
    answer_["findings"] = json::array();
    answer_["hosts"] = json::array();
  }

  // Only for people.
  void say(std::string const& text) const {
    if (!as_json_) std::fputs(text.c_str(), stdout);
  }
  void set(char const* name, std::string_view value) { answer_["certificate"][name] = value; }
  void begin_host(std::string const& host) {
    say("host " + host + "\n");
    answer_["hosts"].push_back({{"host", host}, {"findings", json::array()}});
  }
  void tell(std::vector<Finding> const& findings) {
    for (auto const& finding : findings) tell(finding);
  }
  void tell(Finding const& finding) {
    auto const *mark = "ok  ", *grade = "ok";
    if (finding.grade == Finding::Grade::note) mark = grade = "note";
    if (finding.grade == Finding::Grade::bad) mark = "BAD ", grade = "bad", is_good_ = false;
    say(std::string("  ") + mark + "  " + finding.what + "\n");
    if (!finding.remedy.empty()) say("        -> " + finding.remedy + "\n");
    auto& hosts = answer_["hosts"];
    auto& into = hosts.empty() ? answer_["findings"] : hosts.back()["findings"];
    into.push_back({{"grade", grade}, {"what", finding.what}, {"remedy", finding.remedy}});
  }
  int finish() {
    answer_["let_in"] = is_good_;
    if (as_json_) std::puts(answer_.dump(1, ' ', false, json::error_handler_t::replace).c_str());
    return is_good_ ? 0 : 1;
  }
  bool is_good() const { return is_good_; }

 private:
  bool as_json_;
  bool is_good_ = true;
  json answer_ = json::object();
};

// What the rules make of one request with this certificate.
Finding judge_request(LoadedPolicy const& loaded, x509::ClientChain::Pointer const& chain,
                      std::string const& host, DoctorOptions const& options) {
  policy::SampleText text;
  text.method = options.method;
  text.url = "https://" + host + options.path;
  text.certificate = chain;
  auto const sample = loaded.sample(std::move(text));
  if (!sample) return {Finding::Grade::bad, sample.error().detail, {}};
  auto const scratch = std::make_unique<policy::Scratch>();
  auto const explained = policy::explain(loaded.policy(), **sample, *scratch);
  auto const remedy = "certgate explain --config " + options.config + " --url https://" + host +
                      options.path + " --client-cert " + options.target + " shows every rule";
  if (!explained.refused.empty()) {
    return {Finding::Grade::bad, explained.request + " is refused: " + explained.refused,
            "see the points above; " + remedy};
  }
  auto const& decision = explained.explanation.decision;
  auto const by = policy::describe(decision);
  if (decision.action == policy::Action::block) {
    return {Finding::Grade::bad, explained.request + " is blocked by " + by, remedy};
  }
  return {Finding::Grade::good, explained.request + " is allowed by " + by, {}};
}

int examine_file(DoctorOptions const& options) {
  auto const chain = read_client_certificate(options.target);
  if (!chain) {
    std::fprintf(stderr, "certgate doctor: %s\n", chain.error().detail.c_str());
    return 2;
  }
  Report report(options);
  auto const& leaf = (*chain)->leaf();
  report.say(options.target + "\n");
  auto const show_name = [&](char const* name, std::string_view value) {
    auto label = std::string("  ") + name;
    label.resize(15, ' ');
    report.say(label + std::string(value) + "\n");
    report.set(name, value);
  };
  show_name("subject", leaf.subject_dn());
  show_name("issuer", leaf.issuer_dn());
  show_name("serial", leaf.serial());
  show_name("fingerprint", leaf.fingerprint_sha256());
  report.tell(examine_certificate(**chain, SystemClock{}.unix_seconds()));
  if (options.config.empty()) {
    report.say("Name the configuration with --config to see what its hosts would make of it.\n");
    return report.finish();
  }
  auto const loaded = LoadedPolicy::load(options.config);
  if (loaded == nullptr) return 2;
  auto hosts = loaded->host_names();
  if (!options.host.empty()) hosts = {options.host};
  for (auto const& host : hosts) {
    auto const client = loaded->client_policy(host);
    report.begin_host(host);
    if (!client) {
      report.tell(Finding{Finding::Grade::bad, "no entry of `hosts` serves this name",
                          "the handshake is refused, or the client gets 421"});
      continue;
    }
    report.tell(examine_path(**chain, *client, loaded->now()));
    report.tell(judge_request(*loaded, *chain, host, options));
  }
  report.say(report.is_good() ? "It would be let in.\n"
                              : "It would be refused somewhere: see BAD above.\n");
  return report.finish();
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
  Report report(options);
  report.say("server " + options.target + "\n");
  report.tell(visit_server(visit));
  return report.finish();
}

}  // namespace

void add_doctor_command(CLI::App& root, int& exit_status) {
  auto* const command = root.add_subcommand(
      "doctor", "Say in plain words why a client certificate would be refused, and what to do");
  auto const options = std::make_shared<DoctorOptions>();
  command->add_option("CERT|SERVER", options->target, "PEM file with the client's certificate and chain, or HOST:PORT of a server")
      ->required();
  command->add_option("-c,--config", options->config, "The configuration whose hosts are asked");
  command->add_option("--host", options->host,
                      "Only this host name, else every host; of a server: the name to ask for");
  command->add_option("--ca", options->ca, "Of a server: PEM file of the CA that issued its certificate");
  command->add_option("--cert", options->certificate, "Of a server: the client certificate to show");
  command->add_option("--key", options->key, "Of a server: its private key");
  command->add_option("--path", options->path, "The path that is asked for")->capture_default_str();
  command->add_option("--method", options->method, "The method")->capture_default_str();
  command->add_flag("--json", options->as_json, "Print one JSON object: findings, by host");
  command->footer(
      "Exit status: 0 let in, 1 refused somewhere, 2 bad usage or invalid configuration.\n"
      "Example: certgate doctor sensor-7.pem --config certgate.yaml --host api.example.com");
  command->callback([options, &exit_status] { exit_status = examine(*options); });
}

}  // namespace certgate::cli
