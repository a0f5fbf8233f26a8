#include "crl_urls.hpp"

#include <algorithm>
#include <map>

#include "certgate/gateway/build.hpp"
#include "certgate/x509/distribution_points.hpp"
#include "certgate/x509/pem.hpp"

namespace certgate::gateway {
namespace {

using Certificates = std::vector<x509::Certificate::Pointer>;

// The same whatever the order of the CAs is.
std::string key_of(fetch::Url const& url, Certificates const& authorities) {
  std::vector<std::string> prints;
  for (auto const& authority : authorities) {
    prints.emplace_back(authority->fingerprint_sha256());
  }
  std::sort(prints.begin(), prints.end());
  prints.erase(std::unique(prints.begin(), prints.end()), prints.end());
  std::string all;
  for (auto const& print : prints) all += print;
  auto const text = url.to_string();
  return x509::sha256(as_bytes(text)).to_hex() + "-" + x509::sha256(as_bytes(all)).to_hex();
}

bool issuer_is_among(x509::Certificate const& certificate, Certificates const& authorities) {
  return std::any_of(authorities.begin(), authorities.end(), [&](auto const& candidate) {
    return as_text(candidate->subject_name_der()) == as_text(certificate.issuer_name_der());
  });
}

void add_url(std::vector<CrlUrl>& urls, CrlUrl url) {
  auto const known = std::find_if(urls.begin(), urls.end(),
                                  [&](auto const& other) { return other.key == url.key; });
  if (known == urls.end()) return urls.push_back(std::move(url));
  known->follows_deltas = known->follows_deltas || url.follows_deltas;
  for (auto& delta : url.delta_urls) {
    auto const& has = known->delta_urls;
    if (std::find(has.begin(), has.end(), delta) == has.end()) {
      known->delta_urls.push_back(std::move(delta));
    }
  }
}

}  // namespace

std::vector<CrlUrl> crl_urls_of(config::ClientAuth const& auth, Certificates const& authorities,
                                std::string const& host) {
  std::vector<CrlUrl> urls;
  auto const add = [&](std::string const& text, config::Mark const& mark,
                       x509::Certificate const* named_by) {
    auto url = fetch::Url::parse(text);
    if (!url) return;  // of a file it was refused when it was read; of a certificate it is no address
    CrlUrl wanted;
    wanted.key = key_of(*url, authorities);
    wanted.url = std::move(*url);
    wanted.authorities = authorities;
    wanted.host = host;
    wanted.mark = mark;
    wanted.from_certificate = named_by != nullptr;
    wanted.follows_deltas = *auth.crl_distribution_points;
    if (named_by != nullptr) {
      for (auto const& delta : x509::freshest_crl_urls(*named_by)) {
        if (auto parsed = fetch::Url::parse(delta)) wanted.delta_urls.push_back(std::move(*parsed));
      }
    }
    add_url(urls, std::move(wanted));
  };
  for (auto const& source : auth.crl) {
    if (source.kind == config::CrlSource::Kind::url) add(source.url, source.mark, nullptr);
  }
  if (*auth.crl_distribution_points) {
    for (auto const& authority : authorities) {
      if (!issuer_is_among(*authority, authorities)) continue;
      for (auto const& text : x509::distribution_point_urls(*authority)) {
        add(text, auth.crl_distribution_points.mark, authority.get());
      }
    }
  }
  return urls;
}

std::vector<CrlUrl> wanted_crl_urls(config::Config const& config) {
  std::vector<CrlUrl> urls;
  std::map<std::string, Certificates> read;
  DiskReader disk;
  for (auto const& host : config.hosts) {
    auto const& auth = host.client_auth;
    bool const wants = *auth.crl_distribution_points ||
                       std::any_of(auth.crl.begin(), auth.crl.end(), [](auto const& source) {
                         return source.kind == config::CrlSource::Kind::url;
                       });
    if (!wants || *auth.mode == config::ClientAuthMode::off) continue;
    Certificates authorities;
    for (auto const& path : auth.ca) {
      auto const [at, is_new] = read.try_emplace(path.resolved);
      if (is_new) {
        auto const bytes = disk.read(path.resolved);
        auto parsed = bytes ? x509::parse_certificates(*bytes) : fail(bytes.error());
        if (parsed) at->second = std::move(*parsed);
      }
      authorities.insert(authorities.end(), at->second.begin(), at->second.end());
    }
    if (authorities.empty()) continue;
    for (auto& url : crl_urls_of(auth, authorities, host.display_name())) {
      add_url(urls, std::move(url));
    }
  }
  return urls;
}

}  // namespace certgate::gateway
