// Small conversions between bytes and OpenSSL objects, for the test CA.
#pragma once

#include <openssl/bn.h>
#include <openssl/x509.h>

#include <string>

#include "support/test_ca.hpp"

namespace certgate::testing {

inline std::string encode(X509* certificate) {
  unsigned char* der = nullptr;
  int const size = i2d_X509(certificate, &der);
  require(size > 0, "i2d_X509");
  std::string bytes(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return bytes;
}

// The caller frees it.
inline X509* decode(std::string const& der) {
  auto const* at = reinterpret_cast<unsigned char const*>(der.data());
  X509* const certificate = d2i_X509(nullptr, &at, static_cast<long>(der.size()));
  require(certificate != nullptr, "d2i_X509");
  return certificate;
}

// Frees the BIO.
inline std::string take_text(BIO* bio) {
  char* data = nullptr;
  long const size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

// Hex, perhaps with a minus sign. The caller frees it.
inline ASN1_INTEGER* make_integer(std::string const& hex) {
  BIGNUM* number = nullptr;
  require(BN_hex2bn(&number, hex.c_str()) > 0, "BN_hex2bn");
  ASN1_INTEGER* const integer = BN_to_ASN1_INTEGER(number, nullptr);
  BN_free(number);
  return integer;
}

// The caller frees it.
inline X509_EXTENSION* make_extension(RawExtension const& raw) {
  ASN1_OBJECT* const oid = OBJ_txt2obj(raw.oid.c_str(), 1);
  ASN1_OCTET_STRING* const value = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(value, reinterpret_cast<unsigned char const*>(raw.der.data()),
                        static_cast<int>(raw.der.size()));
  X509_EXTENSION* const extension =
      X509_EXTENSION_create_by_OBJ(nullptr, oid, raw.critical ? 1 : 0, value);
  ASN1_OCTET_STRING_free(value);
  ASN1_OBJECT_free(oid);
  require(extension != nullptr, "X509_EXTENSION_create_by_OBJ");
  return extension;
}

}  // namespace certgate::testing
