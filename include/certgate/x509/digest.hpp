// SHA-256 as a value: what certificates, chains and trust are known by.
//
// sha256() uses OpenSSL with a context kept per thread; any thread may call it. It cannot fail for
// any input (a process in which SHA-256 does not work is ended).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>

#include "certgate/base/encoding.hpp"

namespace certgate::x509 {

struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  std::string to_hex() const { return format_hex(bytes, HexCase::lower); }
  friend bool operator==(Digest const&, Digest const&) = default;
  friend auto operator<=>(Digest const&, Digest const&) = default;
};

// For hash tables: a SHA-256 value is already as well mixed as can be.
struct DigestHash {
  std::size_t operator()(Digest const& digest) const noexcept {
    std::size_t hash;
    std::memcpy(&hash, digest.bytes.data(), sizeof hash);
    return hash;
  }
};

Digest sha256(Bytes bytes);
// Of the concatenation of the parts.
Digest sha256(std::initializer_list<Bytes> parts);
std::array<std::uint8_t, 20> sha1(Bytes bytes);

// Who issues: SHA-256 over a CA's subject Name and SubjectPublicKeyInfo, both as DER. Two CAs with
// one name but different keys differ; a CA certificate renewed with its key is the same issuer.
struct IssuerId {
  Digest digest;
  friend bool operator==(IssuerId const&, IssuerId const&) = default;
  friend auto operator<=>(IssuerId const&, IssuerId const&) = default;
};

}  // namespace certgate::x509
