// An Apple configuration profile (.mobileconfig) that installs a client identity.
//
// Pure text: an XML property list with one PKCS#12 payload and, when asked for, the authorities.
// The identifiers are derived from the contents, so the same order gives the same bytes and a
// renewed certificate replaces the old one instead of standing beside it.
//
// See: Apple's "Configuration Profile Reference", payloads com.apple.security.pkcs12 and
//      com.apple.security.root.
#pragma once

#include <string>
#include <vector>

#include "certgate/pki/certificate.hpp"

namespace certgate::pki {

struct MobileConfigOrder {
  std::string identifier;    // reverse DNS, stable over renewals: "certgate.example.ann-phone"
  std::string display_name;  // what Settings shows
  std::string organization;  // may be empty
  std::string pkcs12;        // DER; the legacy encryption is read by every iOS
  std::string password;      // empty: the phone asks for it, so that the file alone is no key
  std::vector<Certificate> authorities;  // installed as certificates beside the identity
};

std::string format_mobile_config(MobileConfigOrder const& order);

}  // namespace certgate::pki
