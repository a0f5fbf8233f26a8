#include "certgate/proxy/generation.hpp"

namespace certgate::proxy {

std::size_t Site::origin_for(std::string_view path) const {
  for (auto const& route : routes) {
    if (http::path_has_prefix(path, route.path)) return route.origin;
  }
  return origin;
}

x509::ClientPolicy Generation::client_policy(Site const& site) const {
  auto client = site.tls->client();
  client.revocations = site.revocations == no_revocations ? nullptr : revocations[site.revocations];
  client.deny_list = deny_list;
  return client;
}

Site const* Generation::find_site(std::string_view host) const {
  auto const* const found = host.empty() ? hosts->any() : hosts->find(host);
  return found == nullptr ? nullptr : *found;
}

}  // namespace certgate::proxy
