#include "certgate/net/resolve.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace certgate::net {

Result<std::vector<IpAddress>> resolve(std::string const& host) {
  if (auto const literal = IpAddress::parse(host)) return std::vector<IpAddress>{*literal};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  int const error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) return fail(ErrorCode::not_found, ::gai_strerror(error));
  std::vector<IpAddress> addresses;
  for (auto const* at = found; at != nullptr; at = at->ai_next) {
    IpAddress address;
    if (at->ai_family == AF_INET) {
      auto const& v4 = reinterpret_cast<sockaddr_in const&>(*at->ai_addr);
      address = IpAddress::v4(ntohl(v4.sin_addr.s_addr));
    } else if (at->ai_family == AF_INET6) {
      std::array<std::uint8_t, 16> bytes;
      std::memcpy(bytes.data(), &reinterpret_cast<sockaddr_in6 const&>(*at->ai_addr).sin6_addr, 16);
      address = IpAddress::v6(bytes);
    } else {
      continue;
    }
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) {
      addresses.push_back(address);
    }
  }
  ::freeaddrinfo(found);
  if (addresses.empty()) return fail(ErrorCode::not_found, "the name has no address");
  return addresses;
}

}  // namespace certgate::net
