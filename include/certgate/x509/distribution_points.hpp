// Where a certificate says that the revocation list of its issuer lies.
//
// Read from the cRLDistributionPoints extension (RFC 5280 §4.2.1.13). What is named there is a claim
// of whoever made the certificate: fetch it only for certificates that the operator has configured.
#pragma once

#include <string>
#include <vector>

#include "certgate/x509/certificate.hpp"

namespace certgate::x509 {

// The http and https URIs of complete lists, in their order, each once. Names of other kinds
// (directoryName, ldap:), and points with reasons or with a cRLIssuer of their own, are passed over.
std::vector<std::string> distribution_point_urls(Certificate const& certificate);

}  // namespace certgate::x509
