// Distinguished names as text, and whether a server certificate covers a host name.
//
// Pure functions; any thread. Lengths are exact: a NUL inside a name is a byte like any other and is
// shown escaped.
// See: RFC 4514 (text of names), RFC 9525 §6 (host names), OpenSSL X509_NAME_print_ex(3).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "certgate/base/encoding.hpp"
#include "certgate/x509/certificate.hpp"

namespace certgate::x509 {

enum class NameForm {
  rfc4514,  // CN=Jürgen,O=Example
  rfc2253,  // CN=J\C3\BCrgen,O=Example
  legacy,   // /O=Example/CN=J\xC3\xBCrgen
};

// The text of a Name given as DER; nullopt when it is not a Name.
std::optional<std::string> format_name(Bytes name_der, NameForm form);

enum class HostMatch { none, exact, wildcard };

// Which kind of SAN of `certificate` covers `host` (a DNS name, or an IP address without brackets).
// DNS names compare without case and without a trailing dot; `*` stands for exactly one whole
// left-most label and never for one directly under a top-level name (`*.com`). An IP address
// matches only an IP SAN. The common name is never looked at (RFC 9525 §2).
HostMatch match_host(Certificate const& certificate, std::string_view host);

}  // namespace certgate::x509
