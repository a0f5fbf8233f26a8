// OpenSSL's objects as owners, and its error queue as words.
#pragma once

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "certgate/base/encoding.hpp"
#include "certgate/base/result.hpp"
#include "certgate/x509/digest.hpp"

namespace certgate::tls {

template <auto release>
struct Release {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};

inline void free_names(STACK_OF(X509_NAME) * names) {
  sk_X509_NAME_pop_free(names, X509_NAME_free);
}

using ContextOwner = std::unique_ptr<SSL_CTX, Release<SSL_CTX_free>>;
using SslOwner = std::unique_ptr<SSL, Release<SSL_free>>;
using SessionOwner = std::unique_ptr<SSL_SESSION, Release<SSL_SESSION_free>>;
using CertificateOwner = std::unique_ptr<X509, Release<X509_free>>;
using KeyOwner = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using NamesOwner = std::unique_ptr<STACK_OF(X509_NAME), Release<free_names>>;

// OpenSSL's words for the last error in the thread's queue: "no shared cipher"; "" when it is empty.
std::string last_openssl_words();
// "what: words", and empties the queue.
Error openssl_error(std::string what);

// Calls `use` with the DER of a certificate, in memory that lives as long as the call.
template <class Use>
auto with_der(X509* certificate, Use use) {
  unsigned char* der = nullptr;
  int const size = i2d_X509(certificate, &der);
  std::unique_ptr<unsigned char, void (*)(unsigned char*)> const owner(
      der, [](unsigned char* p) { OPENSSL_free(p); });
  return use(Bytes{der, size > 0 ? static_cast<std::size_t>(size) : 0});
}

}  // namespace certgate::tls
