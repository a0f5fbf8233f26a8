// Which lists a configuration wants fetched, and who must have signed them.
#pragma once

#include <string>
#include <vector>

#include "certgate/config/config.hpp"
#include "certgate/fetch/url.hpp"
#include "certgate/x509/certificate.hpp"

namespace certgate::gateway {

// One list to keep fresh. The same address under other CAs is another one: who may sign differs.
struct CrlUrl {
  fetch::Url url;
  std::vector<x509::Certificate::Pointer> authorities;
  std::string host;   // the first that wants it, for messages
  config::Mark mark;  // the line that asks for it
  bool from_certificate = false;  // a distribution point
  // Whether deltas are fetched too: those that a list names, and these, which certificates name.
  bool follows_deltas = false;
  std::vector<fetch::Url> delta_urls;
  std::string key;    // of the address and the authorities: "<64 hex digits>-<64 hex digits>"

  std::string text() const { return url.to_string(); }
};

// Those of one host, from `crl` and, where the option says so, from the certificates in `ca`:
// of each whose issuer is among them too, because nobody else's signature could be verified.
std::vector<CrlUrl> crl_urls_of(config::ClientAuth const& auth,
                                std::vector<x509::Certificate::Pointer> const& authorities,
                                std::string const& host);

// Those of every host, each once. CA files that cannot be read are passed over: the build tells.
std::vector<CrlUrl> wanted_crl_urls(config::Config const& config);

}  // namespace certgate::gateway
