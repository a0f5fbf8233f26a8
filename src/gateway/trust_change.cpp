#include "trust_change.hpp"

namespace certgate::gateway {

Result<std::shared_ptr<proxy::Generation>> with_change(proxy::Generation const& running,
                                                       TrustChange const& change) {
  auto next = std::make_shared<proxy::Generation>(running);
  ++next->number;
  if (change.deny_list) next->deny_list = *change.deny_list;
  if (!change.revocations.empty()) next->revocations = change.revocations;

  auto table = std::make_shared<HostTable<proxy::Site const*>>();
  std::vector<tls::HostSettings::Pointer> hosts;
  for (auto& site : next->sites) {
    if (site->tls->client().mode != x509::ClientAuthMode::off) {
      auto options = site->tls->options();
      options.client = next->client_policy(*site);
      CERTGATE_TRY(auto settings, tls::HostSettings::build(std::move(options)));
      auto renewed = std::make_shared<proxy::Site>(*site);
      renewed->tls = std::move(settings);
      site = std::move(renewed);
    }
    hosts.push_back(site->tls);
    for (auto const& name : site->tls->names()) table->insert(name, site.get());
  }
  next->hosts = std::move(table);
  CERTGATE_TRY(next->tls_hosts, tls::ServerHosts::build(std::move(hosts)));
  return next;
}

}  // namespace certgate::gateway
