// A private key, from PEM: what kind it is, and whether it belongs to a certificate.
//
// Owns an OpenSSL key and shares it by count; OpenSSL wipes it when the last owner goes. Never
// printed. Any thread may use it.
//
// Errors: an encrypted key is refused in words that say how to decrypt it; a certificate or a public
//         key in its place is named as such.
#pragma once

#include <memory>
#include <string_view>

#include "certgate/base/result.hpp"
#include "certgate/x509/certificate.hpp"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace certgate::x509 {

class PrivateKey {
 public:
  // PKCS#8, or the traditional RSA and EC forms. Exactly one key block; EC PARAMETERS are passed over.
  static Result<PrivateKey> parse_pem(std::string_view text);

  KeyType type() const { return type_; }
  unsigned bits() const { return bits_; }
  bool matches(Certificate const& certificate) const;
  // Valid as long as this object; take a reference of your own (EVP_PKEY_up_ref) to keep it.
  evp_pkey_st* handle() const { return key_.get(); }

 private:
  PrivateKey(std::shared_ptr<evp_pkey_st> key, KeyType type, unsigned bits)
      : key_(std::move(key)), type_(type), bits_(bits) {}
  std::shared_ptr<evp_pkey_st> key_;
  KeyType type_;
  unsigned bits_;
};

}  // namespace certgate::x509
