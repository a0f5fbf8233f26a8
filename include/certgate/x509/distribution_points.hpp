// Where a certificate says that the revocation list of its issuer lies, and where its delta lies.
//
// Read from the extensions cRLDistributionPoints (RFC 5280 §4.2.1.13) and freshestCRL (§4.2.1.15 of
// certificates, §5.2.6 of complete lists). What is named there is a claim of whoever made the
// certificate: fetch it only for certificates that the operator has configured, and for lists whose
// signature was verified.
#pragma once

#include <string>
#include <vector>

#include "certgate/x509/certificate.hpp"
#include "certgate/x509/crl.hpp"

namespace certgate::x509 {

// The http and https URIs of complete lists, in their order, each once. Names of other kinds
// (directoryName, ldap:), and points with reasons or with a cRLIssuer of their own, are passed over.
std::vector<std::string> distribution_point_urls(Certificate const& certificate);
// The same of delta lists.
std::vector<std::string> freshest_crl_urls(Certificate const& certificate);
std::vector<std::string> freshest_crl_urls(Crl const& complete_list);

}  // namespace certgate::x509
