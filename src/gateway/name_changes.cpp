// Follows the names of origins: what changed is in force without a reload.
#include "name_changes.hpp"

#include <algorithm>

#include "inside.hpp"

namespace certgate::gateway {

std::string join_addresses(std::vector<IpAddress> const& addresses) {
  std::string text;
  for (auto const& address : addresses) {
    if (!text.empty()) text += ", ";
    text += address.to_string();
  }
  return text;
}

std::vector<std::string> address_changes(upstream::Origin const& before,
                                         upstream::Origin const& now) {
  std::vector<std::string> changes;
  for (auto const& name : now.names()) {
    auto const was = before.addresses_of(name);
    auto const is = now.addresses_of(name);
    if (was.empty() || std::is_permutation(was.begin(), was.end(), is.begin(), is.end())) continue;
    changes.push_back("origin " + now.settings().name + ": " + name + " from " +
                      join_addresses(was) + " to " + join_addresses(is));
  }
  return changes;
}

void Gateway::Inside::watch_names() {
  names = std::make_unique<upstream::NameWatch>(
      background, background_deadlines, options.lookup,
      [this](upstream::NameNews const& news) { note_name(news); });
  names->watch(current.generation->origins);
}

// On the background thread, which waits for no lock.
void Gateway::Inside::note_name(upstream::NameNews const& news) {
  auto const now = join_addresses(news.addresses);
  switch (news.kind) {
    case upstream::NameNews::Kind::failed:
      return log.warning("the name of an origin server cannot be resolved; its addresses stay",
                         {{"name", news.name}, {"reason", news.reason}, {"addresses", now}});
    case upstream::NameNews::Kind::well_again:
      return log.info("the name of an origin server is resolved again",
                      {{"name", news.name}, {"addresses", now}});
    case upstream::NameNews::Kind::changed: break;
  }
  reloads.post([this, name = news.name, addresses = news.addresses] {
    follow_name(name, addresses);
  });
}

void Gateway::Inside::follow_name(std::string const& name, std::vector<IpAddress> const& addresses) {
  std::lock_guard const no_build(building);
  auto const began = std::chrono::steady_clock::now();
  std::lock_guard const no_change(changing);
  if (draining) return;
  auto next = std::make_shared<proxy::Generation>(*current.generation);
  ++next->number;
  Receipt receipt;
  receipt.version = next->number;
  for (auto& origin : next->origins) {
    if (origin->settings().resolve_every.count() == 0) continue;
    auto moved = origin->with_addresses(name, addresses);
    if (moved == nullptr) continue;  // a reload was quicker
    for (auto& change : address_changes(*origin, *moved)) receipt.changes.push_back(std::move(change));
    origin = std::move(moved);
  }
  if (receipt.changes.empty()) return;
  auto const origins = next->origins;
  builder.keep(origins);
  if (auto const done = put_in_force(std::move(next)); !done) log.error(done.error().detail);
  background.post([this, origins] {
    health->watch(origins);
    names->watch(origins);
  });
  ++names_followed;
  receipt.took = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - began);
  log.info("origin addresses followed: " + receipt.to_string(), {{"version", receipt.version}});
}

}  // namespace certgate::gateway
