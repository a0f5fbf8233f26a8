#include "certgate/tls/ticket_keys.hpp"

#include <openssl/rand.h>

#include <algorithm>

#include "openssl.hpp"

namespace certgate::tls {

TicketKeys::TicketKeys(std::chrono::seconds rotation, std::chrono::seconds keep)
    : rotation_(rotation), keep_(keep) {}

TicketKeys::~TicketKeys() {
  for (auto& key : keys_) OPENSSL_cleanse(&key, sizeof(key));
}

Result<TicketKey> TicketKeys::sealing_key(UnixSeconds now) {
  std::lock_guard const lock(mutex_);
  if (!keys_.empty() && now < keys_.front().made + rotation_.count()) return keys_.front();
  TicketKey key;
  key.made = now;
  if (RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) != 1 ||
      RAND_priv_bytes(key.cipher_key.data(), static_cast<int>(key.cipher_key.size())) != 1 ||
      RAND_priv_bytes(key.mac_key.data(), static_cast<int>(key.mac_key.size())) != 1) {
    return fail(openssl_error("cannot make a ticket key"));
  }
  keys_.push_front(key);
  while (keys_.size() > 1 && keys_.back().made + rotation_.count() + keep_.count() < now) {
    OPENSSL_cleanse(&keys_.back(), sizeof(TicketKey));
    keys_.pop_back();
  }
  return key;
}

std::optional<TicketKeys::Opening> TicketKeys::opening_key(std::span<std::uint8_t const, 16> name,
                                                           UnixSeconds now) {
  std::lock_guard const lock(mutex_);
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    auto const& key = keys_[i];
    if (!std::equal(name.begin(), name.end(), key.name.begin())) continue;
    if (key.made + rotation_.count() + keep_.count() < now) return std::nullopt;
    return Opening{key, i == 0};
  }
  return std::nullopt;
}

void TicketKeys::add(TicketKey key) {
  std::lock_guard const lock(mutex_);
  keys_.push_front(key);
}

}  // namespace certgate::tls
