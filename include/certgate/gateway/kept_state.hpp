// What an earlier run left in the state directory, for commands that judge as a run would.
//
// Reads only: nothing is made, fetched or changed. Errors: a deny list that cannot be used.
#pragma once

#include <memory>

#include "certgate/base/clock.hpp"
#include "certgate/base/result.hpp"
#include "certgate/config/config.hpp"
#include "certgate/x509/deny_list.hpp"

namespace certgate::gateway {

class CrlStore;

struct KeptState {
  x509::DenyList::Pointer deny_list;  // null: none was ever kept
  std::shared_ptr<CrlStore const> fetched;   // for a Builder
};

Result<KeptState> load_kept_state(config::Config const& config, Clock const& clock);

}  // namespace certgate::gateway
