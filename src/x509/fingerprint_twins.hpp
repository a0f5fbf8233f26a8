// The other fingerprints that a certificate's owner can give it without asking its CA.
//
// Of an ECDSA signature (r, s) everybody can make (r, n - s), n being the order of the signer's curve,
// and it verifies as well: the same certificate with other bytes at its end. Who looks for a
// certificate by its fingerprint to keep it out has to look for both. No other kind of signature that
// a chain may have can be changed so.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "certgate/base/encoding.hpp"
#include "certgate/x509/digest.hpp"

namespace certgate::x509 {

// SHA-256 of the certificate with each signature that may be meant: which curve it is of cannot be
// seen from it, only that it is one of this size.
class FingerprintTwins {
 public:
  explicit FingerprintTwins(Bytes certificate_der) noexcept;
  std::span<Digest const> all() const { return {twins_.data(), count_}; }

 private:
  std::array<Digest, 4> twins_;
  std::size_t count_ = 0;
};

}  // namespace certgate::x509
