// An http or https URL, and where a redirect leads from it.
//
// Other schemes (file:, ldap:, ftp:), user names, passwords and fragments of a first URL are refused:
// what is fetched is named by a person or a CA, and what it redirects to by a stranger.
//
// See: RFC 3986 §5.2, RFC 9110 §10.2.2.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "certgate/base/result.hpp"

namespace certgate::fetch {

inline constexpr std::size_t max_url_bytes = 8 * 1024;

struct Url {
  enum class Scheme : std::uint8_t { http, https };
  Scheme scheme = Scheme::http;
  std::string host;  // canonical name, or an IP address without brackets
  std::uint16_t port = 80;
  std::string target;  // path and query; starts with `/`

  static Result<Url> parse(std::string_view text);
  // What a Location field says, absolute or relative; its fragment is dropped.
  Result<Url> resolve(std::string_view location) const;

  std::string authority() const;  // for the Host field: without the usual port
  std::string to_string() const;
  friend bool operator==(Url const&, Url const&) = default;
};

}  // namespace certgate::fetch
