#include "certgate/proxy/generation.hpp"

namespace certgate::proxy {

std::size_t Site::origin_for(std::string_view path) const {
  for (auto const& route : routes) {
    if (http::path_has_prefix(path, route.path)) return route.origin;
  }
  return origin;
}

Site const* Generation::find_site(std::string_view host) const {
  auto const* const found = host.empty() ? hosts.any() : hosts.find(host);
  return found == nullptr ? nullptr : *found;
}

}  // namespace certgate::proxy
