// Describes one request and prints how every rule judges it.
#include "explain_command.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "certgate/policy/explain.hpp"
#include "loaded_policy.hpp"

namespace certgate::cli {
namespace {

struct ExplainOptions {
  std::string config = "/etc/certgate/certgate.yaml";
  std::string url;
  std::string method = "GET";
  std::vector<std::string> headers;
  std::string body;
  std::string certificate;
  std::string source_ip;
  bool json = false;
};

Result<policy::SampleText> describe(ExplainOptions const& options) {
  policy::SampleText text;
  text.method = options.method;
  text.url = options.url;
  for (auto const& header : options.headers) {
    auto const colon = header.find(':');
    if (colon == std::string::npos || colon == 0) {
      return fail(ErrorCode::invalid, "`" + header + "` is not a header; write 'Name: value'");
    }
    text.headers.emplace_back(header.substr(0, colon), header.substr(colon + 1));
  }
  if (!options.body.empty()) {
    auto content = read_whole_file(options.body);
    if (!content) {
      return fail(content.error().code, "body `" + options.body + "`: " + content.error().detail);
    }
    text.body = std::move(*content);
  }
  if (!options.source_ip.empty()) {
    text.source_ip = IpAddress::parse(options.source_ip);
    if (!text.source_ip) {
      return fail(ErrorCode::invalid, "`" + options.source_ip + "` is not an IP address");
    }
  }
  if (!options.certificate.empty()) {
    CERTGATE_TRY(text.certificate, read_client_certificate(options.certificate));
  }
  return text;
}

int explain(ExplainOptions const& options) {
  auto text = describe(options);
  if (!text) {
    std::cerr << "certgate explain: " << text.error().detail << '\n';
    return 2;
  }
  auto const loaded = LoadedPolicy::load(options.config);
  if (loaded == nullptr) return 2;
  auto const sample = loaded->sample(std::move(*text));
  if (!sample) {
    std::cerr << "certgate explain: " << sample.error().detail << '\n';
    return sample.error().code == ErrorCode::invalid ? 2 : 1;
  }
  auto const scratch = std::make_unique<policy::Scratch>();
  auto const explanation = policy::explain(loaded->policy(), **sample, *scratch);
  std::cout << (options.json ? policy::format_json(explanation) : policy::format_text(explanation));
  return 0;
}

}  // namespace

void add_explain_command(CLI::App& root, int& exit_status) {
  auto* const command =
      root.add_subcommand("explain", "Say how a request would be decided, and why");
  auto const options = std::make_shared<ExplainOptions>();
  command->add_option("-c,--config", options->config, "The configuration file")
      ->capture_default_str();
  command->add_option("--url", options->url, "https://host[:port]/path?query")->required();
  command->add_option("--method", options->method, "The method")->capture_default_str();
  command->add_option("--header,-H", options->headers, "'Name: value' (may be repeated)")
      ->allow_extra_args(false);
  command->add_option("--body", options->body, "File with the body of the request");
  command->add_option("--client-cert", options->certificate,
                      "PEM file with the certificate the client presents, and its chain");
  command->add_option("--source-ip", options->source_ip, "The client's address");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->footer(
      "Example:\n"
      "  certgate explain --config certgate.yaml --url https://api.example.com/v1/x \\\n"
      "      --client-cert sensor-7.pem --header 'User-Agent: curl/8'\n"
      "\n"
      "Exit codes: 0 explained (also when the request would be blocked), 1 failed, 2 bad usage or\n"
      "invalid configuration.");
  command->callback([options, &exit_status] { exit_status = explain(*options); });
}

}  // namespace certgate::cli
