#include "certgate/pki/private_key.hpp"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <array>
#include <cstring>
#include <utility>

#include "openssl.hpp"

namespace certgate::pki {
namespace {

constexpr std::array key_types{
    std::pair{KeyType::p256, std::string_view{"p256"}},
    std::pair{KeyType::p384, std::string_view{"p384"}},
    std::pair{KeyType::rsa2048, std::string_view{"rsa2048"}},
    std::pair{KeyType::rsa4096, std::string_view{"rsa4096"}},
    std::pair{KeyType::ed25519, std::string_view{"ed25519"}},
};

EVP_PKEY* generate(KeyType type) {
  switch (type) {
    case KeyType::p256:
      return EVP_EC_gen("P-256");
    case KeyType::p384:
      return EVP_EC_gen("P-384");
    case KeyType::rsa2048:
      return EVP_RSA_gen(2048);
    case KeyType::rsa4096:
      return EVP_RSA_gen(4096);
    case KeyType::ed25519:
      return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  }
  return nullptr;
}

int give_password(char* buffer, int size, int /*writing*/, void* user) {
  auto const& password = *static_cast<std::string_view const*>(user);
  if (password.empty() || password.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(buffer, password.data(), password.size());
  return static_cast<int>(password.size());
}

// What certgate signs for and with; anything else is refused with the reason.
Result<void> check_key(EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS")) {
    int const bits = EVP_PKEY_get_bits(key);
    if (bits < min_rsa_bits) {
      return fail(ErrorCode::invalid, "an RSA key of " + std::to_string(bits) +
                                          " bits is too weak; use at least " +
                                          std::to_string(min_rsa_bits));
    }
    if (bits > max_rsa_bits) {
      return fail(ErrorCode::invalid, "an RSA key of " + std::to_string(bits) +
                                          " bits makes handshakes too slow; use at most " +
                                          std::to_string(max_rsa_bits));
    }
    return {};
  }
  if (EVP_PKEY_is_a(key, "ED25519")) return {};
  if (EVP_PKEY_is_a(key, "EC")) {
    std::array<char, 64> group{};
    std::size_t length = 0;
    if (EVP_PKEY_get_group_name(key, group.data(), group.size(), &length) != 1) {
      return fail(openssl_error("an EC key with explicit parameters is not accepted"));
    }
    std::string_view const name(group.data(), length);
    if (name == "prime256v1" || name == "P-256" || name == "secp384r1" || name == "P-384" ||
        name == "secp521r1" || name == "P-521") {
      return {};
    }
    return fail(ErrorCode::invalid,
                "the curve " + std::string(name) + " is not accepted; use P-256, P-384 or P-521");
  }
  auto const* name = EVP_PKEY_get0_type_name(key);
  return fail(ErrorCode::invalid, std::string("keys of type ") + (name ? name : "unknown") +
                                      " are not accepted; use EC, RSA or Ed25519");
}

}  // namespace

std::string_view name_of(KeyType type) {
  for (auto const& [value, name] : key_types) {
    if (value == type) return name;
  }
  return "unknown";
}

std::optional<KeyType> parse_key_type(std::string_view name) {
  for (auto const& [value, known] : key_types) {
    if (known == name) return value;
  }
  return std::nullopt;
}

Result<PrivateKey> PrivateKey::make(KeyType type) {
  KeyOwner key(generate(type));
  if (!key) return fail(openssl_error("cannot make a private key"));
  return PrivateKey(std::shared_ptr<EVP_PKEY>(key.release(), EVP_PKEY_free));
}

Result<PrivateKey> PrivateKey::parse_pem(std::string_view pem, std::string_view password) {
  auto const bio = memory_bio(pem);
  KeyOwner key(PEM_read_bio_PrivateKey(bio.get(), nullptr, give_password, &password));
  if (!key) {
    auto error = openssl_error("cannot read the private key");
    if (password.empty() && pem.find("ENCRYPTED") != std::string_view::npos) {
      error.detail = "the private key is encrypted and no password was given";
    }
    return fail(std::move(error));
  }
  if (auto fine = check_key(key.get()); !fine) return fail(std::move(fine).error());
  return PrivateKey(std::shared_ptr<EVP_PKEY>(key.release(), EVP_PKEY_free));
}

Result<std::string> PrivateKey::pem(std::string_view password) const {
  BioOwner const bio(BIO_new(BIO_s_secmem()));
  auto const* cipher = password.empty() ? nullptr : EVP_aes_256_cbc();
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), cipher, password.data(),
                                    static_cast<int>(password.size()), nullptr, nullptr) != 1) {
    return fail(openssl_error("cannot write the private key"));
  }
  return text_of(bio.get());
}

std::string PrivateKey::public_key_der() const { return der_of(key_.get(), i2d_PUBKEY); }

Result<void> check_public_key(std::string_view public_key_der) {
  auto const* cursor = reinterpret_cast<unsigned char const*>(public_key_der.data());
  auto const* const end = cursor + public_key_der.size();
  KeyOwner key(d2i_PUBKEY(nullptr, &cursor, static_cast<long>(public_key_der.size())));
  if (!key || cursor != end) return fail(openssl_error("cannot read the public key"));
  return check_key(key.get());
}

std::optional<KeyType> key_type_of(std::string_view public_key_der) {
  auto const* cursor = reinterpret_cast<unsigned char const*>(public_key_der.data());
  KeyOwner const key(d2i_PUBKEY(nullptr, &cursor, static_cast<long>(public_key_der.size())));
  if (!key) return std::nullopt;
  int const bits = EVP_PKEY_get_bits(key.get());
  if (EVP_PKEY_is_a(key.get(), "ED25519")) return KeyType::ed25519;
  if (EVP_PKEY_is_a(key.get(), "EC")) {
    return bits == 256   ? std::optional(KeyType::p256)
           : bits == 384 ? std::optional(KeyType::p384)
                         : std::nullopt;
  }
  return bits == 2048   ? std::optional(KeyType::rsa2048)
         : bits == 4096 ? std::optional(KeyType::rsa4096)
                        : std::nullopt;
}

}  // namespace certgate::pki
