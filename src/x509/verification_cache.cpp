// Two bounded caches with least-recently-used eviction.
#include "certgate/x509/verification_cache.hpp"

namespace certgate::x509 {

VerificationCache::Pointer VerificationCache::find(Digest const& chain, Digest const& trust,
                                                   UnixSeconds now) {
  auto const at = map_.find(Key{chain, trust});
  if (at == map_.end()) return nullptr;
  Entry const& entry = *at->second;
  bool const is_young = now >= entry.inserted && now - entry.inserted < limits_.lifetime;
  if (!is_young || now < entry.verification->from || now > entry.verification->until) {
    entries_.erase(at->second);
    map_.erase(at);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, at->second);
  return entry.verification;
}

void VerificationCache::insert(Digest const& chain, Digest const& trust, Pointer verification,
                               UnixSeconds now) {
  if (!verification || !verification->verified || limits_.entries == 0) return;
  Key const key{chain, trust};
  if (auto const at = map_.find(key); at != map_.end()) {
    entries_.erase(at->second);
    map_.erase(at);
  }
  entries_.push_front({key, std::move(verification), now});
  map_.emplace(key, entries_.begin());
  if (entries_.size() > limits_.entries) {
    map_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

VerificationCache::Pointer VerificationCache::verify(Trust const& trust, ClientChain const& chain,
                                                     UnixSeconds now) {
  if (auto known = find(chain.digest(), trust.digest(), now)) return known;
  auto verification = std::make_shared<Verification const>(trust.verify(chain, now));
  insert(chain.digest(), trust.digest(), verification, now);
  return verification;
}

void VerificationCache::clear() {
  map_.clear();
  entries_.clear();
}

ClientChain::Pointer ChainCache::find(Digest const& digest) {
  auto const at = map_.find(digest);
  if (at == map_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, at->second);
  return at->second->chain;
}

void ChainCache::insert(ClientChain::Pointer chain) {
  std::size_t const bytes = chain->memory_bytes() + 256;  // the entry and its places in the tables
  if (bytes > limits_.bytes || limits_.chains == 0 || map_.contains(chain->digest())) return;
  for (auto const& other : chain->others()) {
    Intermediate& known = intermediates_[other->fingerprint()];
    if (!known.certificate) known.certificate = other;
    ++known.chains;
  }
  entries_.push_front({chain, bytes});
  map_.emplace(chain->digest(), entries_.begin());
  bytes_ += bytes;
  while (entries_.size() > limits_.chains || bytes_ > limits_.bytes) drop_last();
}

Certificate::Pointer ChainCache::find_intermediate(Digest const& fingerprint) const {
  auto const at = intermediates_.find(fingerprint);
  return at == intermediates_.end() ? nullptr : at->second.certificate;
}

void ChainCache::clear() {
  map_.clear();
  entries_.clear();
  intermediates_.clear();
  bytes_ = 0;
}

void ChainCache::drop_last() {
  ClientChain::Pointer const chain = std::move(entries_.back().chain);
  bytes_ -= entries_.back().bytes;
  map_.erase(chain->digest());
  entries_.pop_back();
  for (auto const& other : chain->others()) {
    auto const at = intermediates_.find(other->fingerprint());
    if (--at->second.chains == 0) intermediates_.erase(at);
  }
}

}  // namespace certgate::x509
