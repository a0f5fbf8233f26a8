// An origin: the servers behind one name and how they are reached.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "certgate/config/address.hpp"
#include "certgate/config/mark.hpp"
#include "certgate/config/quantity.hpp"

namespace certgate::config {

enum class Balance { round_robin, least_connections };

struct OriginTls {
  std::vector<FilePath> ca;          // empty: the system's trust store
  Setting<std::string> server_name;  // empty: the host of the server's URL
  FilePath certificate;              // what the proxy presents; set together with private_key
  FilePath private_key;
  Setting<bool> verify{true};
  friend bool operator==(OriginTls const&, OriginTls const&) = default;
};

// Active checks when `path` is set; passive ejection always.
struct Health {
  Setting<std::string> path;  // empty: no active checks
  Setting<std::string> host;  // empty: the server's own name
  Setting<Duration> interval{std::chrono::seconds{10}};
  Setting<Duration> timeout{std::chrono::seconds{2}};
  Setting<std::uint64_t> healthy_after{2};
  Setting<std::uint64_t> unhealthy_after{3};
  std::vector<Setting<int>> status;       // empty: 200 to 399
  Setting<std::uint64_t> eject_after{3};  // failures in a row; 0: never
  Setting<Duration> eject_for{std::chrono::seconds{10}};
  friend bool operator==(Health const&, Health const&) = default;
};

// Idle connections kept open to each server.
struct KeepAlive {
  Setting<std::uint64_t> connections{64};  // per server and worker; 0: none
  Setting<Duration> idle{std::chrono::seconds{60}};
  friend bool operator==(KeepAlive const&, KeepAlive const&) = default;
};

struct Origin {
  Setting<std::string> name;
  std::vector<Setting<ServerUrl>> servers;  // at least one
  Setting<Balance> balance{Balance::round_robin};
  OriginTls tls;
  Health health;
  KeepAlive keepalive;
  Setting<Duration> resolve_every{std::chrono::seconds{30}};  // 0: only at load
  Setting<bool> preserve_host{true};  // false: Host becomes the server's own name
  Mark mark;
  friend bool operator==(Origin const& a, Origin const& b);  // places do not matter
};

}  // namespace certgate::config
