// Why a handshake came to nothing: facts for the log, none of which the peer is told.
//
// Plain values; `detail` may quote the peer and is escaped by whoever shows it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "certgate/base/result.hpp"
#include "certgate/x509/client_chain.hpp"

namespace certgate::tls {

enum class HandshakeFault : std::uint8_t {
  internal,              // our own mistake or no memory
  timed_out,             // the deadline passed
  cancelled,             // the proxy is closing
  closed,                // the peer ended the connection before the end of the handshake
  plain_http,            // an HTTP request without TLS
  not_tls,               // anything else that is no TLS record
  unknown_name,          // no host has the name asked for, and there is no "*"
  version,               // no TLS version in common
  no_shared_cipher,      // no cipher, group or signature algorithm in common
  no_protocol,           // no ALPN protocol in common
  no_certificate,        // required and not sent
  certificate_rejected,  // required and not verifiable
  certificate_revoked,   // required and revoked or denied
  certificate_limits,    // chain or key beyond the limits
  alert,                 // the peer sent a fatal alert: it does not accept us
  protocol,              // any other violation of the protocol
};
inline constexpr std::size_t handshake_fault_count = 16;
// "timed_out", ...: the short token in logs and metrics.
std::string_view name_of(HandshakeFault fault);
// RFC 8446 §6: "certificate_required"; "" for a negative number, "alert 77" is "unknown".
std::string_view alert_name(int alert);

struct HandshakeFailure {
  HandshakeFault fault = HandshakeFault::internal;
  std::string detail;       // OpenSSL's own words, or ours
  int alert_sent = -1;      // AlertDescription numbers; -1: none
  int alert_received = -1;
  x509::ClientChain::Pointer chain;  // what the client presented, if it came to that
  std::string_view verify_reason;    // "FAILED:certificate has expired"; "" when not judged
  std::string server_name;           // canonical; "" when absent, malformed or not reached
  std::string_view version;          // "TLSv1.3"; "" when not negotiated
  std::chrono::microseconds duration{0};
};

using HandshakeResult = Result<void, HandshakeFailure>;

}  // namespace certgate::tls
