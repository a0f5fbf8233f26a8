// Parses host names, server URLs and listening addresses.
#include "certgate/config/address.hpp"

#include <algorithm>
#include <charconv>

#include "certgate/base/encoding.hpp"

namespace certgate::config {
namespace {

// RFC 1035 §2.3.4: labels 63 octets or less, names 255 octets or less (253 as text).
constexpr std::size_t max_label = 63;
constexpr std::size_t max_name = 253;
// sockaddr_un::sun_path with its terminating zero.
constexpr std::size_t max_socket_path = 107;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Failure<Error> refuse(std::string detail) { return fail(ErrorCode::invalid, std::move(detail)); }

Result<std::uint16_t> parse_port(std::string_view text) {
  unsigned port = 0;
  auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failed != std::errc{} || end != text.data() + text.size() || text.empty() || port == 0 ||
      port > 65'535) {
    return refuse("port `" + std::string{text} + "` is not a number from 1 to 65535");
  }
  return static_cast<std::uint16_t>(port);
}

Result<void> check_label(std::string_view label) {
  if (label.empty()) return refuse("there is nothing before one of its dots");
  if (label.size() > max_label) return refuse("a part between two dots is longer than 63 bytes");
  for (char const c : label) {
    if (static_cast<unsigned char>(c) >= 0x80) {
      return refuse("it has characters that are not ASCII: write its xn-- form");
    }
    if (c == '*') return refuse("`*` can only stand for the whole first label: `*.example.com`");
    if (!is_name_character(c)) {
      return refuse(std::string{"`"} + c + "` cannot stand in a host name");
    }
  }
  if (label.front() == '-' || label.back() == '-') {
    return refuse("a part between two dots neither begins nor ends with a hyphen");
  }
  return {};
}

Result<std::string> check_socket_path(std::string_view path) {
  if (path.empty() || path.front() != '/') {
    return refuse("the path of a socket starts with a slash: unix:/run/app.sock");
  }
  if (path.size() > max_socket_path) {
    return refuse("the path of a socket has at most 107 bytes");
  }
  return std::string{path};
}

}  // namespace

