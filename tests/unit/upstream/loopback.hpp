// A loop with deadlines, and plain servers on loopback that a test scripts.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "certgate/net/deadlines.hpp"
#include "certgate/net/loop.hpp"
#include "certgate/upstream/pool.hpp"

namespace certgate::upstream {

inline constexpr std::chrono::milliseconds patience{60'000};

// Listens; accepted descriptors block.
class Listener {
 public:
  Listener() : fd_(*net::open_listener(*IpEndpoint::parse("127.0.0.1:0"), 16)) {}
  ~Listener() { close(); }
  Listener(Listener const&) = delete;
  Listener& operator=(Listener const&) = delete;

  IpEndpoint endpoint() const { return *net::local_endpoint(fd_); }
  int fd() const { return fd_; }
  // -1: nobody has connected.
  int accept() const { return ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

inline ServerSettings server_at(IpEndpoint const& endpoint) {
  ServerSettings server;
  server.label = "http://" + endpoint.to_string();
  server.address.ip = endpoint;
  server.authority = endpoint.to_string();
  return server;
}

struct World {
  net::Loop loop;
  net::Deadlines deadlines{loop};

  bool run_until(std::function<bool()> const& done) { return loop.run_until(done, patience); }

  // Connects and tells how it went.
  Result<std::unique_ptr<Connection>, ConnectFailure> open(
      Pool& pool, Server& server, std::chrono::milliseconds at_most = patience) {
    auto connection = pool.make(server);
    bool done = false;
    Result<void, ConnectFailure> result;
    net::start(connect(pool, *connection, at_most, result, done));
    EXPECT_TRUE(run_until([&] { return done; }));
    if (!result) return fail(std::move(result.error()));
    return connection;
  }

 private:
  static net::Task<void> connect(Pool& pool, Connection& connection,
                                 std::chrono::milliseconds at_most,
                                 Result<void, ConnectFailure>& result, bool& done) {
    auto connected = co_await pool.connect(connection, at_most);
    result = std::move(connected);
    done = true;
  }
};

}  // namespace certgate::upstream
