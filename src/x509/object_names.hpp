// What object identifiers are called: attribute types and algorithms.
#pragma once

#include <string>
#include <string_view>

#include "certgate/base/encoding.hpp"

namespace certgate::x509 {

struct AttributeType {
  std::string_view name;  // "CN", or dotted numbers when not known; lives in `scratch` or forever
  bool known = false;
};
// OpenSSL's short name for an OID (its DER content). `scratch` may be used for the answer.
AttributeType attribute_type(Bytes oid, std::string& scratch);

// OpenSSL's long name for an algorithm: "ecdsa-with-SHA256"; dotted numbers when not known.
std::string algorithm_name(Bytes oid);

// "1.2.840.113549.1.1.11"; "" when `oid` is not an OID's content.
std::string format_oid(Bytes oid);

// Compares with the content bytes of an OID written as a string literal.
template <std::size_t N>
bool is_oid(Bytes oid, char const (&expected)[N]) {
  return as_text(oid) == std::string_view(expected, N - 1);
}

}  // namespace certgate::x509
