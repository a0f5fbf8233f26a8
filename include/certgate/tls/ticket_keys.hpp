// Keys for stateless session tickets: shared by all workers, and by a fleet if it wants to.
//
// New tickets are sealed with the newest key; older ones still open until they are older than
// the longest session. Any thread. Stateful tickets (tls/session_store.hpp) are cheaper and the
// default; these are for fleets whose members must resume each other's sessions.
//
// Units: a key is 80 bytes: 16 of name, 32 for AES-256-CBC, 32 for HMAC-SHA-256 (RFC 5077 §4).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "certgate/base/clock.hpp"
#include "certgate/base/result.hpp"

namespace certgate::tls {

struct TicketKey {
  std::array<std::uint8_t, 16> name{};
  std::array<std::uint8_t, 32> cipher_key{};
  std::array<std::uint8_t, 32> mac_key{};
  UnixSeconds made = 0;
};

class TicketKeys {
 public:
  // `rotation`: how long one key seals; `keep`: how long it opens after that.
  TicketKeys(std::chrono::seconds rotation, std::chrono::seconds keep);
  ~TicketKeys();  // wipes the keys

  // The key to seal with; makes a new one when the newest is older than `rotation`.
  Result<TicketKey> sealing_key(UnixSeconds now);
  struct Opening {
    TicketKey key;
    bool newest = false;  // otherwise the ticket ought to be renewed
  };
  std::optional<Opening> opening_key(std::span<std::uint8_t const, 16> name, UnixSeconds now);
  // From outside (a fleet's shared secret): becomes the newest.
  void add(TicketKey key);

 private:
  std::chrono::seconds rotation_, keep_;
  std::mutex mutex_;
  std::deque<TicketKey> keys_;  // newest first
};

}  // namespace certgate::tls
