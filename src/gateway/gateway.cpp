#include "certgate/gateway/gateway.hpp"

#include "inside.hpp"

namespace certgate::gateway {

Gateway::Gateway(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
Gateway::~Gateway() = default;

Result<std::unique_ptr<Gateway>, Diagnostics> Gateway::start(GatewayOptions options) {
  auto inside = std::make_unique<Inside>(std::move(options));
  if (auto started = inside->start(); !started) return fail(std::move(started.error()));
  return std::unique_ptr<Gateway>(new Gateway(std::move(inside)));
}

Result<Receipt, Diagnostics> Gateway::reload() { return inside_->reload_now(); }
void Gateway::drain() { inside_->drain(); }

void Gateway::reload_soon(std::function<void(Result<Receipt, Diagnostics> const&)> done) {
  inside_->reload_soon(std::move(done));
}
Result<void> Gateway::reopen_logs() { return inside_->reopen_logs(); }

std::vector<IpEndpoint> Gateway::endpoints() const {
  std::lock_guard const lock(inside_->mutex);
  std::vector<IpEndpoint> endpoints;
  for (auto const& listener : inside_->listeners) endpoints.push_back(listener.settings->endpoint);
  return endpoints;
}

std::string Gateway::status_json() const { return inside_->status(); }
std::string Gateway::metrics_text() const { return inside_->metrics(); }
bool Gateway::is_ready() const { return inside_->ready(); }

}  // namespace certgate::gateway
