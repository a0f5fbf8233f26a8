#include "certgate/tls/server_stream.hpp"

#include "server_callbacks.hpp"
#include "session_note.hpp"

namespace certgate::tls {
namespace {

// What OpenSSL's last error says about whose fault it is.
HandshakeFault fault_of(int reason, bool saw_hello) {
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
      return HandshakeFault::plain_http;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_INAPPROPRIATE_FALLBACK:
      return HandshakeFault::version;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
      return HandshakeFault::no_shared_cipher;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return HandshakeFault::no_certificate;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return HandshakeFault::certificate_rejected;
    case SSL_R_EXCESSIVE_MESSAGE_SIZE:
      return saw_hello ? HandshakeFault::certificate_limits : HandshakeFault::not_tls;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return HandshakeFault::closed;
    default:
      return saw_hello ? HandshakeFault::protocol : HandshakeFault::not_tls;
  }
}

std::chrono::microseconds since(std::int64_t began) {
  if (began == 0) return std::chrono::microseconds{0};
  return std::chrono::microseconds{(net::Loop::nanoseconds() - began) / 1000};
}

}  // namespace

ServerStream::Handshake::Handshake(ServerStream& its_stream, Admission& admission)
    : stream(its_stream), waiter(admission) {
  stream.handshake_ = this;
}

void ServerStream::Handshake::blame(HandshakeFault what, std::string words) {
  if (fault) return;
  fault = what;
  detail = std::move(words);
}

void ServerStream::Handshake::on_expired() {
  expired = true;
  waiter.cancel();
  stream.socket().cancel();
}

ServerStream::ServerStream(net::Loop& loop, int fd, ServerContext& context)
    : TlsStream(loop, fd, OnTruncation::is_end), context_(context) {}

ServerStream::~ServerStream() = default;

net::Task<HandshakeResult> ServerStream::handshake(net::DeadlineList& limit) {
  Handshake state(*this, context_.admission());
  state.arm(limit);
  // Neither memory nor a place is spent on a client that has not said anything yet.
  auto ready = co_await socket().readable();
  state.began = net::Loop::nanoseconds();
  auto granted = false;
  if (ready == net::Ready::ready) {
    auto& place = state.waiter.wait(Admission::Lane::place);
    granted = co_await place;
  }
  if (granted) {
    auto& turn = state.waiter.wait(Admission::Lane::begun);
    granted = co_await turn;
  }
  auto next = granted && begin() ? step() : Step::failed;
  while (next == Step::want_read || next == Step::want_turn) {
    if (state.expired) break;
    if (next == Step::want_turn) {
      auto& turn = state.waiter.wait(Admission::Lane::fresh);
      granted = co_await turn;
      if (!granted) break;
      state.may_compute = true;
    } else if (has_unsent()) {
      ready = co_await socket().writable();
      if (ready == net::Ready::cancelled) break;
      if (flush() == net::IoStatus::failed) break;
      continue;
    } else {
      ready = co_await socket().readable();
      if (ready == net::Ready::cancelled) break;
      if (!session_.resumed) {
        auto& turn = state.waiter.wait(Admission::Lane::begun);
        granted = co_await turn;
        if (!granted) break;
      }
    }
    next = step();
  }
  while (next == Step::done && has_unsent()) {
    ready = co_await socket().writable();
    if (ready == net::Ready::cancelled || flush() == net::IoStatus::failed) next = Step::failed;
  }
  if (next != Step::done) co_return fail(failure());
  conclude();
  co_return HandshakeResult{};
}

bool ServerStream::begin() {
  if (!attach(SSL_new(context_.any_context()))) {
    handshake_->blame(HandshakeFault::internal, "no memory for a TLS connection");
    return false;
  }
  SSL_set_accept_state(ssl());
  return true;
}

