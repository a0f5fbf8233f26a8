#include "certgate/upstream/origin.hpp"

#include <algorithm>

namespace certgate::upstream {

namespace {

bool has(std::vector<IpAddress> const& addresses, IpAddress const& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

}  // namespace

std::string label_of(ServerSettings const& server) {
  if (server.name.empty()) return server.written;
  return server.written + " (" + server.address.ip.address.to_string() + ")";
}

bool Server::request_failed(HealthSettings const& health, std::int64_t now) {
  if (health.eject_after == 0) return false;
  if (failures_.fetch_add(1, std::memory_order_relaxed) + 1 < health.eject_after) return false;
  failures_ = 0;
  ejected_until_ = now + health.eject_for.count();
  return true;
}

bool Server::probe_succeeded(HealthSettings const& health) {
  if (!is_probed_down()) {
    probe_streak_ = 0;
    return false;
  }
  if (++probe_streak_ < health.healthy_after) return false;
  probe_streak_ = 0;
  probed_down_ = false;
  ejected_until_ = 0;
  return true;
}

bool Server::probe_failed(HealthSettings const& health) {
  if (is_probed_down()) {
    probe_streak_ = 0;
    return false;
  }
  if (++probe_streak_ < health.unhealthy_after) return false;
  probe_streak_ = 0;
  probed_down_ = true;
  return true;
}

Origin::Origin(OriginSettings settings) : settings_(std::move(settings)) {
  servers_.reserve(settings_.servers.size());
  for (auto& server : settings_.servers) servers_.push_back(std::make_shared<Server>(std::move(server)));
  settings_.servers.clear();
}

std::vector<std::string> Origin::names() const {
  std::vector<std::string> names;
  for (auto const& server : servers_) {
    auto const& name = server->settings().name;
    if (name.empty() || std::find(names.begin(), names.end(), name) != names.end()) continue;
    names.push_back(name);
  }
  return names;
}

std::vector<IpAddress> Origin::addresses_of(std::string_view name) const {
  std::vector<IpAddress> addresses;
  for (auto const& server : servers_) {
    if (server->settings().name != name) continue;
    auto const& address = server->settings().address.ip.address;
    if (!has(addresses, address)) addresses.push_back(address);
  }
  return addresses;
}

// Name servers give the same addresses in another order each time, so servers that stay keep their
// places and new ones come behind them.
std::shared_ptr<Origin> Origin::with_addresses(std::string_view name,
                                               std::vector<IpAddress> const& addresses) const {
  if (addresses_of(name).empty()) return nullptr;
  std::vector<std::shared_ptr<Server>> servers;
  bool differs = false;
  for (auto group = servers_.begin(); group != servers_.end();) {
    auto const& first = (*group)->settings();
    auto const end = std::find_if(group, servers_.end(), [&](auto const& server) {
      return server->settings().written != first.written;
    });
    if (first.name != name) {
      servers.insert(servers.end(), group, end);
      group = end;
      continue;
    }
    std::vector<IpAddress> known;
    for (; group != end; ++group) {
      known.push_back((*group)->settings().address.ip.address);
      if (has(addresses, known.back())) {
        servers.push_back(*group);
      } else {
        differs = true;
      }
    }
    for (auto const& address : addresses) {
      if (has(known, address)) continue;
      known.push_back(address);
      auto settings = first;
      settings.address.ip.address = address;
      settings.label = label_of(settings);
      servers.push_back(std::make_shared<Server>(std::move(settings)));
      differs = true;
    }
  }
  if (!differs) return nullptr;
  return std::shared_ptr<Origin>(new Origin(settings_, std::move(servers)));
}

Server* Origin::choose(unsigned& cursor, Server const* avoid, std::int64_t now) const {
  auto const count = servers_.size();
  if (count == 1) return servers_[0]->is_probed_down() ? nullptr : servers_[0].get();

  Server* best = nullptr;
  std::size_t best_at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    auto* const server = servers_[(cursor + i) % count].get();
    if (server == avoid || !server->is_available(now)) continue;
    if (settings_.balance == Balance::round_robin) {
      cursor = static_cast<unsigned>((cursor + i + 1) % count);
      return server;
    }
    if (best == nullptr || server->in_flight() < best->in_flight()) {
      best = server;
      best_at = i;
    }
  }
  if (best != nullptr) {
    // Equal loads take turns: the next search begins behind this one.
    cursor = static_cast<unsigned>((cursor + best_at + 1) % count);
    return best;
  }

  for (auto const& server : servers_) {
    if (server->is_probed_down()) continue;
    bool const better = best == nullptr || best == avoid ||
                        (server.get() != avoid && server->ejected_until() < best->ejected_until());
    if (better) best = server.get();
  }
  return best;
}

}  // namespace certgate::upstream
