// Accepts admin connections and answers one request on each.
#include "certgate/admin/server.hpp"

#include <signal.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <thread>

#include "certgate/telemetry/log.hpp"
#include "certgate/telemetry/prometheus.hpp"
#include "listening_socket.hpp"
#include "request.hpp"
#include "socket_address.hpp"

namespace certgate::admin {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;
using Acceptor = asio::basic_socket_acceptor<Protocol>;

// After accept() has failed for want of descriptors, trying at once would only burn the CPU.
constexpr std::chrono::milliseconds accept_pause{200};
// How long a client may take to notice that the answer is complete.
constexpr std::chrono::milliseconds linger{1000};

Reply reply_of(unsigned status, std::string text) {
  Reply reply;
  reply.status = status;
  reply.body = std::move(text);
  return reply;
}

Reply reply_of(Outcome outcome) {
  if (!outcome.text.ends_with('\n')) outcome.text += '\n';
  return reply_of(outcome.ok ? 200 : 422, std::move(outcome.text));
}

// What connections share. It outlives the server where a command has not answered yet.
struct Service : std::enable_shared_from_this<Service> {
  Service(ServerOptions given, Control& owner) : options(std::move(given)), control(owner) {}
  ServerOptions const options;
  Control& control;
  std::size_t connections = 0;  // the server's thread
  asio::io_context context{1};  // owns the connections through their handlers: goes first
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Service& service, Protocol::socket socket)
      : service_(service), socket_(std::move(socket)), deadline_(service.context) {
    ++service_.connections;
  }
  Connection(Connection const&) = delete;
  Connection& operator=(Connection const&) = delete;
  ~Connection() { --service_.connections; }

  void start() {
    expire_after(service_.options.request_timeout);
    asio::async_read_until(socket_, asio::dynamic_buffer(text_, max_head_bytes), "\r\n\r\n",
                           [self = shared_from_this()](error_code error, std::size_t size) {
                             self->on_head(error, size);
                           });
  }

 private:
  Transport transport() const {
    return service_.options.address.is_unix() ? Transport::unix_socket : Transport::tcp;
  }

  // Closing makes the pending operation fail, which ends the connection.
  // `keep`: this connection, while no other operation holds it.
  void expire_after(std::chrono::milliseconds time, std::shared_ptr<Connection> keep = {}) {
    deadline_.expires_after(time);
    deadline_.async_wait([weak = weak_from_this(), keep = std::move(keep)](error_code error) {
      auto const self = weak.lock();
      if (!self || error || self->deadline_.expiry() > std::chrono::steady_clock::now()) return;
      if (std::exchange(self->waiting_for_command_, false)) {
        self->answer(reply_of(504, "no answer yet; see the log for the outcome\n"));
      } else {
        error_code ignored;
        self->socket_.close(ignored);
      }
    });
  }

  void on_head(error_code error, std::size_t size) {
    if (error == asio::error::not_found) return answer(reply_of(431, "head too large\n"));
    if (error) return;
    parsed_ = parse_head(std::string_view{text_}.substr(0, size));
    head_only_ = parsed_.head.method == "HEAD";
    if (!parsed_.refusal) {
      parsed_.refusal = refuse_caller(parsed_.head, transport(), service_.options.host_names);
    }
    if (parsed_.refusal) return answer(*parsed_.refusal);
    routed_ = route_of(parsed_.head, transport());
    if (routed_.refusal) return answer(*routed_.refusal);
    // The text may move when it grows: keep the one view that is still needed.
    command_ = routed_.command;
    std::size_t const wanted = parsed_.head.body_bytes;
    text_.erase(0, size);
    if (text_.size() >= wanted) return on_body({}, wanted);
    std::size_t const have = text_.size();
    text_.resize(wanted);
    asio::async_read(socket_, asio::buffer(text_.data() + have, wanted - have),
                     [self = shared_from_this(), wanted](error_code failed, std::size_t) {
                       self->on_body(failed, wanted);
                     });
  }

  void on_body(error_code error, std::size_t wanted) {
    if (error) return;
    Control& control = service_.control;
    switch (routed_.route) {
      case Route::metrics: {
        auto reply = reply_of(200, control.metrics());
        reply.content_type = telemetry::prometheus_content_type;
        return answer(reply);
      }
      case Route::healthz:
        return answer(reply_of(200, "ok\n"));
      case Route::readyz: {
        bool const ready = control.ready();
        return answer(ready ? reply_of(200, "ready\n") : reply_of(503, "not ready\n"));
      }
      case Route::status: {
        auto reply = reply_of(200, control.status());
        reply.content_type = "application/json";
        return answer(reply);
      }
      case Route::reload:
        wait_for_command();
        return control.reload(std::string_view{text_}.substr(0, wanted), when_done());
      case Route::command:
        wait_for_command();
        if (!control.command(command_, std::string_view{text_}.substr(0, wanted), when_done())) {
          waiting_for_command_ = false;
          answer(reply_of(404, "no such command\n"));
        }
        return;
    }
  }

