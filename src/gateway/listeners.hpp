// The addresses that the process listens on: opened before a swap, handed over with it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "certgate/base/result.hpp"
#include "certgate/config/config.hpp"
#include "certgate/proxy/worker.hpp"

namespace certgate::gateway {

// A listening address in use: one socket per worker.
struct OpenListener {
  std::string written;  // of the configuration
  std::shared_ptr<proxy::ListenerSettings> settings;
  std::vector<int> sockets;  // until the workers have them
};
void close_sockets(std::vector<OpenListener>& listeners);

// What `wanted` adds to the `running` ones is opened, once for each of `workers`; what runs already
// comes without sockets. Errors: every address that cannot be had, and then nothing stays open.
Result<std::vector<OpenListener>, Diagnostics> open_listeners(
    config::Config const& wanted, std::vector<OpenListener> const& running, std::size_t workers);

// Hands new sockets to the workers and closes what is no longer wanted. Listeners that stay keep
// their sockets, so no connection that waits to be accepted is lost.
void take_listeners(std::vector<OpenListener>& running, std::vector<OpenListener> wanted,
                    std::vector<std::unique_ptr<proxy::Worker>> const& workers);

}  // namespace certgate::gateway
