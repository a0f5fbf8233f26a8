// What a Builder remembers between builds.
#pragma once

#include "build_origins.hpp"
#include "certgate/gateway/build.hpp"
#include "crl_store.hpp"
#include "materials.hpp"

namespace certgate::gateway {

struct Builder::Inside {
  std::shared_ptr<CrlStore const> fetched;  // never null
  net::Lookup lookup;
  tls::ServerIdentities identities;
  MaterialCache kept, working;
  OriginsInUse origins_kept, origins_working;
};

}  // namespace certgate::gateway
