// The operator's API over HTTP: /metrics /healthz /readyz /status and POST /reload.
//
// Runs on a thread and io_context of its own, so that a busy worker is not disturbed and a busy
// operator disturbs nobody. Routes are exact. A unix socket has mode 0600 and serves root and the
// process's own user only (SO_PEERCRED). On TCP the address must be loopback unless `allow_remote`,
// the Host must be an IP address, `localhost` or one of `host_names` (DNS rebinding; HTTP/1.0, which no
// browser speaks, may come without), and a request
// that a web page made (Origin, Sec-Fetch-Site) is refused.
//
// One request per connection; heads, bodies, connections and waiting are bounded.
// Errors: start() says why it cannot listen. A unix socket that a dead process left is replaced,
// one that answers is a conflict, any other file is left alone.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "certgate/admin/address.hpp"
#include "certgate/admin/control.hpp"
#include "certgate/base/result.hpp"

namespace certgate::admin {

inline constexpr std::size_t max_head_bytes = 8 * 1024;
inline constexpr std::size_t max_body_bytes = 64 * 1024;
inline constexpr std::size_t max_connections = 64;  // at once; more are closed unanswered

struct ServerOptions {
  Address address;
  bool allow_remote = false;
  std::vector<std::string> host_names;
  std::chrono::milliseconds request_timeout{5000};    // for a request to arrive, and to be taken
  std::chrono::milliseconds command_timeout{600000};  // for a command to answer
};

class Server {
 public:
  // `control` must outlive the server.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Control& control);
  Server(Server const&) = delete;
  Server& operator=(Server const&) = delete;
  // Stops at once; removes the unix socket if it is still this server's.
  ~Server();

  // As bound: port 0 is resolved.
  Address const& address() const;

 private:
  class Listener;
  Server();

  std::unique_ptr<Listener> listener_;
};

}  // namespace certgate::admin
