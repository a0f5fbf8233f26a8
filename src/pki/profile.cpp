#include "certgate/pki/profile.hpp"

#include <array>

namespace certgate::pki {
namespace {

// clang-format off
constexpr std::array profiles{
    //      kind                       name            CA     client server *.     dns    uri    email  ip     days
    Profile{ProfileKind::mobile,       "mobile",       false, true,  false, false, false, true,  true,  false, 365,
            "a phone or a person's computer; clientAuth"},
    Profile{ProfileKind::iot,          "iot",          false, true,  false, false, true,  true,  true,  true,  365,
            "a device; clientAuth"},
    Profile{ProfileKind::service,      "service",      false, true,  true,  false, true,  true,  false, true,  90,
            "one side of service-to-service TLS; clientAuth and serverAuth"},
    Profile{ProfileKind::server,       "server",       false, false, true,  true,  true,  true,  false, true,  397,
            "a TLS server; serverAuth"},
    Profile{ProfileKind::intermediate, "intermediate", true,  false, false, false, false, false, false, false, 3650,
            "an authority that signs devices"},
    Profile{ProfileKind::root,         "root",         true,  false, false, false, false, false, false, false, 7300,
            "the authority that signs intermediates"},
};
// clang-format on

}  // namespace

bool Profile::allows(AlternativeName const& name_asked) const {
  switch (name_asked.kind()) {
    case NameKind::dns:
      return dns && (wildcards || !name_asked.text().starts_with("*."));
    case NameKind::uri:
      return uri;
    case NameKind::email:
      return email;
    case NameKind::ip:
      return ip;
  }
  return false;
}

Profile const& profile_of(ProfileKind kind) {
  for (auto const& profile : profiles) {
    if (profile.kind == kind) return profile;
  }
  return profiles.front();
}

std::optional<ProfileKind> parse_profile(std::string_view name) {
  for (auto const& profile : profiles) {
    if (profile.name == name) return profile.kind;
  }
  return std::nullopt;
}

std::vector<std::string_view> device_profile_names() {
  std::vector<std::string_view> names;
  for (auto const& profile : profiles) {
    if (!profile.is_authority) names.push_back(profile.name);
  }
  return names;
}

}  // namespace certgate::pki
