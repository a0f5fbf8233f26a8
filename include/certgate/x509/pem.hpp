// PEM in, PEM out: strict, and clear about what is wrong and where.
//
// Text between blocks is passed over (RFC 7468 §5.2 allows it); inside a block nothing but base64.
// One bad block makes the whole text an error: half a CA bundle is never used.
//
// Errors: "block 3 (line 41) is a private key, not a certificate", "block 10 (line 212) is cut off:
//         there is no END CERTIFICATE", "holds no certificate". The caller adds the file's name.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/encoding.hpp"
#include "certgate/base/result.hpp"
#include "certgate/x509/certificate.hpp"
#include "certgate/x509/crl.hpp"

namespace certgate::x509 {

struct PemBlock {
  std::string label;  // "CERTIFICATE"
  std::string der;
  std::size_t line = 0;  // of BEGIN, from 1
};

// Every block, at least one. A block with RFC 1421 headers (an old encrypted key) is an error.
Result<std::vector<PemBlock>> parse_pem(std::string_view text);

// Lines of 64 characters, a newline at the end.
std::string format_pem(std::string_view label, Bytes der);

// One or more CERTIFICATE blocks (X509 CERTIFICATE too), nothing else.
Result<std::vector<Certificate::Pointer>> parse_certificates(std::string_view text);

// One or more X509 CRL blocks, or one CRL as DER.
Result<std::vector<Crl::Pointer>> parse_crls(std::string_view text);

}  // namespace certgate::x509
