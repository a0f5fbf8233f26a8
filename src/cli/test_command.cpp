// Runs the tests of a rule set against a configuration.
#include "test_command.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "certgate/config/read_config.hpp"
#include "certgate/policy/rule_test.hpp"
#include "loaded_policy.hpp"

namespace certgate::cli {
namespace {

struct TestOptions {
  std::string config = "/etc/certgate/certgate.yaml";
  std::vector<std::string> files;
  bool json = false;
};

std::string format_results_json(std::vector<policy::RuleTestResult> const& results) {
  using nlohmann::json;
  json tests = json::array();
  std::size_t failed = 0;
  for (auto const& result : results) {
    tests.push_back({{"name", result.name}, {"passed", result.passed}, {"problem", result.problem}});
    if (!result.passed) ++failed;
  }
  json const answer = {{"failed", failed}, {"tests", std::move(tests)}};
  return answer.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

policy::Action action_of(config::Action action) {
  switch (action) {
    case config::Action::allow:
      return policy::Action::allow;
    case config::Action::log:
      return policy::Action::log;
    case config::Action::block:
      break;
  }
  return policy::Action::block;
}

Result<policy::SampleText> sample_text(config::RuleTest const& test) {
  policy::SampleText text;
  text.method = *test.method;
  text.url = *test.url;
  for (auto const& [name, value] : test.headers) text.headers.emplace_back(*name, *value);
  for (auto const& [name, value] : test.fields) text.fields.emplace_back(*name, *value);
  text.body = *test.body;
  text.source_ip = *test.source_ip;
  if (!test.client_certificate.empty()) {
    CERTGATE_TRY(text.certificate, read_client_certificate(test.client_certificate.resolved));
  }
  return text;
}

// What is wrong with the test itself is reported at its place and fails it. False: a certificate
// that it names cannot be read, so that it says nothing about the rules.
bool run_file(config::TestFile const& file, LoadedPolicy const& loaded,
              std::vector<policy::RuleTestResult>& results) {
  auto const scratch = std::make_unique<policy::Scratch>();
  bool has_fixtures = true;
  for (auto const& test : file.tests) {
    policy::RuleTest const expected{*test.name, action_of(*test.expected_action),
                                    *test.expected_rule};
    auto text = sample_text(test);
    if (!text && !test.client_certificate.empty()) {
      std::cerr << render(test.client_certificate.mark.diagnostic(
          text.error().detail, "paths are relative to the file that names them"));
      results.push_back({*test.name, false, text.error().detail, ""});
      has_fixtures = false;
      continue;
    }
    auto sample = text ? loaded.sample(std::move(*text))
                       : Result<std::unique_ptr<policy::SampleRequest>>{fail(text.error())};
    if (!sample) {
      std::cerr << render(test.name.mark.diagnostic(sample.error().detail));
      results.push_back({*test.name, false, sample.error().detail, ""});
      continue;
    }
    results.push_back(policy::run_rule_test(loaded.policy(), expected, **sample, *scratch));
  }
  return has_fixtures;
}

int run_tests(TestOptions const& options) {
  auto const loaded = LoadedPolicy::load(options.config);
  if (loaded == nullptr) return 2;
  std::vector<policy::RuleTestResult> results;
  bool has_fixtures = true;
  for (auto const& path : options.files) {
    auto text = read_whole_file(path);
    if (!text) {
      std::cerr << "certgate test: " << path << ": " << text.error().detail << '\n';
      return 2;
    }
    auto const file = config::parse_tests(SourceText{path, std::move(*text)});
    if (!file) {
      std::cerr << render(file.error());
      return 2;
    }
    has_fixtures = run_file(*file, *loaded, results) && has_fixtures;
  }
  std::cout << (options.json ? format_results_json(results) : policy::format_results(results));
  if (!has_fixtures) return 2;
  for (auto const& result : results) {
    if (!result.passed) return 1;
  }
  return 0;
}

}  // namespace

void add_test_command(CLI::App& root, int& exit_status) {
  auto* const command = root.add_subcommand("test", "Test the rules of a configuration");
  auto const options = std::make_shared<TestOptions>();
  command->add_option("-c,--config", options->config, "The configuration file")
      ->capture_default_str();
  command->add_option("tests", options->files, "Files with a list of tests")->required();
  command->add_flag("--json", options->json, "Print one JSON object");
  command->footer(
      "Example:\n"
      "  certgate test --config certgate.yaml rules_test.yaml\n"
      "\n"
      "where rules_test.yaml holds\n"
      "  - name: a device without a certificate is stopped\n"
      "    request: {url: \"https://api.example.com/v1/measurements\"}\n"
      "    expect: {action: block, rule: devices only}\n"
      "\n"
      "Exit codes: 0 all passed, 1 some failed, 2 bad usage, invalid configuration or a certificate\n"
      "that cannot be read.");
  command->callback([options, &exit_status] { exit_status = run_tests(*options); });
}

}  // namespace certgate::cli
