// Remembers what is expensive: verified chains, and the facts of chains that clients present.
//
// One of each per worker; not thread-safe, no locks. Both are bounded, drop what was not used for
// longest, and only ever save work: dropping everything changes no answer.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <unordered_map>

#include "certgate/base/clock.hpp"
#include "certgate/x509/client_chain.hpp"
#include "certgate/x509/trust.hpp"

namespace certgate::x509 {

struct VerificationCacheLimits {
  std::size_t entries = 4096;
  UnixSeconds lifetime = 300;  // seconds
};

// (chain, trust) -> Verification; successes only, never beyond the window in which they hold.
class VerificationCache {
 public:
  using Pointer = std::shared_ptr<Verification const>;

  explicit VerificationCache(VerificationCacheLimits limits = {}) : limits_(limits) {}
  // Null when not known, or known but no longer true at `now`.
  Pointer find(Digest const& chain, Digest const& trust, UnixSeconds now);
  void insert(Digest const& chain, Digest const& trust, Pointer verification, UnixSeconds now);
  // find(), or verify and insert(). Never null.
  Pointer verify(Trust const& trust, ClientChain const& chain, UnixSeconds now);
  void clear();
  std::size_t size() const { return map_.size(); }

 private:
  struct Key {
    Digest chain, trust;
    friend bool operator==(Key const&, Key const&) = default;
  };
  struct KeyHash {
    std::size_t operator()(Key const& key) const noexcept {
      return DigestHash{}(key.chain) ^ (DigestHash{}(key.trust) * 31);
    }
  };
  struct Entry {
    Key key;
    Pointer verification;
    UnixSeconds inserted;
  };
  VerificationCacheLimits limits_;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<Key, std::list<Entry>::iterator, KeyHash> map_;
};

struct ChainCacheLimits {
  std::size_t chains = 4096;
  std::size_t bytes = std::size_t{16} * 1024 * 1024;
};

// Digest of a presented chain -> its facts, so that a device that returns costs one hash per
// certificate; and single certificates (intermediates), so that many leaves share one.
class ChainCache {
 public:
  explicit ChainCache(ChainCacheLimits limits = {}) : limits_(limits) {}
  ClientChain::Pointer find(Digest const& digest);
  void insert(ClientChain::Pointer chain);
  // An intermediate seen before with this SHA-256, or null. Known while some cached chain has it.
  Certificate::Pointer find_intermediate(Digest const& fingerprint) const;
  void clear();
  std::size_t size() const { return map_.size(); }
  std::size_t bytes() const { return bytes_; }

 private:
  void drop_last();

  struct Entry {
    ClientChain::Pointer chain;
    std::size_t bytes;
  };
  ChainCacheLimits limits_;
  std::size_t bytes_ = 0;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<Digest, std::list<Entry>::iterator, DigestHash> map_;
  struct Intermediate {
    Certificate::Pointer certificate;
    std::size_t chains = 0;  // how many cached chains have it
  };
  std::unordered_map<Digest, Intermediate, DigestHash> intermediates_;
};

}  // namespace certgate::x509
