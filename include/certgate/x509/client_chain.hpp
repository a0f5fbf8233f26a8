// What a client presented: its certificate and the others it sent, in the order sent.
//
// Immutable and shared by a connection, its TLS session and the caches; any thread may read.
// Nothing here is verified: the leaf is simply the first certificate of the message, which is the
// one whose key the handshake proved (RFC 8446 §4.4.2).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "certgate/x509/certificate.hpp"

namespace certgate::x509 {

class ClientChain {
  struct Private {};

 public:
  using Pointer = std::shared_ptr<ClientChain const>;

  // REQUIRES: leaf and every element of others is not null.
  static Pointer make(Certificate::Pointer leaf, std::vector<Certificate::Pointer> others = {});
  // The digest() that a chain of certificates with these SHA-256 fingerprints has.
  static Digest digest_of(std::span<Digest const> fingerprints);

  Certificate const& leaf() const { return *leaf_; }
  Certificate::Pointer const& leaf_pointer() const { return leaf_; }
  std::span<Certificate::Pointer const> others() const { return others_; }
  // SHA-256 over the SHA-256 of each presented certificate, in order.
  Digest const& digest() const { return digest_; }

  // RFC 9440 §2.3: the others, `:b64:, :b64:`, as sent. Too large: above max_rfc9440_chain_bytes.
  bool is_rfc9440_chain_too_large() const;
  // Appends nothing when too large or when only the leaf was sent.
  void append_rfc9440_chain(std::string& out) const;

  std::size_t memory_bytes() const;

  ClientChain(Private, Certificate::Pointer leaf, std::vector<Certificate::Pointer> others);

 private:
  Certificate::Pointer leaf_;
  std::vector<Certificate::Pointer> others_;
  Digest digest_;
};

}  // namespace certgate::x509
