// How many connections each client has open, counted by all workers together.
//
// A client is a key: its address, or its certificate. Nothing is counted while there is no limit.
// Any thread may call anything; a mutex is held for one look-up when a connection begins and one
// when it ends, and shared only by the keys of one shard. The look-up is in a sorted tree: clients
// who choose their addresses cannot make it slow.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "certgate/base/ip.hpp"
#include "certgate/x509/digest.hpp"

namespace certgate::proxy {

class ConnectionTally {
 public:
  using Key = std::array<std::uint8_t, 32>;
  // An IPv4 address, mapped into IPv6 or not; of an IPv6 address the /64, which one client has.
  static Key key_of(IpAddress const& address);
  static Key key_of(x509::Digest const& fingerprint) { return fingerprint.bytes; }

 private:
  struct Shard;
  struct Client;

 public:
  // One counted connection, or none; it is uncounted when this ends. The size of a pointer.
  // REQUIRES: the tally outlives it.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept : client_(std::exchange(other.client_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(client_, other.client_);
      return *this;
    }
    ~Place() {
      if (client_ != nullptr) give_back(*client_);
    }
    bool is_counted() const { return client_ != nullptr; }

   private:
    friend ConnectionTally;
    explicit Place(Client& client) : client_(&client) {}
    static void give_back(Client& client);
    Client* client_ = nullptr;
  };

  ConnectionTally();
  ~ConnectionTally();

  // Connections of one key at once; 0: no limit. Holds for what is taken from now on: connections
  // that were not counted when they began never are.
  void set_limit(std::size_t limit) { limit_.store(limit, std::memory_order_relaxed); }
  std::size_t limit() const { return limit_.load(std::memory_order_relaxed); }
  // For one more connection. nullopt: the key has as many as it may. Not counted: no limit.
  std::optional<Place> take(Key const& key);
  // Keys that have a connection.
  std::size_t clients() const;

 private:
  static constexpr std::size_t shard_count = 64;
  std::atomic<std::size_t> limit_{0};
  std::unique_ptr<Shard[]> shards_;
};

}  // namespace certgate::proxy
