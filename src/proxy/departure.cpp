// Notices a client that leaves while its origin is at work, so that the work ends with it.
//
// From the moment the request has been sent on, the client's socket is watched. The watch costs no
// system call of its own: the wait for the connection's next request takes it over. What arrives is
// the next request (it waits its turn behind this one's head), or the end:
//
//   - The end of TCP, with or without close_notify before it: the client has left. A FIN cannot be
//     told from close(), and over TLS it is a truncation: no client that means to go on sends it.
//   - close_notify alone, TLS 1.3: the client has nothing more to say and still reads. RFC 8446
//     §6.1: closing the write side "does not have any effect on its read side".
//   - close_notify alone, TLS 1.2: the client has left. RFC 5246 §7.2.1: the other party "MUST
//     respond with a close_notify alert of its own and close down the connection immediately,
//     discarding any pending writes".
#include <cstring>

#include "exchange_state.hpp"

namespace certgate::proxy {

using net::IoStatus;

void Exchange::watch_client() {
  // What is still to come of the body is read by upload(), which sees an end by itself.
  if (client_left_ || !request_body_.is_complete()) return;
  if (!upload_surplus_.empty()) {
    // Bytes of the next request that came with the body: those that follow belong behind them.
    if (upload_surplus_.size() > block_.size() - received_) return;
    std::memcpy(block_.data() + received_, upload_surplus_.data(), upload_surplus_.size());
    received_ += upload_surplus_.size();
    upload_surplus_.clear();
  }
  auto& socket = client_.socket();
  socket.observe_readable(this);
  if (socket.became_readable()) {
    on_readable();
  } else {
    socket.watch_readable();
  }
}

void Exchange::on_readable() {
  auto& socket = client_.socket();
  if (socket.peer_has_ended()) return client_has_left();
  if (client_finished_) return;  // bytes behind the end are nobody's
  for (;;) {
    auto const room = block_.span().subspan(received_);
    // A next request so long has to wait with the rest of it, and this client is not watched.
    if (room.empty()) return;
    auto const result = client_.try_read(room);
    switch (result.status) {
      case IoStatus::done:
        received_ += result.bytes;
        continue;
      case IoStatus::want_read:
        return socket.watch_readable_again();
      case IoStatus::want_write:
        // It asks for more than it takes (key updates): watching what cannot be read would spin.
        return;
      case IoStatus::closed:
        if (connection_.session().version != "TLSv1.3") return client_has_left();
        client_finished_ = true;
        if (!response_started_) persistence_ = http::Persistence::close;
        return socket.watch_readable_again();
      case IoStatus::failed:
        return client_has_left();
    }
  }
}

void Exchange::client_has_left() {
  client_left_ = true;
  // Whatever waits now ends, and whatever would be written to the client later fails.
  client_.socket().close();
  if (connection_.upstream_socket != nullptr) connection_.upstream_socket->cancel();
}

}  // namespace certgate::proxy
