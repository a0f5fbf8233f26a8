// Reads the lists of a running configuration again, and nothing else.
#include <algorithm>

#include "builder_state.hpp"
#include "certgate/gateway/build.hpp"
#include "materials.hpp"

namespace certgate::gateway {
namespace {

std::string plural(std::size_t count, char const* what) {
  return std::to_string(count) + " " + what;
}

}  // namespace

// One set of lists is looked at once, however many hosts use it. A set that is wrong stays as it
// was; the others are renewed all the same.
Refreshed Builder::refresh(config::Config const& config, proxy::Generation const& running,
                           std::vector<Expiry> const& expiries, UnixSeconds at) {
  Refreshed result;
  result.revocations = running.revocations;
  for (auto const& expiry : expiries) {
    if (expiry.kind != Expiry::Kind::crl) result.expiries.push_back(expiry);
  }
  for (std::size_t set = 0; set < running.revocations.size(); ++set) {
    auto const site =
        std::find_if(running.sites.begin(), running.sites.end(),
                     [set](auto const& candidate) { return candidate->revocations == set; });
    if (site == running.sites.end()) continue;
    // Sites stand in the order of the configuration's hosts.
    auto const& auth = config.hosts[static_cast<std::size_t>(site - running.sites.begin())].client_auth;
    auto const& name = (*site)->name;
    auto const& anchors = (*site)->tls->client().trust->anchors();
    Diagnostics diagnostics;
    std::vector<Expiry> ends;
    Materials materials(inside_->kept, inside_->identities, diagnostics, ends, at);
    auto const fetched = inside_->fetched->lists(crl_urls_of(auth, anchors, name));
    auto const renewed = materials.revocations(auth, anchors, fetched, name);
    if (!renewed) {
      for (auto const& expiry : expiries) {
        if (expiry.kind == Expiry::Kind::crl && expiry.used_by == name) {
          result.expiries.push_back(expiry);
        }
      }
      for (auto const& diagnostic : diagnostics) {
        if (diagnostic.severity == Severity::error) result.problems.add(diagnostic);
      }
      continue;
    }
    for (auto& end : ends) result.expiries.push_back(std::move(end));
    for (auto const& diagnostic : diagnostics) result.warnings.add(diagnostic);
    if (result.revocations[set] == renewed->index) continue;
    auto const before = result.revocations[set]->entry_count();
    result.changes.push_back("host " + name + ": " +
                             plural(renewed->index->entry_count(), "revoked, ") +
                             plural(before, "before"));
    result.revocations[set] = renewed->index;
  }
  return result;
}

}  // namespace certgate::gateway
