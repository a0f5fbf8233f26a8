#include "crl_fetch_settings.hpp"

#include "certgate/x509/pem.hpp"
#include "materials.hpp"
#include "settings.hpp"

namespace certgate::gateway {

Result<CrlFetchSettings, Diagnostics> crl_fetch_settings(config::CrlRefresh const& refresh) {
  CrlFetchSettings settings;
  settings.pace = {*refresh.interval, *refresh.retry};
  settings.timeout = *refresh.timeout;
  settings.max_bytes = static_cast<std::size_t>(refresh.max_bytes->bytes);
  for (auto const& network : refresh.allowed_networks) {
    settings.addresses.allowed.push_back(*network);
  }
  Diagnostics diagnostics;
  DiskReader disk;
  for (auto const& path : refresh.ca) {
    auto const bytes = disk.read(path.resolved);
    auto parsed = bytes ? x509::parse_certificates(*bytes) : fail(bytes.error());
    if (!parsed) {
      diagnostics.add(path.mark.diagnostic(
          "the CA file `" + path.resolved + "` of `crl_refresh`: " + parsed.error().detail,
          "it holds the CAs of https:// servers of CRLs, in PEM; without it the system's are used"));
      continue;
    }
    for (auto& certificate : *parsed) settings.authorities.push_back(std::move(certificate));
  }
  if (diagnostics.has_errors()) return fail(std::move(diagnostics));
  return settings;
}

}  // namespace certgate::gateway