ServerStream::Step ServerStream::step() {
  auto& state = *handshake_;
  auto const began = net::Loop::nanoseconds();
  ERR_clear_error();
  int const result = SSL_do_handshake(ssl());
  context_.admission().charge(net::Loop::nanoseconds() - began);
  state.may_compute = false;
  if (result == 1) return sent(Step::done);
  session_.resumed = SSL_session_reused(ssl()) == 1;
  if (SSL_get_error(ssl(), result) == SSL_ERROR_WANT_X509_LOOKUP) return Step::want_turn;
  auto const error = ERR_peek_last_error();
  auto const status = status_of(result);
  if (status == net::IoStatus::want_read || status == net::IoStatus::want_write) {
    return sent(Step::want_read);
  }
  if (state.alert_received >= 0) {
    state.blame(HandshakeFault::alert, "the client sent the alert " +
                                           std::string(alert_name(state.alert_received)));
  } else if (saw_end() || error == 0) {
    auto const words = TlsStream::error();
    state.blame(HandshakeFault::closed,
                saw_end() || words.empty() ? "the client closed the connection" : std::string(words));
  } else {
    state.blame(fault_of(ERR_GET_REASON(error), state.saw_hello), std::string(TlsStream::error()));
  }
  return Step::failed;
}

// `next`, once what the handshake wrote is on its way.
ServerStream::Step ServerStream::sent(Step next) {
  if (send_output() != net::IoStatus::failed) return next;
  handshake_->blame(HandshakeFault::closed, std::string(TlsStream::error()));
  return Step::failed;
}

void ServerStream::conclude() {
  auto* const s = ssl();
  session_.version = SSL_get_version(s);
  session_.cipher = SSL_get_cipher_name(s);
  unsigned char const* protocol = nullptr;
  unsigned protocol_size = 0;
  SSL_get0_alpn_selected(s, &protocol, &protocol_size);
  // OpenSSL's copy may go; the profile's list has the same bytes and is kept by `host`.
  for (auto const& known : session_.host->profile().options().alpn) {
    if (known == std::string_view(reinterpret_cast<char const*>(protocol), protocol_size)) {
      session_.protocol = known;
    }
  }
  session_.resumed = SSL_session_reused(s) == 1;
  if (session_.resumed) {
    auto const note = note_of(SSL_get_session(s));
    session_.chain = note ? note->chain : nullptr;
  } else if (auto* const session = SSL_get_session(s); note_of(session) == nullptr) {
    // Nobody else knows this session: see drop_intermediates() in session_callbacks.cpp.
    auto* const presented = SSL_get_peer_cert_chain(s);
    while (sk_X509_num(presented) > 0) X509_free(sk_X509_pop(presented));
  }
  // What only a handshake needs.
  SSL_certs_clear(s);
  SSL_set0_CA_list(s, nullptr);
  session_.host = session_.host->lasting();
  session_.handshake = since(handshake_->began);
  auto& counts = context_.counts();
  ++(session_.resumed ? counts.resumed : counts.full);
}

HandshakeFailure ServerStream::failure() {
  auto& state = *handshake_;
  if (state.expired) {
    state.fault.reset();
    state.blame(HandshakeFault::timed_out, "the handshake took too long");
  }
  state.blame(HandshakeFault::cancelled, "the connection was given up");
  HandshakeFailure out;
  out.fault = *state.fault;
  out.detail = std::move(state.detail);
  out.alert_sent = state.alert_sent;
  out.alert_received = state.alert_received;
  out.chain = session_.chain;
  out.verify_reason = state.verify_reason;
  out.server_name = session_.server_name;
  if (ssl() != nullptr && (SSL_get_current_cipher(ssl()) || SSL_get_pending_cipher(ssl()))) {
    out.version = SSL_get_version(ssl());
  }
  out.duration = since(state.began);
  auto& counts = context_.counts();
  ++counts.failed;
  ++counts.faults[static_cast<std::size_t>(out.fault)];
  return out;
}

}  // namespace certgate::tls
