#include "tunnel.hpp"

#include <algorithm>

#include "exchange_state.hpp"

namespace certgate::proxy {

using net::IoStatus;
using net::Ready;

Tunnel::Tunnel(Workspace& workspace, Exchange& exchange, net::Stream& client,
               net::Stream& upstream, net::DeadlineList& patience)
    : workspace_(workspace),
      exchange_(exchange),
      client_(client),
      upstream_(upstream),
      patience_(patience) {
  workspace_.tunnels.push_back(this);
  workspace_.watch_tunnels();
}

Tunnel::~Tunnel() { std::erase(workspace_.tunnels, this); }

void Tunnel::cut(std::string_view reason) {
  if (failure_.empty()) failure_ = reason;
  client_.socket().cancel();
  upstream_.socket().cancel();
}

void Tunnel::review(UnixSeconds now, bool everything_changed) {
  if (!everything_changed && now <= exchange_.verdict_holds_until()) return;
  if (!exchange_.is_still_allowed()) cut("client_no_longer_allowed");
}

net::Task<void> Tunnel::run(std::string_view early) {
  arm(patience_);
  net::start(carry_back());
  if (!early.empty()) {
    to_upstream_ += early.size();
    auto const sent = co_await drain_into(upstream_, early);
    if (!sent) cut("tunnel_failed");
  }
  auto const ended = co_await carry(client_, upstream_, to_upstream_);
  if (!ended) cut("tunnel_failed");
  co_await back_done_;
  disarm();
}

net::Task<void> Tunnel::carry_back() {
  auto const ended = co_await carry(upstream_, client_, to_client_);
  // Once the origin has ended, a client of WebSocket has nothing more to say that anybody hears.
  cut(ended ? "" : "tunnel_failed");
  back_done_.set();
}

net::Task<bool> Tunnel::drain_into(net::Stream& to, std::string_view bytes) {
  auto const view = std::span<char const>(bytes.data(), bytes.size());
  auto const status = co_await net::write_all(to, view);
  co_return status == IoStatus::done;
}

// True when `from` ended in order and `to` was told.
net::Task<bool> Tunnel::carry(net::Stream& from, net::Stream& to, std::uint64_t& count) {
  std::string unsent;
  int rounds = 0;
  for (;;) {
    if (!failure_.empty()) co_return false;
    auto const room = workspace_.transfer.payload(TransferBuffer::careful_bytes);
    auto const result = from.try_read(room);
    if (result.status == IoStatus::done) {
      count += result.bytes;
      arm(patience_);
      std::string_view rest;
      bool failed = false;
      bool const sent = send_now(to, {room.data(), result.bytes}, rest, failed);
      if (failed) co_return false;
      if (!sent) {
        unsent.assign(rest);
        auto const view = std::string_view(unsent);
        auto const drained = co_await drain_into(to, view);
        if (!drained) co_return false;
      } else if (++rounds % 16 == 0) {
        auto const ready = co_await to.socket().writable();
        if (ready == Ready::cancelled) co_return false;
      }
      continue;
    }
    if (result.status == IoStatus::closed) {
      to.finish();
      to.flush();
      co_return true;
    }
    if (result.status == IoStatus::failed) co_return false;
    auto const what = result.status;
    auto const ready = co_await net::wait_for(from, what);
    if (ready == Ready::cancelled) co_return false;
  }
}

net::Task<void> Exchange::tunnel() {
  Tunnel tunnel(workspace_, *this, client_, upstream_->stream(), *generation_->tunnel);
  // The rules may have changed while the origin made up its mind.
  if (workspace_.current != generation_) {
    auto const now = workspace_.now();
    tunnel.review(now, true);
  }
  // What the client sent behind its handshake, not waiting for the 101, is the tunnel's.
  auto const early = std::string_view(block_.data(), received_).substr(used_);
  if (tunnel.failure().empty()) co_await tunnel.run(early);
  bytes_out_ += tunnel.to_client();
  upload_count_.payload += tunnel.to_upstream();
  if (tunnel.failure() != "tunnel_failed") failure_ = tunnel.failure();
  release_upstream(false);
  after_ = AfterExchange::close;
}

}  // namespace certgate::proxy
