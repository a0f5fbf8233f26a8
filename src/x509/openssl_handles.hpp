// OpenSSL objects that free themselves.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <memory>

#include "certgate/base/encoding.hpp"

namespace certgate::x509 {

template <auto Function>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    Function(object);
  }
};
struct FreeX509Stack {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_pop_free(stack, X509_free); }
};

using X509Handle = std::unique_ptr<X509, FreeWith<X509_free>>;
using X509StoreHandle = std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>>;
using X509StoreContextHandle = std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>>;
using X509StackHandle = std::unique_ptr<STACK_OF(X509), FreeX509Stack>;
using X509NameHandle = std::unique_ptr<X509_NAME, FreeWith<X509_NAME_free>>;
using BioHandle = std::unique_ptr<BIO, FreeWith<BIO_free>>;
using KeyHandle = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using DigestContextHandle = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using KeyContextHandle = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;

// Leaves OpenSSL's error queue as it was found: the TLS layer reads it after its own calls.
class KeepErrorQueue {
 public:
  KeepErrorQueue() { ERR_set_mark(); }
  ~KeepErrorQueue() { ERR_pop_to_mark(); }
  KeepErrorQueue(KeepErrorQueue const&) = delete;
  KeepErrorQueue& operator=(KeepErrorQueue const&) = delete;
};

// Null when OpenSSL cannot read it, or reads less than all of it.
inline X509Handle decode_certificate(Bytes der) {
  unsigned char const* at = der.data();
  X509Handle certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (certificate && at != der.data() + der.size()) certificate.reset();
  return certificate;
}

}  // namespace certgate::x509