  void wait_for_command() {
    waiting_for_command_ = true;
    expire_after(service_.options.command_timeout, shared_from_this());
  }

  Done when_done() {
    return [service = service_.shared_from_this(), weak = weak_from_this()](Outcome outcome) {
      asio::post(service->context, [weak, outcome = std::move(outcome)]() mutable {
        auto const self = weak.lock();
        if (!self || !std::exchange(self->waiting_for_command_, false)) return;
        self->answer(reply_of(std::move(outcome)));
      });
    };
  }

  void answer(Reply const& reply) {
    auto const self = shared_from_this();
    expire_after(service_.options.request_timeout);
    text_ = format_reply(reply, !head_only_);
    asio::async_write(socket_, asio::buffer(text_), [self](error_code error, std::size_t) {
      if (error) return;
      error_code ignored;
      self->socket_.shutdown(Protocol::socket::shutdown_send, ignored);
      self->expire_after(linger);
      self->discard();
    });
  }

  // Closing with unread bytes would reset the connection, and the client might lose the answer.
  void discard() {
    text_.resize(4096);
    socket_.async_read_some(asio::buffer(text_),
                            [self = shared_from_this()](error_code error, std::size_t) {
                              if (!error) self->discard();
                            });
  }

  Service& service_;
  Protocol::socket socket_;
  asio::steady_timer deadline_;
  std::string text_;
  std::string command_;
  ParsedHead parsed_;
  Routed routed_;
  bool head_only_ = false;
  bool waiting_for_command_ = false;
};

}  // namespace

class Server::Listener {
 public:
  Listener(ListeningSocket socket, ServerOptions options, Control& control)
      : socket_(std::move(socket)),
        service_(std::make_shared<Service>(std::move(options), control)),
        acceptor_(service_->context, Protocol(SocketAddress{socket_.address}.family(), 0),
                  socket_.descriptor),
        pause_(service_->context) {
    accept();
    // Signals belong to the gateway.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { service_->context.run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  Listener(Listener const&) = delete;
  Listener& operator=(Listener const&) = delete;
  ~Listener() {
    service_->context.stop();
    thread_.join();
    remove_socket_file(socket_);
  }

  Address const& address() const { return socket_.address; }

 private:
  void accept() {
    acceptor_.async_accept([this](error_code error, Protocol::socket peer) {
      if (error == asio::error::operation_aborted) return;
      if (error) return accept_later();
      serve(std::move(peer));
      accept();
    });
  }

  void accept_later() {
    pause_.expires_after(accept_pause);
    pause_.async_wait([this](error_code error) {
      if (!error) accept();
    });
  }

  void serve(Protocol::socket peer) {
    static telemetry::LogLimit limit;
    if (service_->connections >= max_connections) {
      telemetry::process_log().warning(limit, "too many admin connections");
      return;
    }
    if (socket_.address.is_unix() && !is_trusted_peer(peer.native_handle())) {
      telemetry::process_log().warning(limit, "admin connection from another user refused");
      return;
    }
    std::make_shared<Connection>(*service_, std::move(peer))->start();
  }

  ListeningSocket const socket_;
  std::shared_ptr<Service> const service_;
  Acceptor acceptor_;
  asio::steady_timer pause_;
  std::thread thread_;
};

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Control& control) {
  Address const& address = options.address;
  if (!address.is_unix() && !address.tcp.address.is_loopback() && !options.allow_remote) {
    return fail(ErrorCode::permission, "admin address " + address.to_string() +
                                           " is not loopback, and remote access is not allowed");
  }
  CERTGATE_TRY(auto socket, listen_at(address));
  std::unique_ptr<Server> server{new Server};
  try {
    server->listener_ = std::make_unique<Listener>(std::move(socket), std::move(options), control);
  } catch (std::exception const& error) {  // Asio's way of saying: no more descriptors or threads
    return fail(ErrorCode::exhausted,
                "cannot start the admin server: " + std::string(error.what()));
  }
  return server;
}

Server::Server() = default;
Server::~Server() = default;

Address const& Server::address() const { return listener_->address(); }

}  // namespace certgate::admin
