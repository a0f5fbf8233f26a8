#include "certgate/gateway/kept_state.hpp"

#include "crl_store.hpp"
#include "deny_book.hpp"
#include "kept_list.hpp"

namespace certgate::gateway {

Result<KeptState> load_kept_state(config::Config const& config, Clock const& clock) {
  KeptState state;
  auto const& directory = config.state_directory.resolved;
  auto const store = std::make_shared<CrlStore>();
  state.fetched = store;
  if (directory.empty()) return state;
  // One that cannot be used is as good as none: a run would fetch it anew.
  for (auto const& url : wanted_crl_urls(config)) {
    if (auto list = read_kept_list(directory, url)) {
      store->put(url.key, std::make_shared<FetchedList const>(std::move(*list)));
    }
  }
  CERTGATE_TRY(state.deny_list, DenyBook::read(directory, clock.unix_seconds()));
  return state;
}

}  // namespace certgate::gateway
