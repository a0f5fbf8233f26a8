// OpenSSL's objects as owners, and its error queue as a certgate Error.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "certgate/base/result.hpp"

namespace certgate::pki {

template <auto release>
struct Release {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};

inline void free_extensions(STACK_OF(X509_EXTENSION) * list) {
  sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}
inline void free_certificates(STACK_OF(X509) * list) { sk_X509_pop_free(list, X509_free); }

using BioOwner = std::unique_ptr<BIO, Release<BIO_free_all>>;
using BignumOwner = std::unique_ptr<BIGNUM, Release<BN_free>>;
using KeyOwner = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using KeyContextOwner = std::unique_ptr<EVP_PKEY_CTX, Release<EVP_PKEY_CTX_free>>;
using CertificateOwner = std::unique_ptr<X509, Release<X509_free>>;
using RequestOwner = std::unique_ptr<X509_REQ, Release<X509_REQ_free>>;
using CrlOwner = std::unique_ptr<X509_CRL, Release<X509_CRL_free>>;
using RevokedOwner = std::unique_ptr<X509_REVOKED, Release<X509_REVOKED_free>>;
using NameOwner = std::unique_ptr<X509_NAME, Release<X509_NAME_free>>;
using IntegerOwner = std::unique_ptr<ASN1_INTEGER, Release<ASN1_INTEGER_free>>;
using EnumeratedOwner = std::unique_ptr<ASN1_ENUMERATED, Release<ASN1_ENUMERATED_free>>;
using TimeOwner = std::unique_ptr<ASN1_TIME, Release<ASN1_TIME_free>>;
using OctetsOwner = std::unique_ptr<ASN1_OCTET_STRING, Release<ASN1_OCTET_STRING_free>>;
using GeneralNamesOwner = std::unique_ptr<GENERAL_NAMES, Release<GENERAL_NAMES_free>>;
using GeneralNameOwner = std::unique_ptr<GENERAL_NAME, Release<GENERAL_NAME_free>>;
using ConstraintsOwner = std::unique_ptr<NAME_CONSTRAINTS, Release<NAME_CONSTRAINTS_free>>;
using ExtensionsOwner = std::unique_ptr<STACK_OF(X509_EXTENSION), Release<free_extensions>>;
using CertificatesOwner = std::unique_ptr<STACK_OF(X509), Release<free_certificates>>;
using Pkcs12Owner = std::unique_ptr<PKCS12, Release<PKCS12_free>>;

// "what: reason", with the last entry of OpenSSL's error queue as the reason; empties the queue.
Error openssl_error(std::string what);

// The DER form by the usual i2d function; empty on failure.
template <class T, class Encode>
std::string der_of(T* object, Encode encode) {
  int const length = encode(object, nullptr);
  if (length <= 0) return {};
  std::string out(static_cast<std::size_t>(length), '\0');
  auto* cursor = reinterpret_cast<unsigned char*>(out.data());
  encode(object, &cursor);
  return out;
}

// Everything a memory BIO holds.
std::string text_of(BIO* memory);
BioOwner memory_bio(std::string_view text);

}  // namespace certgate::pki
