// Which addresses a fetch may connect to: the public Internet, and what the operator has listed.
//
// A URL, a redirect or a name server can point anywhere; certgate stands where the metadata service
// of a cloud, the admin port of a neighbour and loopback are in reach (SSRF, DNS rebinding). So a
// name is resolved once, every address is judged here, and the connection goes to the judged address.
// An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4) is judged as that IPv4 address.
//
// See: the IANA special-purpose address registries (RFC 6890), RFC 6052, RFC 3056.
#pragma once

#include <string_view>
#include <vector>

#include "certgate/base/ip.hpp"

namespace certgate::fetch {

// Why an address is not public ("loopback", "link-local", "private", …); "" when it is.
std::string_view why_not_public(IpAddress const& address);

struct AddressPolicy {
  std::vector<IpNetwork> allowed;  // besides what is public
  bool allows(IpAddress const& address) const;
};

}  // namespace certgate::fetch
