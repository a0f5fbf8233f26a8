// Origins of a Config as the data path uses them: names resolved, TLS contexts made.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "certgate/upstream/origin.hpp"
#include "materials.hpp"

namespace certgate::gateway {

// An origin and what it was made from: an equal one keeps its health and its open connections.
struct OriginInUse {
  std::string made_from;
  std::shared_ptr<upstream::Origin> origin;
};
using OriginsInUse = std::map<std::string, OriginInUse>;  // by name

// In the order of config.origins. Mistakes go to `diagnostics`; the result is then incomplete.
std::vector<std::shared_ptr<upstream::Origin>> build_origins(config::Config const& config,
                                                             Materials& materials,
                                                             OriginsInUse const& before,
                                                             OriginsInUse& now,
                                                             Diagnostics& diagnostics);

}  // namespace certgate::gateway
