// Origins of a Config as the data path uses them: names resolved, TLS contexts made.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "certgate/net/resolve.hpp"
#include "certgate/upstream/origin.hpp"
#include "materials.hpp"

namespace certgate::gateway {

// An origin and what it was made from, addresses of names aside: an equal one keeps the servers that
// stay, with their health and their open connections.
struct OriginInUse {
  std::string made_from;
  std::shared_ptr<upstream::Origin> origin;
};
using OriginsInUse = std::map<std::string, OriginInUse>;  // by name

// In the order of config.origins. Mistakes go to `diagnostics`; the result is then incomplete.
std::vector<std::shared_ptr<upstream::Origin>> build_origins(config::Config const& config,
                                                             net::Lookup const& lookup,
                                                             Materials& materials,
                                                             OriginsInUse const& before,
                                                             OriginsInUse& now,
                                                             Diagnostics& diagnostics);

}  // namespace certgate::gateway
