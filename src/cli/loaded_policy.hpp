// A configuration loaded and compiled as a run would, for commands that decide without serving.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/config/config.hpp"
#include "certgate/gateway/build.hpp"
#include "certgate/policy/policy.hpp"
#include "certgate/policy/sample_request.hpp"
#include "certgate/x509/verdict.hpp"

namespace certgate::cli {

class LoadedPolicy {
 public:
  // Null when the configuration is not valid: what is wrong has then been printed to standard
  // error.
  static std::unique_ptr<LoadedPolicy> load(std::string const& path);

  policy::Policy const& policy() const { return *built_.generation->policy; }
  http::Normalisation normalisation() const { return built_.generation->normalisation; }
  // How the host that serves `host` asks for client certificates; nullopt: no host serves it.
  std::optional<x509::ClientPolicy> client_policy(std::string_view host) const;
  // One name for each host; for wildcards and `*` one that they serve.
  std::vector<std::string> host_names() const;
  UnixSeconds now() const { return now_; }

  // The request as this configuration would see it.
  Result<std::unique_ptr<policy::SampleRequest>> sample(policy::SampleText text) const;

 private:
  LoadedPolicy(config::Config config, std::unique_ptr<telemetry::MetricRegistry> metrics,
               gateway::Built built, UnixSeconds now);

  // In this order: what was built refers to the configuration's texts and to the metrics.
  config::Config config_;
  std::unique_ptr<telemetry::MetricRegistry> metrics_;
  gateway::Built built_;
  UnixSeconds now_;
};

Result<std::string> read_whole_file(std::string const& path);
// A PEM file: the client's certificate, then the others it sends.
Result<x509::ClientChain::Pointer> read_client_certificate(std::string const& path);

}  // namespace certgate::cli
