#include "certgate/x509/distribution_points.hpp"

#include <algorithm>

#include "der.hpp"

namespace certgate::x509 {
namespace {

std::vector<std::string> urls_of_points(Bytes extension) {
  constexpr auto uniform_resource_identifier = der::context(6);
  std::vector<std::string> urls;
  der::Reader outer(extension), points;
  if (!outer.enter(der::sequence, points)) return urls;
  for (der::Reader point; points.enter(der::sequence, point);) {
    der::Reader name, full;
    if (!point.enter(der::context_constructed(0), name)) continue;
    // What follows the name: reasons [1], or cRLIssuer [2] of an indirect list.
    if (!point.empty() || !name.enter(der::context_constructed(0), full)) continue;
    for (der::Element element; full.next(element);) {
      if (element.tag != uniform_resource_identifier) continue;
      std::string url(as_text(element.content));
      auto const scheme = ascii_lower(url.substr(0, url.find(':')));
      if (scheme != "http" && scheme != "https") continue;
      if (std::find(urls.begin(), urls.end(), url) == urls.end()) urls.push_back(std::move(url));
    }
  }
  return urls;
}

}  // namespace

std::vector<std::string> distribution_point_urls(Certificate const& certificate) {
  return urls_of_points(certificate.crl_distribution_points());
}

std::vector<std::string> freshest_crl_urls(Certificate const& certificate) {
  return urls_of_points(certificate.freshest_crl());
}

std::vector<std::string> freshest_crl_urls(Crl const& complete_list) {
  return urls_of_points(complete_list.freshest_crl());
}

}  // namespace certgate::x509
