#include "certgate/gateway/kept_state.hpp"

#include "deny_book.hpp"

namespace certgate::gateway {

Result<KeptState> load_kept_state(config::Config const& config, Clock const& clock) {
  KeptState state;
  auto const& directory = config.state_directory.resolved;
  if (directory.empty()) return state;
  CERTGATE_TRY(state.deny_list, DenyBook::read(directory, clock.unix_seconds()));
  return state;
}

}  // namespace certgate::gateway
