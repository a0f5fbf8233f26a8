// Reads a private key with OpenSSL, never asking anybody for a password.
#include "certgate/x509/private_key.hpp"

#include <openssl/pem.h>

#include <string>

#include "openssl_handles.hpp"

namespace certgate::x509 {
namespace {

KeyType type_of(EVP_PKEY const* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      return KeyType::rsa;
    case EVP_PKEY_RSA_PSS:
      return KeyType::rsa_pss;
    case EVP_PKEY_EC:
      return KeyType::ec;
    case EVP_PKEY_ED25519:
      return KeyType::ed25519;
    case EVP_PKEY_ED448:
      return KeyType::ed448;
    case EVP_PKEY_DSA:
      return KeyType::dsa;
    default:
      return KeyType::other;
  }
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// OpenSSL's answer to "give me the password": there is none.
int no_password(char*, int, int, void*) { return -1; }

}  // namespace

Result<PrivateKey> PrivateKey::parse_pem(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == text.npos) {
    return fail(ErrorCode::invalid, "is empty; a private key as PEM is expected");
  }
  if (contains(text, "-----BEGIN ENCRYPTED PRIVATE KEY-----") ||
      contains(text, "Proc-Type: 4,ENCRYPTED")) {
    return fail(ErrorCode::invalid,
                "is an encrypted private key; decrypt it with `openssl pkey -in KEY -out "
                "PLAIN_KEY` and protect the result by file permissions");
  }
  std::size_t const keys = count(text, "PRIVATE KEY-----") / 2;
  if (keys == 0) {
    if (contains(text, "PRIVATE KEY-----")) {
      return fail(ErrorCode::invalid, "is cut off: the private key has no END line");
    }
    if (contains(text, "-----BEGIN CERTIFICATE-----")) {
      return fail(ErrorCode::invalid, "is a certificate, not a private key");
    }
    if (contains(text, "PUBLIC KEY-----")) {
      return fail(ErrorCode::invalid, "is a public key, not a private key");
    }
    return fail(ErrorCode::invalid, "holds no private key as PEM");
  }
  if (keys > 1) return fail(ErrorCode::invalid, "holds more than one private key");
  KeepErrorQueue const keep;
  BioHandle const bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  KeyHandle key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_password, nullptr) : nullptr);
  if (!key) return fail(ErrorCode::crypto, "OpenSSL cannot read the private key; it is damaged");
  KeyType const type = type_of(key.get());
  // OpenSSL's versions disagree on how many bits Ed25519 has.
  auto const bits =
      type == KeyType::ed25519 ? 256U : static_cast<unsigned>(EVP_PKEY_get_bits(key.get()));
  return PrivateKey(std::shared_ptr<EVP_PKEY>(key.release(), EVP_PKEY_free), type, bits);
}

bool PrivateKey::matches(Certificate const& certificate) const {
  KeepErrorQueue const keep;
  X509Handle const decoded = decode_certificate(certificate.der());
  EVP_PKEY const* const public_key = decoded ? X509_get0_pubkey(decoded.get()) : nullptr;
  return public_key != nullptr && EVP_PKEY_eq(public_key, key_.get()) == 1;
}

}  // namespace certgate::x509
