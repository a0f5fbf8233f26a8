// The extensions of a certificate under construction, one function each.
#pragma once

#include <string>
#include <vector>

#include "certgate/pki/authority.hpp"
#include "openssl.hpp"

namespace certgate::pki {

// Adds all that the order's profile asks for; `issuer` is the certificate itself for a root.
Result<void> add_extensions(X509* certificate, X509 const* issuer, CertificateOrder const& order);
Result<void> add_revocation_list_extensions(X509_CRL* list, X509 const* issuer,
                                            std::int64_t number);

}  // namespace certgate::pki
