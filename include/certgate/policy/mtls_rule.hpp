// The mTLS rule form, for those who do not want to write expressions, as the expression it means.
//
// This is the whole of its meaning: the compiled text is what `certgate rule preview` prints.
// Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/result.hpp"

namespace certgate::policy {

struct MtlsForm {
  // `api.example.com`, `*.example.com` (any name below, at any depth: blocking too much is the
  // safe side) or `*` (every host). At least one.
  std::vector<std::string> hosts;
  // Each stands for itself and everything below it, at a segment boundary: `/v1` covers `/v1` and
  // `/v1/x`, not `/v10`. Empty, or `/`: every path.
  std::vector<std::string> paths;
  bool block_revoked = true;
};

// Matches the requests that must not pass:
//
//   http.host in {"api.example.com"}
//   and (http.request.uri.path in {"/v1"} or starts_with(http.request.uri.path, "/v1/"))
//   and (not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked)
//
// on one line. Paths are normalised (RFC 3986) as those of requests are. Fails when there is no
// host, when a host is malformed, and when a path does not begin with `/` or is ambiguous.
Result<std::string> format_mtls_expression(MtlsForm const& form);

}  // namespace certgate::policy
