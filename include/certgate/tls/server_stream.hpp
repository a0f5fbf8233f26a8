// One client's TLS connection: the handshake, then encrypted bytes.
//
// Belongs to one worker. An idle connection keeps OpenSSL's state, its leaf certificate and this
// object; the chain and the host's settings are shared.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "certgate/net/deadlines.hpp"
#include "certgate/net/task.hpp"
#include "certgate/tls/handshake_failure.hpp"
#include "certgate/tls/host_settings.hpp"
#include "certgate/tls/tls_stream.hpp"
#include "certgate/x509/client_chain.hpp"

namespace certgate::tls {

class ServerContext;

// What fields.md §2 says of the ClientHello; only kept when ServerOptions::client_hello_facts.
struct ClientHelloFacts {
  std::uint32_t length = 0;  // of the handshake message's body, bytes
  std::array<std::uint8_t, 32> random{};
  std::array<std::uint8_t, 20> extensions_sha1{};     // the types as sent, big-endian
  std::array<std::uint8_t, 20> extensions_sha1_le{};  // the same, little-endian
  std::array<std::uint8_t, 20> ciphers_sha1{};        // the suites as sent, big-endian
};

// What the handshake agreed on.
struct Session {
  HostSettings::Pointer host;        // that the server_name belongs to; its lasting() part
  x509::ClientChain::Pointer chain;  // null: none was presented, or none was asked for
  // What host->client().trust said of the chain in a full handshake; null when resumed. Spares the
  // first request the work; says from when until when it holds.
  std::shared_ptr<x509::Verification const> verification;
  std::string server_name;           // canonical; "" when the client sent none
  std::string_view version;          // "TLSv1.3"
  std::string_view cipher;           // OpenSSL's name
  std::string_view protocol;         // by ALPN: "http/1.1"; "" when not negotiated
  bool resumed = false;
  std::chrono::microseconds handshake{0};
  std::unique_ptr<ClientHelloFacts> hello;  // may be null
};

class ServerStream final : public TlsStream {
 public:
  // Takes over an accepted, non-blocking descriptor. REQUIRES: the context outlives the stream.
  ServerStream(net::Loop& loop, int fd, ServerContext& context);
  ~ServerStream() override;

  // Once, before anything else. `limit` bounds the whole of it, waiting for a place included;
  // cancelling the socket from outside ends it as well.
  net::Task<HandshakeResult> handshake(net::DeadlineList& limit);

  // After a successful handshake.
  Session const& session() const { return session_; }

  struct Handshake;   // what is only needed until it is over
  struct Callbacks;   // OpenSSL's way back to us

 private:
  enum class Step { done, want_read, want_turn, failed };
  bool begin();
  Step step();
  Step sent(Step next);
  void conclude();
  HandshakeFailure failure();

  ServerContext& context_;
  Handshake* handshake_ = nullptr;
  Session session_;
};

}  // namespace certgate::tls