Result<std::string> canonical_host(std::string_view text) {
  if (text.empty()) return refuse("the host name is empty");
  if (text.front() == '[') {
    if (text.back() != ']') return refuse("`[` without `]` in the address");
    auto const address = IpAddress::parse(text.substr(1, text.size() - 2));
    if (!address || address->is_v4()) {
      return refuse("`" + std::string{text} + "` is not an IPv6 address");
    }
    return address->to_string();
  }
  if (auto const address = IpAddress::parse(text)) return address->to_string();
  if (text.find("://") != text.npos) {
    return refuse("a host name has no scheme: write `api.example.com`");
  }
  if (text.find('/') != text.npos) return refuse("a host name has no path");
  if (text.find(':') != text.npos) return refuse("a host name has no port");
  std::string name = ascii_lower(text);
  if (name.back() == '.') name.pop_back();
  if (name.empty()) return refuse("the host name is empty");
  if (name.size() > max_name) return refuse("a host name has at most 253 bytes");
  std::string_view rest = name;
  for (;;) {
    std::size_t const dot = rest.find('.');
    CERTGATE_TRY(auto const checked, [&]() -> Result<bool> {
      auto const label = check_label(rest.substr(0, dot));
      if (!label) return fail(label.error());
      return true;
    }());
    static_cast<void>(checked);
    if (dot == rest.npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (all_digits(rest)) {
    return refuse("its last part is a number, and as an IP address it is wrong");
  }
  return name;
}

Result<HostName> parse_host_name(std::string_view text) {
  if (text == "*") return HostName{HostName::Kind::any, {}};
  if (text.starts_with("*.")) {
    auto base = canonical_host(text.substr(2));
    if (!base) return fail(base.error());
    if (IpAddress::parse(*base)) return refuse("an IP address cannot have a wildcard");
    return HostName{HostName::Kind::wildcard, std::move(*base)};
  }
  auto name = canonical_host(text);
  if (!name) return fail(name.error());
  return HostName{HostName::Kind::exact, std::move(*name)};
}

std::string HostName::to_string() const {
  switch (kind) {
    case Kind::any:
      return "*";
    case Kind::wildcard:
      return "*." + name;
    case Kind::exact:
      break;
  }
  return name;
}

bool HostName::covers(std::string_view canonical_name) const {
  switch (kind) {
    case Kind::any:
      return true;
    case Kind::exact:
      return canonical_name == name;
    case Kind::wildcard:
      break;
  }
  std::size_t const dot = canonical_name.find('.');
  return dot != canonical_name.npos && dot > 0 && canonical_name.substr(dot + 1) == name;
}

Result<ServerUrl> parse_server_url(std::string_view text) {
  ServerUrl url;
  if (text.starts_with("unix:")) {
    url.scheme = ServerUrl::Scheme::unix_socket;
    std::string_view path = text.substr(5);
    if (path.starts_with("//")) path.remove_prefix(2);
    CERTGATE_TRY(url.path, check_socket_path(path));
    return url;
  }
  std::string_view rest = text;
  if (text.starts_with("http://")) {
    url.scheme = ServerUrl::Scheme::http;
    url.port = 80;
    rest.remove_prefix(7);
  } else if (text.starts_with("https://")) {
    url.scheme = ServerUrl::Scheme::https;
    url.port = 443;
    rest.remove_prefix(8);
  } else {
    return refuse("a server is written http://host:port, https://host[:port] or unix:/path");
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find('@') != rest.npos) return refuse("a server's URL has no user name or password");
  if (rest.find_first_of("/?#") != rest.npos) {
    return refuse("a server's URL has no path: the request's own path is forwarded");
  }
  std::size_t const bracket = rest.find(']');
  if (rest.starts_with('[') && bracket == rest.npos) {
    return refuse("`[` without `]` in the address");
  }
  std::size_t const colon = rest.find(':', bracket == rest.npos ? 0 : bracket);
  if (bracket == rest.npos && colon != rest.rfind(':')) {
    return refuse("an IPv6 address stands in brackets: http://[2001:db8::1]:9000");
  }
  if (colon != rest.npos) {
    CERTGATE_TRY(url.port, parse_port(rest.substr(colon + 1)));
  }
  CERTGATE_TRY(url.host, canonical_host(rest.substr(0, colon)));
  return url;
}

std::string ServerUrl::to_string() const {
  if (scheme == Scheme::unix_socket) return "unix:" + path;
  std::string out = scheme == Scheme::http ? "http://" : "https://";
  bool const brackets = host.find(':') != host.npos;
  out += brackets ? "[" + host + "]" : host;
  return out + ":" + std::to_string(port);
}

Result<IpEndpoint> parse_listen_address(std::string_view text) {
  if (auto const endpoint = IpEndpoint::parse(text)) return *endpoint;
  if (IpAddress::parse(text)) {
    auto const colon = text.rfind(':');
    if (colon == text.npos) {
      return refuse("the port is missing: write `" + std::string{text} + ":8443`");
    }
    // The last group may have been meant as the port.
    auto const last = text.substr(colon + 1);
    bool const has_port = IpAddress::parse(text.substr(0, colon)).has_value() &&
                          last.find_first_not_of("0123456789") == last.npos;
    if (has_port) {
      return refuse("an IPv6 address stands in brackets before its port: write `[" +
                    std::string{text.substr(0, colon)} + "]:" + std::string{last} + "`");
    }
    return refuse("the port is missing: write `[" + std::string{text} + "]:8443`");
  }
  if (text.starts_with(':') || text.starts_with("*:")) {
    std::string const port{text.substr(text.find(':') + 1)};
    return refuse("the address is missing: write `0.0.0.0:" + port + "` or `[::]:" + port + "`");
  }
  if (text.starts_with("localhost:")) {
    return refuse("an address is a number: write `127.0.0.1" + std::string{text.substr(9)} + "`");
  }
  std::size_t const colon = text.rfind(':');
  if (colon != text.npos && IpAddress::parse(text.substr(0, colon))) {
    return refuse("the port must be a number up to 65535");
  }
  return refuse("an address is written 192.0.2.1:8443 or [2001:db8::1]:8443");
}

Result<AdminAddress> parse_admin_address(std::string_view text) {
  if (text.starts_with("unix:")) {
    std::string_view path = text.substr(5);
    if (path.starts_with("//")) path.remove_prefix(2);
    CERTGATE_TRY(auto checked, check_socket_path(path));
    return AdminAddress{UnixPath{std::move(checked)}};
  }
  if (text.starts_with('/')) {
    return refuse("a socket is written `unix:" + std::string{text} + "`");
  }
  CERTGATE_TRY(auto endpoint, parse_listen_address(text));
  return AdminAddress{endpoint};
}

std::string format_admin_address(AdminAddress const& address) {
  if (auto const* path = std::get_if<UnixPath>(&address)) return "unix:" + path->path;
  return std::get<IpEndpoint>(address).to_string();
}

Result<std::string> parse_fetch_url(std::string_view text) {
  std::size_t const scheme = text.starts_with("http://") ? 7 : text.starts_with("https://") ? 8 : 0;
  if (scheme == 0) return refuse("a CRL is fetched from http:// or https://");
  for (char const c : text) {
    if (c <= ' ' || static_cast<unsigned char>(c) >= 0x7F) {
      return refuse("a URL has no spaces and only ASCII characters: percent-encode them");
    }
  }
  std::string_view authority = text.substr(scheme);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (authority.find('@') != authority.npos) return refuse("the URL has a user name or password");
  if (text.find('#') != text.npos) return refuse("the URL has a fragment");
  std::size_t const bracket = authority.find(']');
  std::size_t const colon = authority.find(':', bracket == authority.npos ? 0 : bracket);
  if (colon != authority.npos) {
    CERTGATE_TRY(auto const port, parse_port(authority.substr(colon + 1)));
    static_cast<void>(port);
  }
  CERTGATE_TRY(auto const host, canonical_host(authority.substr(0, colon)));
  static_cast<void>(host);
  return std::string{text};
}

}  // namespace certgate::config
