// The PROXY protocol: who the client is, told by a load balancer in front of the TLS connection.
//
// Only taken from the listener's trusted sources (threats: anyone else could invent an address).
// Exactly the header's bytes are consumed, so what follows is the ClientHello.
//
// See: the PROXY protocol, versions 1 and 2, HAProxy Technologies (proxy-protocol.txt).
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "certgate/proxy/worker.hpp"

namespace certgate::proxy {

struct ProxyHeader {
  enum class Status : std::uint8_t { need_more, complete, refused };
  Status status = Status::need_more;
  std::size_t bytes = 0;                  // of the header, when complete
  std::optional<IpEndpoint> source;       // none for LOCAL and UNKNOWN: the connection's own
  std::optional<IpEndpoint> destination;
  std::string_view reason;                // when refused; a literal
};

inline constexpr std::size_t max_proxy_v1_bytes = 107;
inline constexpr std::size_t max_proxy_v2_bytes = 16 + 2048;  // fixed part, addresses and TLVs

// Quiet: reads the header at the front of `bytes`.
ProxyHeader parse_proxy_header(std::span<char const> bytes, ProxyProtocol expected);

// Peeks at the socket and consumes the header once it is complete.
ProxyHeader take_proxy_header(int fd, ListenerSettings const& listener, IpAddress const& peer);

}  // namespace certgate::proxy
