// The small readings that certificates and revocation lists share.
#pragma once

#include <cstdint>
#include <string>

#include "certgate/base/encoding.hpp"
#include "certgate/x509/certificate.hpp"

namespace certgate::x509 {

inline constexpr std::size_t max_certificate_serial_bytes = 64;

// The magnitude of a negative INTEGER's content, without leading zeros.
std::string negated(Bytes content);
// The kind and size of a SubjectPublicKeyInfo's content; false when it is broken.
bool read_public_key(Bytes content, KeyType& type, std::uint32_t& bits);
// The bit of one extended-key-usage OID.
std::uint16_t extended_key_usage_bit(Bytes oid);

}  // namespace certgate::x509
