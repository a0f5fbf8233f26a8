#include "connection.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "access.hpp"
#include "certgate/telemetry/log.hpp"
#include "exchange.hpp"
#include "proxy_header.hpp"

namespace certgate::proxy {

using net::IoStatus;
using net::Ready;

namespace {

// After an answer that leaves request bytes unread, or an alert, closing at once would reset the
// connection and could destroy what was sent before the client has read it: RFC 9112 §9.6 asks to
// keep reading for a while after closing our side. Many clients send the whole of a body before they
// read anything, so what counts is that they go on.
constexpr std::chrono::milliseconds linger_silence{2'000};
constexpr std::chrono::milliseconds linger_time{30'000};  // in all

// For people who forget the s. Nothing of the request is looked at.
constexpr std::string_view plain_http_answer =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 36\r\n"
    "Connection: close\r\n\r\nThis port speaks TLS: use https://.\n";

}  // namespace

bool take_open_place(ConnectionCount& count) {
  auto open = count.open.load(std::memory_order_relaxed);
  do {
    if (open >= count.limit.load(std::memory_order_relaxed)) return false;
  } while (!count.open.compare_exchange_weak(open, open + 1, std::memory_order_relaxed));
  return true;
}

std::optional<ConnectionTally::Place> take_address_place(ConnectionCount& count,
                                                         IpAddress const& address) {
  auto place = count.by_address.take(ConnectionTally::key_of(address));
  if (place) return place;
  count.refused_by_address.fetch_add(1, std::memory_order_relaxed);
  static telemetry::LogLimit log_limit;
  telemetry::process_log().warning(
      log_limit, "connection closed at once: its address has as many as it may",
      {{"address", address.to_string()}, {"limit", count.by_address.limit()}});
  return std::nullopt;
}

void Connection::start(Workspace& workspace, int fd, IpEndpoint peer,
                       std::shared_ptr<ListenerSettings const> listener,
                       ConnectionTally::Place place) {
  std::unique_ptr<Connection> connection(
      new Connection(workspace, fd, peer, std::move(listener), std::move(place)));
  run(std::move(connection));
}

Connection::Connection(Workspace& workspace, int fd, IpEndpoint peer,
                       std::shared_ptr<ListenerSettings const> listener,
                       ConnectionTally::Place place)
    : workspace_(workspace),
      number_(++workspace.connections_begun),
      stream_(workspace.loop, fd, *workspace.tls),
      deadline_(stream_.socket()),
      peer_(peer),
      listener_(std::move(listener)),
      address_place_(std::move(place)) {
  next_ = workspace_.connections;
  if (next_ != nullptr) next_->previous_ = this;
  workspace_.connections = this;
  ++workspace_.connection_count;
  workspace_.current->shared->metrics->connection_opened(*workspace_.options.metrics);
}

Connection::~Connection() {
  (previous_ != nullptr ? previous_->next_ : workspace_.connections) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  --workspace_.connection_count;
  workspace_.options.connections->open.fetch_sub(1, std::memory_order_relaxed);
  workspace_.current->shared->metrics->connection_closed(*workspace_.options.metrics);
}

IpEndpoint const& Connection::local() {
  if (local_.port == 0) {
    auto const local = net::local_endpoint(stream_.socket().fd());
    if (local) local_ = *local;
  }
  return local_;
}

void Connection::drain() {
  if (idle_) stream_.socket().cancel();
}

void Connection::interrupt() {
  interrupted_ = true;
  stream_.socket().cancel();
  if (upstream_socket != nullptr) upstream_socket->cancel();
}

// While idle this frame is the only one: what it awaits for longer has frames of its own.
net::Detached Connection::run(std::unique_ptr<Connection> self) {
  auto& connection = *self;
  auto const agreed = co_await connection.shake_hands();
  if (!agreed) co_return;
  for (;;) {
    if (!connection.has_request()) {
      if (connection.workspace_.draining) break;
      connection.begin_idling();
      auto const ready = co_await connection.stream_.socket().readable();
      connection.end_idling();
      if (ready == Ready::cancelled) break;
    }
    auto const next = co_await serve_exchange(connection);
    connection.upstream_socket = nullptr;
    if (next == AfterExchange::gone) co_return;
    if (next == AfterExchange::linger) {
      co_await connection.end();
      co_return;
    }
    if (next == AfterExchange::close) break;
  }
  if (connection.stream_.socket().is_open()) {
    connection.stream_.finish();
    connection.stream_.flush();
  }
}

net::Task<bool> Connection::shake_hands() {
  auto const generation = workspace_.current;
  if (listener_->proxy_protocol != ProxyProtocol::off) {
    auto const ok = co_await read_proxy_header(*generation);
    if (!ok) co_return false;
    auto place = take_address_place(*workspace_.options.connections, peer_.address);
    if (!place) co_return false;
    address_place_ = std::move(*place);
  }
  auto& limit = *generation->handshake;
  auto const result = co_await stream_.handshake(limit);
  if (!result) {
    record_failed_handshake(result.error());
    bool const plain_http = result.error().fault == tls::HandshakeFault::plain_http;
    if (plain_http) {
      auto const fd = stream_.socket().fd();
      static_cast<void>(::send(fd, plain_http_answer.data(), plain_http_answer.size(), MSG_NOSIGNAL));
    }
    // A TLS 1.3 client sends its request behind its certificate, so it must not be met by a reset.
    if (plain_http || result.error().alert_sent >= 0) co_await linger();
    co_return false;
  }
  established_ = true;
  take_certificate_place();
  record_handshake(*this);
  stream_.release_memory();
  co_return true;
}

// The client is told in answer to its first request: a connection that is closed behind a handshake
// that succeeded says nothing to anybody.
void Connection::take_certificate_place() {
  auto const& chain = session().chain;
  if (chain == nullptr) return;
  auto& tally = workspace_.options.connections->by_certificate;
  auto place = tally.take(ConnectionTally::key_of(chain->leaf().fingerprint()));
  surplus_ = !place;
  if (place) certificate_place_ = std::move(*place);
}

net::Task<bool> Connection::read_proxy_header(WorkerGeneration const& generation) {
  deadline_.arm(*generation.handshake);
  for (;;) {
    auto const header = take_proxy_header(stream_.socket().fd(), *listener_, peer_.address);
    if (header.status == ProxyHeader::Status::complete) {
      deadline_.disarm();
      if (header.source) peer_ = *header.source;
      if (header.destination) local_ = *header.destination;
      co_return true;
    }
    if (header.status == ProxyHeader::Status::refused) {
      tls::HandshakeFailure failure;
      failure.fault = tls::HandshakeFault::protocol;
      failure.detail = header.reason;
      record_failed_handshake(failure);
      stream_.socket().reset();
      co_return false;
    }
    // The header was only peeked at: what is there would be reported again and again.
    if (stream_.socket().peer_has_ended()) co_return false;
    stream_.socket().mark_drained();
    auto const ready = co_await stream_.socket().readable();
    if (ready == Ready::cancelled) co_return false;
  }
}

void Connection::begin_idling() {
  deadline_.arm(exchanges == 0 ? *workspace_.current->header : *workspace_.current->keep_alive);
  idle_ = true;
}

void Connection::end_idling() {
  idle_ = false;
  deadline_.disarm();
}

net::Task<void> Connection::end() {
  stream_.finish();
  stream_.flush();
  co_await linger();
}

// Below TLS: what still arrives is not looked at.
net::Task<void> Connection::linger() {
  auto const fd = stream_.socket().fd();
  ::shutdown(fd, SHUT_WR);
  auto const end = net::Loop::coarse_milliseconds() + linger_time.count();
  deadline_.arm(workspace_.deadlines.list(linger_silence));
  while (!workspace_.draining && net::Loop::coarse_milliseconds() < end) {
    auto const room = workspace_.transfer.payload(TransferBuffer::payload_bytes);
    auto const n = ::recv(fd, room.data(), room.size(), 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) break;
    if (n > 0) deadline_.arm(workspace_.deadlines.list(linger_silence));
    // Even where there is more: other connections have their turn in between.
    auto const ready = co_await stream_.socket().readable();
    if (ready == Ready::cancelled) break;
  }
  deadline_.disarm();
}

Judgement const& Connection::judge(WorkerGeneration const& generation, Site const& site,
                                   UnixSeconds now) {
  auto& judged = judgement_;
  auto const number = generation.shared->number;
  if (judged.generation == number && judged.site == &site && judged.verdict.holds_at(now)) {
    return judged;
  }
  auto const policy = generation.shared->client_policy(site);
  auto const* chain = session().chain.get();
  if (chain == nullptr || policy.mode == x509::ClientAuthMode::off) {
    chain = nullptr;
    judged.verification = nullptr;
  } else {
    auto const& trust = policy.trust->digest();
    bool const holds = judged.verification != nullptr && judged.trust == trust &&
                       judged.verification->from <= now && now <= judged.verification->until;
    if (!holds) {
      judged.verification = workspace_.tls->verifications().verify(*policy.trust, *chain, now);
      judged.trust = trust;
    }
  }
  judged.verdict = x509::judge(policy, chain, judged.verification.get(), now);
  judged.generation = number;
  judged.site = &site;
  return judged;
}

void Connection::record_failed_handshake(tls::HandshakeFailure const& failure) {
  write_handshake_record(*this, failure);
}

}  // namespace certgate::proxy
