// Key, certificate and chain in one password-protected file, in the encryption that the reader
// understands.
//
//   modern  AES-256-CBC with PBKDF2 (SHA-256), MAC SHA-256: OpenSSL 1.1+, GnuTLS, Java 8u301+,
//           Android 12+, iOS 16+, Windows 10 1709+
//   legacy  3DES with SHA-1 for key and certificates, MAC SHA-1: everything older. The file is
//           only as good as its password, so hand it over with care.
//
// See: RFC 7292; RFC 8018 (PBES2).
#pragma once

#include <string>
#include <vector>

#include "certgate/pki/certificate.hpp"
#include "certgate/pki/private_key.hpp"

namespace certgate::pki {

enum class Pkcs12Encryption { modern, legacy };

// A password that a person chose is stretched; one from make_password() cannot be guessed anyway.
enum class PasswordStrength { unknown, random };

inline constexpr int stretching_iterations = 100'000;
inline constexpr int usual_iterations = 2'048;

struct Pkcs12Order {
  PrivateKey key;
  Certificate certificate;
  std::vector<Certificate> chain;  // issuers, nearest first
  std::string friendly_name;       // what the phone shows
  std::string password;            // ASCII, not empty
  PasswordStrength strength = PasswordStrength::unknown;
  Pkcs12Encryption encryption = Pkcs12Encryption::modern;
};

// DER. Errors: an empty or non-ASCII password (readers disagree on its encoding), a key that does
// not belong to the certificate.
Result<std::string> format_pkcs12(Pkcs12Order const& order);

// 24 characters without look-alikes, about 119 bits, in groups of four: easy to type on a phone.
Result<std::string> make_password();
// Decimal digits from OpenSSL's generator, every number equally likely.
Result<std::string> make_pin(std::size_t digits);

}  // namespace certgate::pki
