// The addresses that the process listens on: opened before a swap, handed over with it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "certgate/base/result.hpp"
#include "certgate/config/config.hpp"
#include "certgate/proxy/worker.hpp"

namespace certgate::gateway {

// A listening address in use.
struct OpenListener {
  std::string written;  // of the configuration
  std::shared_ptr<proxy::ListenerSettings> settings;
  // Where the workers have sockets for it: its own address, and narrower ones that it took over.
  std::vector<IpEndpoint> bound;
  // New ones of its own address, one for each worker, until they have them.
  std::vector<int> sockets;
  config::Mark mark;
};
void close_sockets(std::vector<OpenListener>& listeners);

// What `wanted` adds to the `running` ones is opened, once for each of `workers`; what runs already
// comes without sockets. An address may widen (127.0.0.1 to 0.0.0.0 on the same port): its sockets
// go on beside the new ones, since closing them would lose the connections that wait there.
// Errors: every address that cannot be had, and then nothing stays open.
//
// No connection comes to the new sockets yet: if something else is wrong, nobody has to be reset.
Result<std::vector<OpenListener>, Diagnostics> open_listeners(
    config::Config const& wanted, std::vector<OpenListener> const& running, std::size_t workers);

Result<void, Diagnostics> start_listening(std::vector<OpenListener> const& opened);

// Hands new sockets to the workers, then has them give up what is no longer wanted. Listeners that
// stay keep their sockets, so no connection that waits to be accepted is lost.
void take_listeners(std::vector<OpenListener>& running, std::vector<OpenListener> wanted,
                    std::vector<std::unique_ptr<proxy::Worker>> const& workers);

}  // namespace certgate::gateway
