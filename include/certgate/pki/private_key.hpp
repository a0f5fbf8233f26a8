// A private key that this process made or read: for authorities, devices and services.
//
// Immutable and shared; copying is cheap and any thread may use it. The key material leaves only
// through pem().
//
// Errors: reading reports keys that are damaged, locked with another password, or of a kind or
// size that certgate does not sign with (RSA below 2048 bits, EC curves other than P-256, P-384
// and P-521).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "certgate/base/result.hpp"

struct evp_pkey_st;

namespace certgate::pki {

enum class KeyType { p256, p384, rsa2048, rsa4096, ed25519 };

// "p256", "p384", "rsa2048", "rsa4096", "ed25519".
std::string_view name_of(KeyType type);
std::optional<KeyType> parse_key_type(std::string_view name);

inline constexpr int min_rsa_bits = 2048;
inline constexpr int max_rsa_bits = 8192;

class PrivateKey {
 public:
  static Result<PrivateKey> make(KeyType type);
  // PKCS#8 or traditional PEM; `password` opens an encrypted one.
  static Result<PrivateKey> parse_pem(std::string_view pem, std::string_view password = {});

  // PKCS#8; encrypted with AES-256-CBC (PBKDF2, SHA-256) when there is a password.
  Result<std::string> pem(std::string_view password = {}) const;
  // SubjectPublicKeyInfo, DER.
  std::string public_key_der() const;
  evp_pkey_st* handle() const { return key_.get(); }

 private:
  explicit PrivateKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> key_;
};

// Whether certgate puts this public key (DER) into a certificate; the sentence says why not.
Result<void> check_public_key(std::string_view public_key_der);

// The type that `make` would need for a key of the same kind; nullopt for kinds it does not make.
std::optional<KeyType> key_type_of(std::string_view public_key_der);

}  // namespace certgate::pki
