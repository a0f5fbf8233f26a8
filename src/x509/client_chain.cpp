// A presented chain, its digest and its RFC 9440 text.
#include "certgate/x509/client_chain.hpp"

namespace certgate::x509 {

ClientChain::ClientChain(Private, Certificate::Pointer leaf,
                         std::vector<Certificate::Pointer> others)
    : leaf_(std::move(leaf)), others_(std::move(others)) {
  std::vector<Digest> fingerprints;
  fingerprints.reserve(others_.size() + 1);
  fingerprints.push_back(leaf_->fingerprint());
  for (auto const& certificate : others_) fingerprints.push_back(certificate->fingerprint());
  digest_ = digest_of(fingerprints);
}

ClientChain::Pointer ClientChain::make(Certificate::Pointer leaf,
                                       std::vector<Certificate::Pointer> others) {
  others.shrink_to_fit();
  return std::make_shared<ClientChain>(Private{}, std::move(leaf), std::move(others));
}

Digest ClientChain::digest_of(std::span<Digest const> fingerprints) {
  static_assert(sizeof(Digest) == 32);
  return sha256(Bytes(reinterpret_cast<std::uint8_t const*>(fingerprints.data()),
                      fingerprints.size() * sizeof(Digest)));
}

bool ClientChain::is_rfc9440_chain_too_large() const {
  std::size_t size = 0;
  for (auto const& certificate : others_) {
    size += base64_length(certificate->der().size()) + 2 + (size == 0 ? 0 : 2);
  }
  return size > max_rfc9440_chain_bytes;
}

void ClientChain::append_rfc9440_chain(std::string& out) const {
  if (is_rfc9440_chain_too_large()) return;
  bool first = true;
  for (auto const& certificate : others_) {
    out.append(first ? ":" : ", :");
    append_base64(out, certificate->der());
    out.push_back(':');
    first = false;
  }
}

std::size_t ClientChain::memory_bytes() const {
  std::size_t size =
      sizeof *this + others_.capacity() * sizeof(Certificate::Pointer) + leaf_->memory_bytes();
  for (auto const& certificate : others_) size += certificate->memory_bytes();
  return size;
}

}  // namespace certgate::x509
