// TLS towards an upstream: whom we trust, what we show, and an encrypted stream.
//
// One ClientContext per upstream server, built once per Generation and shared by workers (any
// thread). It keeps a few sessions, so that most connections resume. The certificate is verified,
// name included, unless the options say otherwise aloud.
//
// Errors: handshake() says in one sentence what is wrong with the peer's certificate and, for a
//         wrong name, which names it has. A connection that the peer closes without close_notify is
//         a failure: RFC 9112 §9.8: "A response that has neither chunked transfer coding nor
//         Content-Length is complete only if a valid closure alert has been received."
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/result.hpp"
#include "certgate/net/task.hpp"
#include "certgate/tls/server_identity.hpp"
#include "certgate/tls/tls_stream.hpp"
#include "certgate/x509/certificate.hpp"

namespace certgate::tls {

enum class VerifyPeer { yes, no };

struct ClientOptions {
  std::vector<x509::Certificate::Pointer> authorities;  // empty: the system's trust store
  std::string server_name;            // to ask for and to verify; a DNS name or an IP address
  VerifyPeer verify = VerifyPeer::yes;
  ServerIdentity::Pointer identity;   // null: no client certificate
  std::vector<std::string> alpn{"http/1.1"};
  std::size_t sessions = 16;          // kept for resumption; 0: none
};

class ClientContext {
 public:
  using Pointer = std::shared_ptr<ClientContext const>;
  static Result<Pointer> build(ClientOptions options);
  virtual ~ClientContext() = default;
  virtual ClientOptions const& options() const = 0;
};

class ClientStream final : public TlsStream {
 public:
  // The socket is closed: net::connect(stream.socket(), address) first, then handshake().
  ClientStream(net::Loop& loop, ClientContext::Pointer context);
  ~ClientStream() override;

  // Once. The caller bounds the wait by cancelling the socket, which gives ErrorCode::timed_out.
  net::Task<Result<void>> handshake();
  // After the handshake.
  bool resumed() const;
  std::string_view version() const;
  std::string_view protocol() const;  // by ALPN; "" when not negotiated
  // What the server showed of itself; null when that cannot be read.
  x509::Certificate::Pointer peer_certificate() const;
  // After a handshake that failed: because of the certificate that the upstream showed.
  bool refused_certificate() const;

  struct Callbacks;  // OpenSSL's way back to us

 private:
  Error failure();
  ClientContext::Pointer context_;
};

}  // namespace certgate::tls
