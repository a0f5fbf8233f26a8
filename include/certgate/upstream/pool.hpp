// Connections to an origin's servers that wait for the next request.
//
// One Pool per worker and origin, used on the worker's thread only. Last in, first out: the
// connection used last is the least likely to be closed by its server. An idle connection is
// watched, so that one which its server closed is never handed out; one that idles too long is
// closed by its deadline.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/result.hpp"
#include "certgate/net/deadlines.hpp"
#include "certgate/net/stream.hpp"
#include "certgate/upstream/origin.hpp"

namespace certgate::upstream {

class Pool;

// An open connection to one server, in use or idle.
class Connection final : private net::Deadline {
 public:
  Connection(Server& server, std::unique_ptr<net::Stream> stream)
      : server_(server), stream_(std::move(stream)) {}

  net::Stream& stream() { return *stream_; }
  Server& server() { return server_; }
  // Words for why the stream failed, as far as TLS knows; "" otherwise.
  std::string_view error() const {
    return encrypted_ != nullptr ? encrypted_->error() : std::string_view();
  }
  // Has carried a request before: its server may close it at the moment the next one is sent.
  bool is_reused() const { return requests_ > 0; }

 private:
  friend class Pool;
  void on_expired() override;

  Server& server_;
  std::unique_ptr<net::Stream> stream_;
  tls::ClientStream* encrypted_ = nullptr;  // stream_, if it is one
  Pool* pool_ = nullptr;  // that it idles in
  std::int64_t idle_since_ = 0;  // Loop::coarse_milliseconds()
  std::uint32_t requests_ = 0;
};

// Why a server could not be reached.
enum class ConnectFault : std::uint8_t {
  refused,      // nobody listens there
  unreachable,  // no route, no such unix socket, not permitted, no descriptors left
  timed_out,
  certificate,  // what it shows is expired, for another name, of an unknown CA
  tls,          // any other failure of the TLS handshake
};

struct ConnectFailure {
  ConnectFault fault = ConnectFault::unreachable;
  std::string detail;  // a sentence, with the operating system's or OpenSSL's own words
};

class Pool {
 public:
  Pool(net::Loop& loop, net::Deadlines& deadlines, std::shared_ptr<Origin> origin);
  ~Pool();

  Origin& origin() const { return *origin_; }
  Server* choose(Server const* avoid);
  // An idle connection to that server, or null.
  std::unique_ptr<Connection> take_idle(Server& server);
  // A connection that is still to be made with connect().
  std::unique_ptr<Connection> make(Server& server) const;
  // Connects, with TLS if the server wants it, within `at_most`. Cancelling the stream's socket ends
  // it early, as a timeout. REQUIRES: `connection` outlives the wait.
  net::Task<Result<void, ConnectFailure>> connect(Connection& connection,
                                                  std::chrono::milliseconds at_most);
  // REQUIRES: the last response was read to its end, and the connection may stay open.
  void put_back(std::unique_ptr<Connection> connection);
  void close_idle();
  // `next` takes this pool's place, for an origin that may share servers with this one: it gets what
  // idles here to those that both have, and the rest is closed. So is done with what is put back later.
  void hand_over(std::shared_ptr<Pool> const& next);
  std::size_t idle() const;

 private:
  friend class Connection;
  struct Idle {
    Server* server;
    std::vector<std::unique_ptr<Connection>> connections;  // used last at the back
  };
  Idle& idle_of(Server const& server) { return *find_idle(server); }
  std::vector<Idle>::iterator find_idle(Server const& server);
  void keep(std::unique_ptr<Connection> connection);

  net::Loop& loop_;
  net::Deadlines& deadlines_;
  std::shared_ptr<Origin> origin_;
  net::DeadlineList& idle_deadlines_;
  std::vector<Idle> idle_;
  unsigned cursor_ = 0;
  std::weak_ptr<Pool> next_;
  bool is_over_ = false;  // handed over
};

}  // namespace certgate::upstream
