// Loads everything that a run would load, and serves nothing.
#include "certgate/gateway/gateway.hpp"
#include "certgate/gateway/kept_state.hpp"
#include "settings.hpp"

namespace certgate::gateway {

Result<Checked, Diagnostics> check(std::string const& config_path, UnixSeconds at) {
  auto loaded = load_config(config_path, at);
  if (!loaded) return fail(std::move(loaded.error()));
  Checked checked{std::move(*loaded), {}};
  telemetry::MetricRegistry metrics(1);
  auto const kept = load_kept_state(checked.config, SystemClock{});
  if (!kept) return fail(one(checked.config.state_directory.mark.diagnostic(kept.error().detail)));
  Builder builder(kept->fetched);
  auto built = builder.build(checked.config, 1, at, metrics, kept->deny_list);
  auto mistakes = look_at_logs(checked.config.log);
  if (!built) mistakes.add_all(built.error());
  mistakes.sort();
  if (mistakes.has_errors()) return fail(std::move(mistakes));
  checked.built = std::move(*built);
  return checked;
}

}  // namespace certgate::gateway
