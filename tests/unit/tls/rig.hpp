// A server of ours and an OpenSSL client, connected in one process and stepped by one loop.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/net/deadlines.hpp"
#include "certgate/net/loop.hpp"
#include "certgate/tls/server_context.hpp"
#include "certgate/tls/server_stream.hpp"
#include "support/test_ca.hpp"

namespace certgate::tls {

using testing::Issued;

struct Free {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using ClientSession = std::unique_ptr<SSL_SESSION, Free>;

struct ClientConfig {
  std::string server_name = "api.example.com";  // "" sends none
  Issued const* certificate = nullptr;
  std::vector<Issued const*> others;  // sent after the certificate
  int version = TLS1_3_VERSION;
  SSL_SESSION* resume = nullptr;
  std::vector<std::string> alpn;
  std::string cipher_list;   // TLS 1.2
  std::string sigalgs;
  std::string groups;
};

// Drives an SSL object over a non-blocking descriptor, one step at a time.
class Client {
 public:
  Client(int fd, ClientConfig const& config);
  ~Client();
  // Handshakes as far as it goes now. True when it is over, one way or the other.
  bool step();
  bool connected() const { return connected_; }
  bool failed() const { return failed_; }
  bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  int alert() const { return alert_; }
  bool asked_for_certificate() const { return asked_; }
  int announced_authorities() const { return authorities_; }
  // Reads what is there; "" when nothing is.
  std::string read();
  std::string write(std::string_view text);  // "" or the error
  // The newest session (TLS 1.3: read() something first, tickets come with it).
  ClientSession session() const;
  SSL* ssl() const { return ssl_.get(); }
  int fd() const { return fd_; }
  void close();

 private:
  int fd_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  bool connected_ = false, failed_ = false, asked_ = false;
  int alert_ = -1;
  int authorities_ = -1;
  ClientSession session_;
};

// One connection: our end and theirs.
struct Connection {
  std::unique_ptr<ServerStream> server;
  std::unique_ptr<Client> client;
  std::optional<HandshakeResult> result;

  bool ok() const { return result && result->has_value(); }
  HandshakeFailure const& failure() const { return result->error(); }
  Session const& session() const { return server->session(); }
};

struct RigOptions {
  SessionStoreLimits store;
  bool stateless = false;
  AdmissionLimits admission;
  bool hello_facts = false;
  std::chrono::milliseconds limit{5'000};
};

// Certificates that all tests share.
struct Authorities {
  Issued root = testing::make_ca("Root A");
  Issued intermediate = testing::make_ca("Intermediate A", &root);
  Issued other_root = testing::make_ca("Root B");
  Issued client = testing::make_client("device-1", root);
  Issued deep_client = testing::make_client("device-2", intermediate);
  Issued other_client = testing::make_client("device-b", other_root);
  Issued server_ca = testing::make_ca("Server CA");
  Issued server;
  Authorities();
};
Authorities const& authorities();

Issued server_certificate(std::vector<std::string> const& names, Issued const& issuer,
                          testing::TestKey const* key = nullptr);
ServerIdentity::Pointer identity_of(Issued const& certificate);
x509::Trust::Pointer trust_in(std::vector<Issued const*> const& anchors,
                              x509::TrustOptions const& options = {});
x509::ClientPolicy policy_of(x509::ClientAuthMode mode, std::vector<Issued const*> const& anchors);
HostSettings::Pointer host(std::vector<std::string> const& names, x509::ClientPolicy policy,
                           ProfileOptions profile = {});
ServerHosts::Pointer hosts(std::vector<HostSettings::Pointer> all);

class Rig {
 public:
  explicit Rig(ServerHosts::Pointer hosts, RigOptions options = {});
  ~Rig();

  ManualClock clock;
  net::Loop loop;
  net::Deadlines deadlines;
  std::shared_ptr<SessionStore> store;
  std::shared_ptr<TicketKeys> keys;
  std::unique_ptr<ServerContext> context;

  // Accepts a new connection and starts its handshake; the client has not said anything yet.
  std::unique_ptr<Connection> open(ClientConfig const& config, ServerContext* worker = nullptr);
  // The peer's end of an accepted connection is the plain descriptor `fd`.
  std::unique_ptr<Connection> open_raw(int& fd);
  // Both sides as far as they get.
  void finish(Connection& connection);
  std::unique_ptr<Connection> connect(ClientConfig const& config,
                                      ServerContext* worker = nullptr);
  // connect(), then a byte from us, so that the client has its ticket.
  ClientSession session_after(ClientConfig const& config);
  bool run_until(std::function<bool()> const& done);
  // Lets everything that is ready happen, so many times.
  void turns(int count);

 private:
  RigOptions options_;
};

// Our end of a fresh pair of connected, non-blocking sockets; theirs in `peer`.
int socket_pair(int& peer);

}  // namespace certgate::tls
