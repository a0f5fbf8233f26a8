// The servers behind one name: which of them takes the next request, and which is left alone.
//
// Shared by all workers and, when its settings do not change, by Generations: what is known of a
// server's health survives a reload. Settings are immutable, health is a handful of atomics; every
// member function may be called from any thread and takes no lock. When a name gets other addresses,
// another Origin takes its place and shares with it the servers that stay.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/net/socket.hpp"
#include "certgate/tls/connector.hpp"

namespace certgate::upstream {

enum class Balance { round_robin, least_connections };

// One server as it was written and resolved.
struct ServerSettings {
  std::string written;       // "http://api.internal:9000"; each of its addresses is a server
  std::string name;          // that the address is one of; "": the address was written
  std::string label;         // for logs and metrics: "http://api.internal:9000 (10.0.0.7)"
  net::SocketAddress address;
  std::string authority;     // its own name: the Host field when the client's is not kept
  std::shared_ptr<tls::ClientContext const> tls;  // null: plain
};

struct HealthSettings {
  std::string path;  // empty: no active checks
  std::string host;  // empty: the server's authority
  std::chrono::milliseconds interval{10'000};
  std::chrono::milliseconds timeout{2'000};
  unsigned healthy_after = 2;
  unsigned unhealthy_after = 3;
  std::vector<int> status;   // empty: 200 to 399
  unsigned eject_after = 3;  // failures of real requests in a row; 0: never
  std::chrono::milliseconds eject_for{10'000};
};

struct OriginSettings {
  std::string name;
  std::vector<ServerSettings> servers;  // at least one
  Balance balance = Balance::round_robin;
  HealthSettings health;
  std::size_t idle_connections = 64;  // kept open per server and worker
  std::chrono::milliseconds idle_timeout{60'000};
  bool preserve_host = true;
  std::chrono::milliseconds resolve_every{0};  // how often names are looked up again; 0: never
};

// "http://api.internal:9000 (10.0.0.7)", or what was written where that is the address.
std::string label_of(ServerSettings const& server);

// A server's health as its traffic and its probes show it.
class Server {
 public:
  explicit Server(ServerSettings settings) : settings_(std::move(settings)) {}

  ServerSettings const& settings() const { return settings_; }
  unsigned in_flight() const { return in_flight_.load(std::memory_order_relaxed); }
  void begin() { in_flight_.fetch_add(1, std::memory_order_relaxed); }
  void end() { in_flight_.fetch_sub(1, std::memory_order_relaxed); }

  // `now` is Loop::coarse_milliseconds().
  bool is_ejected(std::int64_t now) const {
    return ejected_until_.load(std::memory_order_relaxed) > now;
  }
  std::int64_t ejected_until() const { return ejected_until_.load(std::memory_order_relaxed); }
  bool is_probed_down() const { return probed_down_.load(std::memory_order_relaxed); }
  bool is_available(std::int64_t now) const { return !is_probed_down() && !is_ejected(now); }

  void request_succeeded() {
    if (failures_.load(std::memory_order_relaxed) != 0) failures_ = 0;
  }
  // Connection refused, reset or no answer in time. True when this ejected the server.
  bool request_failed(HealthSettings const& health, std::int64_t now);
  // True when the probe changed what is_probed_down() says.
  bool probe_succeeded(HealthSettings const& health);
  bool probe_failed(HealthSettings const& health);

 private:
  ServerSettings settings_;
  std::atomic<unsigned> in_flight_{0};
  std::atomic<unsigned> failures_{0};  // of requests, in a row
  std::atomic<std::int64_t> ejected_until_{0};
  std::atomic<bool> probed_down_{false};
  unsigned probe_streak_ = 0;  // probes in a row that disagree with probed_down_; prober only
};

class Origin {
 public:
  explicit Origin(OriginSettings settings);

  OriginSettings const& settings() const { return settings_; }
  std::vector<std::shared_ptr<Server>> const& servers() const { return servers_; }

  // Those that are looked up, each once.
  std::vector<std::string> names() const;
  std::vector<IpAddress> addresses_of(std::string_view name) const;
  // The origin that has these addresses for `name`, in no particular order: servers whose address
  // stays are shared, with their health. Null when it has them already. REQUIRES: not empty.
  std::shared_ptr<Origin> with_addresses(std::string_view name,
                                         std::vector<IpAddress> const& addresses) const;

  // The server for a request. `cursor` is the caller's (one per worker) and makes round robin turn;
  // `avoid` was tried already and is chosen only when there is no other. Servers that are down are
  // passed over; when all are ejected by their traffic the one that comes back first is tried (it may
  // have recovered), but when probes say that all are down there is none: null.
  Server* choose(unsigned& cursor, Server const* avoid, std::int64_t now) const;

 private:
  Origin(OriginSettings settings, std::vector<std::shared_ptr<Server>> servers)
      : settings_(std::move(settings)), servers_(std::move(servers)) {}

  OriginSettings settings_;  // without `servers`, which know their own
  std::vector<std::shared_ptr<Server>> servers_;
};

}  // namespace certgate::upstream
