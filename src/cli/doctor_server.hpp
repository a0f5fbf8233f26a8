// Looks at a running server as a client would: its certificate, the handshake, the first answer.
#pragma once

#include <string>
#include <vector>

#include "doctor_advice.hpp"

namespace certgate::cli {

struct ServerVisit {
  std::string host, port;  // of HOST:PORT
  std::string name;        // asked for and verified; empty: the host
  std::string ca;          // PEM file; empty: the system's store
  std::string certificate, key;  // shown to the server; empty: none
  std::string method = "GET", path = "/";
};

std::vector<Finding> visit_server(ServerVisit const& visit);

}  // namespace certgate::cli
