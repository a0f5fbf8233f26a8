#include "certgate/proxy/connection_tally.hpp"

#include <algorithm>
#include <map>
#include <mutex>

namespace certgate::proxy {

struct ConnectionTally::Client {
  Shard* shard = nullptr;
  Key key{};
  std::size_t connections = 0;
};

struct alignas(64) ConnectionTally::Shard {
  mutable std::mutex mutex;
  std::map<Key, Client> clients;  // its nodes stay where they are: a Place points to one
};

ConnectionTally::Key ConnectionTally::key_of(IpAddress const& address) {
  Key key{};
  auto const plain = address.unmapped();
  auto const& bytes = plain.bytes();
  auto const used = plain.is_v4() ? 4 : 8;
  std::copy_n(bytes.begin(), used, key.begin());
  key.back() = plain.is_v4() ? 4 : 6;
  return key;
}

ConnectionTally::ConnectionTally() : shards_(std::make_unique<Shard[]>(shard_count)) {}
ConnectionTally::~ConnectionTally() = default;

std::optional<ConnectionTally::Place> ConnectionTally::take(Key const& key) {
  auto const most = limit();
  if (most == 0) return Place();
  std::size_t mixed = 0;
  for (auto const byte : key) mixed = mixed * 31 + byte;
  auto& shard = shards_[mixed % shard_count];
  std::lock_guard const lock(shard.mutex);
  auto& client = shard.clients[key];
  if (client.connections >= most) return std::nullopt;
  if (client.connections == 0) {  // else a Place may be reading these, without the lock
    client.shard = &shard;
    client.key = key;
  }
  ++client.connections;
  return Place(client);
}

void ConnectionTally::Place::give_back(Client& client) {
  auto& shard = *client.shard;
  std::lock_guard const lock(shard.mutex);
  if (--client.connections > 0) return;
  auto const found = shard.clients.find(client.key);
  shard.clients.erase(found);
}

std::size_t ConnectionTally::clients() const {
  std::size_t count = 0;
  for (std::size_t i = 0; i < shard_count; ++i) {
    std::lock_guard const lock(shards_[i].mutex);
    count += shards_[i].clients.size();
  }
  return count;
}

}  // namespace certgate::proxy
