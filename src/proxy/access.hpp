// From what happened on a connection to the records that are logged and counted.
#pragma once

#include "certgate/tls/handshake_failure.hpp"

namespace certgate::proxy {

class Connection;
class Exchange;

// Each writes one line to the access log and counts it.
void write_access_record(Exchange const& exchange);
void write_handshake_record(Connection& connection, tls::HandshakeFailure const& failure);
// A handshake that succeeded is counted only: its facts are in the records of its requests.
void record_handshake(Connection& connection);
// An answer is about to be sent: meanwhile what its record needs is fetched from memory.
void expect_access_record(Connection& connection);

}  // namespace certgate::proxy
