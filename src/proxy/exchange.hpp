// One request, one response, one access record.
#pragma once

#include "certgate/net/task.hpp"

namespace certgate::proxy {

class Connection;

enum class AfterExchange {
  keep_alive,  // the next request may follow
  close,       // in order: everything was read
  linger,      // request bytes may still be arriving: close without resetting the connection
  gone,        // nothing more can be sent
};

// Serves the request whose first bytes have arrived (or lie in the connection's carry).
net::Task<AfterExchange> serve_exchange(Connection& connection);

}  // namespace certgate::proxy
