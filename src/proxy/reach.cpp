// Finds a server for the request and a connection to it, and says why when there is none.
#include "certgate/telemetry/log.hpp"
#include "exchange_state.hpp"

namespace certgate::proxy {

// A connection to a server that takes the request, kept or new. False when there is none.
net::Task<bool> Exchange::reach_server(upstream::Pool& pool, upstream::Server const* avoid) {
  auto const server_count = pool.origin().servers().size();
  for (std::size_t tries = 0; tries < server_count; ++tries) {
    server_ = pool.choose(avoid);
    if (server_ == nullptr) co_return false;
    ++attempts_;
    connect_fault_.reset();
    if (!fresh_only_) {
      upstream_ = pool.take_idle(*server_);
      if (upstream_ != nullptr) co_return true;
    }
    watch_client();
    if (client_left_) co_return false;
    auto const began = net::Loop::nanoseconds();
    auto const at_most = generation_->shared->timeouts.origin_connect;
    upstream_ = pool.make(*server_);
    auto& connection = *upstream_;
    connection_.upstream_socket = &connection.stream().socket();
    auto connected = co_await pool.connect(connection, at_most);
    connect_time_ = time_since(began);
    if (connected && !client_left_) co_return true;
    connection_.upstream_socket = nullptr;
    upstream_ = nullptr;
    if (client_left_ || connection_.is_interrupted()) co_return false;
    note_unreachable(std::move(connected.error()));
    server_->request_failed(pool.origin().settings().health, net::Loop::coarse_milliseconds());
    // Nothing was sent, so another server may have it whatever the method.
    avoid = server_;
  }
  co_return false;
}

// For the access record, and for whoever looks after the origin.
void Exchange::note_unreachable(upstream::ConnectFailure&& failure) {
  connect_fault_ = failure.fault;
  failure_detail_ = std::move(failure.detail);
  static telemetry::LogLimit limit;
  telemetry::process_log().warning(limit, "origin server cannot be reached",
                                   {{"origin", pool_->origin().settings().name},
                                    {"server", server_->settings().label},
                                    {"reason", failure_detail_}});
}

std::pair<int, FailureToken> Exchange::upstream_failure() const {
  if (connection_.is_interrupted()) return {503, "shutting_down"};
  switch (upload_result_.status) {
    case TransferStatus::source_too_slow: return {408, "body_timeout"};
    case TransferStatus::source_too_large: return {413, "body_too_large"};
    case TransferStatus::source_failed:
      return {400, upload_result_.reason.empty() ? "client_closed" : upload_result_.reason};
    case TransferStatus::sink_too_slow: return {504, "origin_timeout"};
    default: break;
  }
  if (server_ == nullptr) return {503, "no_server"};
  if (connect_fault_) {
    switch (*connect_fault_) {
      case upstream::ConnectFault::refused: return {502, "origin_refused"};
      case upstream::ConnectFault::unreachable: return {502, "origin_unreachable"};
      case upstream::ConnectFault::timed_out: return {504, "origin_connect_timeout"};
      case upstream::ConnectFault::certificate: return {502, "origin_certificate_rejected"};
      case upstream::ConnectFault::tls: return {502, "origin_tls_failed"};
    }
  }
  if (response_deadline_.expired()) return {504, "origin_timeout"};
  if (refused_.status == 502) return {502, refused_.reason};
  return {502, response_any_bytes_ ? "origin_response_truncated" : "origin_closed"};
}

}  // namespace certgate::proxy
