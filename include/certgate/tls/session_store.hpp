// TLS sessions of all workers, so that a client that returns resumes on whichever worker it meets.
//
// Holds the session objects themselves, by reference, under their ids (which are the tickets of
// TLS 1.3 too): nothing is serialised, and no certificate is decoded to resume. Bounded by count
// and by bytes, in shards with a lock each; what was not used for longest goes first. Any thread.
//
// Whether a found session may be used (its scope, its client's certificate) is decided by the
// handshake, not here; a session past `expires` is never found.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "certgate/base/clock.hpp"

struct ssl_session_st;

namespace certgate::tls {

struct SessionStoreLimits {
  std::size_t sessions = 20'000;
  std::size_t bytes = std::size_t{64} * 1024 * 1024;
};

struct SessionStoreCounts {
  std::uint64_t inserted = 0, found = 0, missed = 0, expired = 0, evicted = 0;
};

class SessionStore {
 public:
  explicit SessionStore(SessionStoreLimits limits = {});
  ~SessionStore();
  SessionStore(SessionStore const&) = delete;
  SessionStore& operator=(SessionStore const&) = delete;

  using Id = std::span<std::uint8_t const>;  // 1 to 32 bytes

  // Takes over one reference when it answers true. `bytes` is what the session is charged with.
  bool insert(Id id, ssl_session_st* session, std::size_t bytes, UnixSeconds expires);
  // A reference for the caller, or null.
  ssl_session_st* find(Id id, UnixSeconds now);
  void erase(Id id);
  void clear();

  std::size_t size() const;
  std::size_t bytes() const;
  SessionStoreCounts counts() const;

 private:
  static constexpr std::size_t shard_count = 16;
  struct Shard;
  Shard& shard_of(Id id) const;
  SessionStoreLimits limits_;
  std::unique_ptr<Shard[]> shards_;
};

}  // namespace certgate::tls
