// What each kind of certificate contains: usages, allowed names, usual lifetime.
//
// A closed table; nothing that a device asks for in its request can widen its profile.
//
//   root, intermediate  authorities: keyCertSign and cRLSign, path length set
//   server              a TLS server: serverAuth; DNS names and addresses
//   mobile              a phone or a person's computer: clientAuth; e-mail and URI names
//   iot                 a device: clientAuth; every kind of name but wildcards
//   service             one side of service-to-service TLS: clientAuth and serverAuth
//
// See: RFC 5280 §4.2.1.3 (key usage), §4.2.1.9 (path length), §4.2.1.12 (extended key usage).
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "certgate/pki/alternative_name.hpp"

namespace certgate::pki {

enum class ProfileKind { mobile, iot, service, server, intermediate, root };

struct Profile {
  ProfileKind kind;
  std::string_view name;
  bool is_authority;
  bool client_auth;
  bool server_auth;
  bool wildcards;             // "*.example.com" may be asked for
  bool dns, uri, email, ip;   // kinds of alternative names it may carry
  int default_days;           // lifetime when nobody says
  std::string_view sentence;  // for --help

  bool allows(AlternativeName const& name) const;
};

Profile const& profile_of(ProfileKind kind);
std::optional<ProfileKind> parse_profile(std::string_view name);
// The four that `ca issue` offers.
std::vector<std::string_view> device_profile_names();

}  // namespace certgate::pki
