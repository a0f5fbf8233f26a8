// Loads what `explain`, `test` and `replay` judge by.
#include "loaded_policy.hpp"

#include <iostream>

#include "certgate/gateway/kept_state.hpp"
#include "certgate/x509/pem.hpp"

namespace certgate::cli {

LoadedPolicy::LoadedPolicy(config::Config config,
                           std::unique_ptr<telemetry::MetricRegistry> metrics, gateway::Built built,
                           UnixSeconds now)
    : config_(std::move(config)),
      metrics_(std::move(metrics)),
      built_(std::move(built)),
      now_(now) {}

std::unique_ptr<LoadedPolicy> LoadedPolicy::load(std::string const& path) {
  auto const now = SystemClock{}.unix_seconds();
  auto config = gateway::load_config(path, now);
  if (!config) {
    std::cerr << render(config.error());
    return nullptr;
  }
  auto metrics = std::make_unique<telemetry::MetricRegistry>(1);
  auto const kept = gateway::load_kept_state(*config, SystemClock{});
  if (!kept) {
    std::cerr << render(config->state_directory.mark.diagnostic(kept.error().detail));
    return nullptr;
  }
  gateway::Builder builder(kept->fetched);
  auto built = builder.build(*config, 1, now, *metrics, kept->deny_list);
  if (!built) {
    std::cerr << render(built.error());
    return nullptr;
  }
  return std::unique_ptr<LoadedPolicy>{
      new LoadedPolicy{std::move(*config), std::move(metrics), std::move(*built), now}};
}

std::optional<x509::ClientPolicy> LoadedPolicy::client_policy(std::string_view host) const {
  auto const* const site = built_.generation->find_site(host);
  if (site == nullptr) return std::nullopt;
  return built_.generation->client_policy(*site);
}

std::vector<std::string> LoadedPolicy::host_names() const {
  std::vector<std::string> names;
  for (auto const& site : built_.generation->sites) {
    auto const& pattern = site->tls->names().front();
    switch (pattern.kind) {
      case HostPattern::Kind::exact: names.push_back(pattern.name); break;
      case HostPattern::Kind::wildcard: names.push_back("any." + pattern.name); break;
      case HostPattern::Kind::any: names.push_back("unknown.invalid"); break;
    }
  }
  return names;
}

Result<std::unique_ptr<policy::SampleRequest>> LoadedPolicy::sample(policy::SampleText text) const {
  CERTGATE_TRY(auto const host, policy::parse_sample_host(text.url));
  auto const client = client_policy(host);
  if (!client) {
    return fail(ErrorCode::not_found, "no entry of `hosts` serves `" + host +
                                          "`: the handshake is refused, or the client gets 421");
  }
  text.judged_body_bytes = static_cast<std::size_t>(config_.limits.judged_body_bytes->bytes);
  return policy::SampleRequest::build(std::move(text), &*client, normalisation(), now_);
}

Result<std::string> read_whole_file(std::string const& path) {
  gateway::DiskReader disk;
  return disk.read(path);
}

Result<x509::ClientChain::Pointer> read_client_certificate(std::string const& path) {
  auto const failed = [&path](Error error) {
    return fail(error.code, "client certificate `" + path + "`: " + error.detail);
  };
  auto const pem = read_whole_file(path);
  if (!pem) return failed(pem.error());
  auto certificates = x509::parse_certificates(*pem);
  if (!certificates) return failed(certificates.error());
  auto leaf = certificates->front();
  certificates->erase(certificates->begin());
  return x509::ClientChain::make(std::move(leaf), std::move(*certificates));
}

}  // namespace certgate::cli
