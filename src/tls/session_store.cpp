#include "certgate/tls/session_store.hpp"

#include <cstring>
#include <list>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "openssl.hpp"

namespace certgate::tls {
namespace {

// Smaller stores are not worth cutting up: each piece would be bounded by a handful.
constexpr std::size_t min_sessions_per_shard = 64;
constexpr std::size_t min_bytes_per_shard = std::size_t{1024} * 1024;

struct Key {
  std::array<std::uint8_t, 32> bytes{};
  std::uint8_t size = 0;
  friend bool operator==(Key const&, Key const&) = default;
};

Key key_of(SessionStore::Id id) {
  Key key;
  key.size = static_cast<std::uint8_t>(id.size());
  std::memcpy(key.bytes.data(), id.data(), id.size());
  return key;
}

// Ids are random: any eight of their bytes will do. A client may make up ids, but only ids that we
// made are ever inserted.
struct KeyHash {
  std::size_t operator()(Key const& key) const noexcept {
    std::size_t hash;
    std::memcpy(&hash, key.bytes.data() + 8, sizeof(hash));
    return hash;
  }
};

struct Entry {
  Key key;
  SSL_SESSION* session;
  std::size_t bytes;
  UnixSeconds expires;
};

}  // namespace

struct alignas(64) SessionStore::Shard {
  std::mutex mutex;
  std::size_t max_sessions = 0;
  std::size_t max_bytes = 0;
  std::size_t bytes = 0;
  std::list<Entry> entries;  // most recently used first
  std::unordered_map<Key, std::list<Entry>::iterator, KeyHash> map;
  SessionStoreCounts counts;

  // Unlinks; the caller frees the session when the lock is gone.
  SSL_SESSION* take(std::list<Entry>::iterator at) {
    auto* const session = at->session;
    bytes -= at->bytes;
    map.erase(at->key);
    entries.erase(at);
    return session;
  }
};

SessionStore::SessionStore(SessionStoreLimits limits)
    : limits_(limits), shards_(std::make_unique<Shard[]>(shard_count)) {
  bool const whole = limits.sessions < shard_count * min_sessions_per_shard ||
                     limits.bytes < shard_count * min_bytes_per_shard;
  for (std::size_t i = 0; i < shard_count; ++i) {
    shards_[i].max_sessions = whole ? limits.sessions : limits.sessions / shard_count;
    shards_[i].max_bytes = whole ? limits.bytes : limits.bytes / shard_count;
    if (whole) break;
  }
}

SessionStore::~SessionStore() { clear(); }

SessionStore::Shard& SessionStore::shard_of(Id id) const {
  bool const whole = shards_[1].max_sessions == 0;
  return shards_[whole ? 0 : id[0] % shard_count];
}

bool SessionStore::insert(Id id, ssl_session_st* session, std::size_t bytes, UnixSeconds expires) {
  if (id.empty() || id.size() > 32) return false;
  auto& shard = shard_of(id);
  if (shard.max_sessions == 0 || bytes > shard.max_bytes) return false;
  std::vector<SSL_SESSION*> dropped;
  {
    auto const key = key_of(id);
    std::lock_guard const lock(shard.mutex);
    if (auto const at = shard.map.find(key); at != shard.map.end()) {
      dropped.push_back(shard.take(at->second));
    }
    shard.entries.push_front(Entry{key, session, bytes, expires});
    shard.map.emplace(key, shard.entries.begin());
    shard.bytes += bytes;
    ++shard.counts.inserted;
    while (shard.map.size() > shard.max_sessions || shard.bytes > shard.max_bytes) {
      dropped.push_back(shard.take(std::prev(shard.entries.end())));
      ++shard.counts.evicted;
    }
  }
  for (auto* const old : dropped) SSL_SESSION_free(old);
  return true;
}

ssl_session_st* SessionStore::find(Id id, UnixSeconds now) {
  if (id.empty() || id.size() > 32) return nullptr;
  auto& shard = shard_of(id);
  SSL_SESSION* expired = nullptr;
  SSL_SESSION* found = nullptr;
  {
    auto const key = key_of(id);
    std::lock_guard const lock(shard.mutex);
    auto const at = shard.map.find(key);
    if (at == shard.map.end()) {
      ++shard.counts.missed;
    } else if (at->second->expires < now) {
      ++shard.counts.expired;
      expired = shard.take(at->second);
    } else {
      ++shard.counts.found;
      found = at->second->session;
      SSL_SESSION_up_ref(found);
      shard.entries.splice(shard.entries.begin(), shard.entries, at->second);
    }
  }
  if (expired != nullptr) SSL_SESSION_free(expired);
  return found;
}

void SessionStore::erase(Id id) {
  if (id.empty() || id.size() > 32) return;
  auto& shard = shard_of(id);
  SSL_SESSION* session = nullptr;
  {
    std::lock_guard const lock(shard.mutex);
    if (auto const at = shard.map.find(key_of(id)); at != shard.map.end()) {
      session = shard.take(at->second);
    }
  }
  if (session != nullptr) SSL_SESSION_free(session);
}

void SessionStore::clear() {
  for (std::size_t i = 0; i < shard_count; ++i) {
    std::list<Entry> entries;
    {
      std::lock_guard const lock(shards_[i].mutex);
      entries.swap(shards_[i].entries);
      shards_[i].map.clear();
      shards_[i].bytes = 0;
    }
    for (auto const& entry : entries) SSL_SESSION_free(entry.session);
  }
}

std::size_t SessionStore::size() const {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < shard_count; ++i) {
    std::lock_guard const lock(shards_[i].mutex);
    sum += shards_[i].map.size();
  }
  return sum;
}

std::size_t SessionStore::bytes() const {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < shard_count; ++i) {
    std::lock_guard const lock(shards_[i].mutex);
    sum += shards_[i].bytes;
  }
  return sum;
}

SessionStoreCounts SessionStore::counts() const {
  SessionStoreCounts sum;
  for (std::size_t i = 0; i < shard_count; ++i) {
    std::lock_guard const lock(shards_[i].mutex);
    auto const& counts = shards_[i].counts;
    sum.inserted += counts.inserted;
    sum.found += counts.found;
    sum.missed += counts.missed;
    sum.expired += counts.expired;
    sum.evicted += counts.evicted;
  }
  return sum;
}

}  // namespace certgate::tls
