#include "certgate/upstream/pool.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "certgate/tls/connector.hpp"

namespace certgate::upstream {
namespace {

// Bytes or an end that have arrived and that the loop has not been told of yet.
bool has_news(int fd) {
  char byte;
  return ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != EINTR);
}

}  // namespace

Pool::Pool(net::Loop& loop, net::Deadlines& deadlines, std::shared_ptr<Origin> origin)
    : loop_(loop),
      deadlines_(deadlines),
      origin_(std::move(origin)),
      idle_deadlines_(deadlines.list(origin_->settings().idle_timeout)) {
  for (auto const& server : origin_->servers()) {
    idle_.push_back({server.get(), {}});
    idle_.back().connections.reserve(origin_->settings().idle_connections);
  }
}

Pool::~Pool() = default;

std::vector<Pool::Idle>::iterator Pool::find_idle(Server const& server) {
  return std::find_if(idle_.begin(), idle_.end(),
                      [&](Idle const& idle) { return idle.server == &server; });
}

Server* Pool::choose(Server const* avoid) {
  return origin_->choose(cursor_, avoid, net::Loop::coarse_milliseconds());
}

std::unique_ptr<Connection> Pool::take_idle(Server& server) {
  auto& idle = idle_of(server).connections;
  while (!idle.empty()) {
    auto connection = std::move(idle.back());
    idle.pop_back();
    connection->disarm();
    connection->pool_ = nullptr;
    // Bytes or an end that nobody asked for: the server has closed it, or cannot be trusted. The
    // loop tells of it once it asks the kernel again, and a request that must not be repeated would
    // be lost until then. Servers close what idles, so one just put back is not worth a system call.
    auto const& socket = connection->stream_->socket();
    if (socket.became_readable()) continue;
    if (connection->idle_since_ != net::Loop::coarse_milliseconds() && has_news(socket.fd())) continue;
    return connection;
  }
  return nullptr;
}

std::unique_ptr<Connection> Pool::make(Server& server) const {
  auto const& settings = server.settings();
  std::unique_ptr<net::Stream> stream;
  tls::ClientStream* encrypted = nullptr;
  if (settings.tls == nullptr) {
    stream = std::make_unique<net::PlainStream>(loop_);
  } else {
    auto own = std::make_unique<tls::ClientStream>(loop_, settings.tls);
    encrypted = own.get();
    stream = std::move(own);
  }
  auto connection = std::make_unique<Connection>(server, std::move(stream));
  connection->encrypted_ = encrypted;
  return connection;
}

net::Task<Result<void, ConnectFailure>> Pool::connect(Connection& connection,
                                                      std::chrono::milliseconds at_most) {
  auto const& settings = connection.server_.settings();
  auto& socket = connection.stream_->socket();
  net::SocketDeadline deadline(socket);
  deadline.arm(deadlines_.list(at_most));

  auto const connected = co_await net::connect(socket, settings.address);
  if (!connected) {
    auto fault = ConnectFault::unreachable;
    if (connected.error().code == ErrorCode::closed) fault = ConnectFault::refused;
    if (connected.error().code == ErrorCode::timed_out) fault = ConnectFault::timed_out;
    co_return fail(ConnectFailure{fault, connected.error().detail});
  }
  // A deadline that passes just as the connection is there cancels no wait, and none comes after it.
  if (deadline.expired()) {
    auto detail = "connecting to " + settings.address.to_string() + " took too long";
    co_return fail(ConnectFailure{ConnectFault::timed_out, std::move(detail)});
  }
  if (connection.encrypted_ != nullptr) {
    auto const agreed = co_await connection.encrypted_->handshake();
    if (!agreed) {
      auto fault = ConnectFault::tls;
      if (connection.encrypted_->refused_certificate()) fault = ConnectFault::certificate;
      if (agreed.error().code == ErrorCode::timed_out) fault = ConnectFault::timed_out;
      auto detail = settings.label + ": " + agreed.error().detail;
      co_return fail(ConnectFailure{fault, std::move(detail)});
    }
  }
  co_return Result<void, ConnectFailure>{};
}

void Pool::put_back(std::unique_ptr<Connection> connection) {
  if (connection->stream_->has_buffered() || connection->stream_->has_unsent()) return;
  ++connection->requests_;
  keep(std::move(connection));
}

// Drops what there is no room for, and what goes to a server that the origin no longer has.
void Pool::keep(std::unique_ptr<Connection> connection) {
  if (is_over_) {
    auto const next = next_.lock();
    if (next != nullptr) next->keep(std::move(connection));
    return;
  }
  auto const idle = find_idle(connection->server());
  if (idle == idle_.end()) return;
  if (idle->connections.size() >= origin_->settings().idle_connections) return;
  connection->pool_ = this;
  connection->idle_since_ = net::Loop::coarse_milliseconds();
  connection->stream_->release_memory();
  auto& socket = connection->stream_->socket();
  socket.forget_writable();  // it was waited for when connecting
  socket.watch_readable();
  connection->arm(idle_deadlines_);
  idle->connections.push_back(std::move(connection));
}

void Pool::hand_over(std::shared_ptr<Pool> const& next) {
  for (auto& idle : idle_) {
    for (auto& connection : idle.connections) next->keep(std::move(connection));
    idle.connections.clear();
  }
  next->cursor_ = cursor_;
  next_ = next;
  is_over_ = true;
}

void Connection::on_expired() {
  auto& idle = pool_->idle_of(server_).connections;
  auto const self = std::find_if(idle.begin(), idle.end(),
                                 [&](auto const& connection) { return connection.get() == this; });
  if (self != idle.end()) idle.erase(self);  // deletes this
}

void Pool::close_idle() {
  for (auto& idle : idle_) idle.connections.clear();
}

std::size_t Pool::idle() const {
  std::size_t total = 0;
  for (auto const& idle : idle_) total += idle.connections.size();
  return total;
}

}  // namespace certgate::upstream
