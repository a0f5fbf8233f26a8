// A device's own certificate request (PKCS#10), believed only after its proof of possession.
//
// Holding a CertificateRequest means: the signature by the requested key was right, the key is one
// that certgate signs, and every name is well-formed. What else the request asks for (usages,
// authority rights, foreign extensions) is listed in `ignored` and never copied.
//
// See: RFC 2986; RFC 2985 §5.4.2 (extensionRequest).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/result.hpp"
#include "certgate/pki/alternative_name.hpp"
#include "certgate/pki/private_key.hpp"
#include "certgate/pki/profile.hpp"

namespace certgate::pki {

inline constexpr std::size_t max_request_bytes = 64 * 1024;
inline constexpr std::size_t max_requested_names = 100;

struct CertificateRequest {
  // PEM or DER. Errors: damaged, too large, signature wrong, weak key, more than
  // max_requested_names names.
  static Result<CertificateRequest> parse(std::string_view text);

  Subject subject;  // the common name may be empty
  std::vector<AlternativeName> alternative_names;
  std::string public_key_der;
  std::vector<std::string> ignored;  // what was asked for and is not given, one phrase each
};

// Moves the names that `profile` does not allow to `ignored`.
void filter_by_profile(CertificateRequest& request, Profile const& profile);

// What a device sends: PEM.
Result<std::string> make_request(PrivateKey const& key, Subject const& subject,
                                 std::vector<AlternativeName> const& names);

}  // namespace certgate::pki
