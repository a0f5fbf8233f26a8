// Host names, server URLs and listening addresses, parsed once into types that cannot be wrong.
//
// Errors: the parse functions give one sentence that says what is wrong with the text; the caller
// adds the place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "certgate/base/ip.hpp"
#include "certgate/base/result.hpp"

namespace certgate::config {

// `api.example.com`, `*.example.com` (exactly one label in front), or `*` for every other
// name. Lower case, without a trailing dot.
struct HostName {
  enum class Kind { exact, wildcard, any };
  Kind kind = Kind::exact;
  std::string name;  // exact: the name or IP address; wildcard: what follows `*.`; any: empty

  std::string to_string() const;
  // A wildcard covers exactly one label: `*.example.com` covers a.example.com, not a.b.example.com.
  bool covers(std::string_view canonical_name) const;
  friend bool operator==(HostName const&, HostName const&) = default;
};
Result<HostName> parse_host_name(std::string_view text);
// The same without wildcards: what a certificate or a Host header could say.
Result<std::string> canonical_host(std::string_view text);

// Where an origin listens: http://host:port, https://host[:port], unix:/path.
struct ServerUrl {
  enum class Scheme { http, https, unix_socket };
  Scheme scheme = Scheme::http;
  std::string host;  // canonical name, or an IP address without brackets; empty for unix
  std::uint16_t port = 0;
  std::string path;  // of the socket; empty otherwise

  std::string to_string() const;
  friend bool operator==(ServerUrl const&, ServerUrl const&) = default;
};
Result<ServerUrl> parse_server_url(std::string_view text);

// What a listener binds: an address and a port (0: any free one).
Result<IpEndpoint> parse_listen_address(std::string_view text);

struct UnixPath {
  std::string path;
  friend bool operator==(UnixPath const&, UnixPath const&) = default;
};
using AdminAddress = std::variant<UnixPath, IpEndpoint>;
Result<AdminAddress> parse_admin_address(std::string_view text);
std::string format_admin_address(AdminAddress const& address);

// http:// or https:// with a host and anything after it: where a CRL is fetched from.
Result<std::string> parse_fetch_url(std::string_view text);

}  // namespace certgate::config
