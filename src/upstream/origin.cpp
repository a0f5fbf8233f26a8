#include "certgate/upstream/origin.hpp"

#include <algorithm>

namespace certgate::upstream {

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
  for (auto const& server : settings_.servers) servers_.push_back(std::make_unique<Server>(server));
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
