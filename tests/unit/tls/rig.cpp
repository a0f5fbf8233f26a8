#include "rig.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace certgate::tls {
namespace {

X509* decode(Issued const& issued) {
  auto const* at = reinterpret_cast<unsigned char const*>(issued.der.data());
  return d2i_X509(nullptr, &at, static_cast<long>(issued.der.size()));
}

net::Task<void> run(Connection& connection, net::DeadlineList& limit) {
  auto result = co_await connection.server->handshake(limit);
  connection.result.emplace(std::move(result));
}

void note_alert(SSL const* ssl, int where, int value) {
  if ((where & SSL_CB_ALERT) != 0 && (where & SSL_CB_READ) != 0) {
    *static_cast<int*>(SSL_get_app_data(ssl)) = value & 0xff;
  }
}

}  // namespace

Client::Client(int fd, ClientConfig const& config)
    : fd_(fd), context_(SSL_CTX_new(TLS_client_method())) {
  auto* const context = context_.get();
  SSL_CTX_set_security_level(context, 0);  // a bad client may be as weak as it likes
  SSL_CTX_set_min_proto_version(context, config.version);
  SSL_CTX_set_max_proto_version(context, config.version);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_sess_set_new_cb(context, [](SSL* ssl, SSL_SESSION* session) {
    static_cast<Client*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->session_.reset(session);
    return 1;
  });
  SSL_CTX_set_cert_cb(
      context,
      [](SSL* ssl, void* self) {
        auto* const client = static_cast<Client*>(self);
        client->asked_ = true;
        client->authorities_ = sk_X509_NAME_num(SSL_get0_peer_CA_list(ssl));
        return 1;
      },
      this);
  if (!config.cipher_list.empty()) {
    SSL_CTX_set_cipher_list(context, config.cipher_list.c_str());
  }
  if (!config.sigalgs.empty()) SSL_CTX_set1_sigalgs_list(context, config.sigalgs.c_str());
  if (!config.groups.empty()) SSL_CTX_set1_groups_list(context, config.groups.c_str());
  if (config.certificate != nullptr) {
    auto* const certificate = decode(*config.certificate);
    SSL_CTX_use_certificate(context, certificate);
    X509_free(certificate);
    SSL_CTX_use_PrivateKey(context, config.certificate->key.handle());
    for (auto const* other : config.others) SSL_CTX_add0_chain_cert(context, decode(*other));
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
  }
  std::string wire;
  for (auto const& protocol : config.alpn) wire += static_cast<char>(protocol.size()) + protocol;
  if (!wire.empty()) {
    SSL_CTX_set_alpn_protos(context, reinterpret_cast<unsigned char const*>(wire.data()),
                            static_cast<unsigned>(wire.size()));
  }
  ssl_.reset(SSL_new(context));
  SSL_set_app_data(ssl_.get(), &alert_);
  SSL_set_info_callback(ssl_.get(), note_alert);
  if (!config.server_name.empty()) SSL_set_tlsext_host_name(ssl_.get(), config.server_name.c_str());
  if (config.resume != nullptr) {
    // OpenSSL's client uses a session of TLS 1.3 only once: let it use up a copy.
    ClientSession const copy(SSL_SESSION_dup(config.resume));
    SSL_set_session(ssl_.get(), copy.get());
  }
  if (fd >= 0) SSL_set_fd(ssl_.get(), fd);
  SSL_set_connect_state(ssl_.get());
}

Client::~Client() {
  SSL_set_quiet_shutdown(ssl_.get(), 1);
  SSL_shutdown(ssl_.get());
  close();
}

void Client::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool Client::step() {
  if (connected_ || failed_) return true;
  ERR_clear_error();
  int const result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    connected_ = true;
  } else {
    int const error = SSL_get_error(ssl_.get(), result);
    failed_ = error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
  }
  return connected_ || failed_;
}

std::string Client::read() {
  char buffer[16 * 1024];
  ERR_clear_error();
  int const n = SSL_read(ssl_.get(), buffer, sizeof(buffer));
  return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : "";
}

std::string Client::write(std::string_view text) {
  ERR_clear_error();
  return SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())) ==
                 static_cast<int>(text.size())
             ? ""
             : "failed";
}

ClientSession Client::session() const {
  if (session_) SSL_SESSION_up_ref(session_.get());
  return ClientSession(session_.get());
}

Authorities::Authorities() { server = server_certificate({"*.example.com"}, server_ca); }

Authorities const& authorities() {
  static Authorities const all;
  return all;
}

Issued server_certificate(std::vector<std::string> const& names, Issued const& issuer,
                          testing::TestKey const* key) {
  testing::CertificateSpec spec;
  spec.subject = {{"CN", names.front()}};
  spec.extended_key_usage = "serverAuth";
  for (auto const& name : names) spec.alt_names.push_back({x509::SanType::dns, name});
  return key != nullptr ? testing::issue(spec, *key, &issuer) : testing::issue(spec, &issuer);
}

ServerIdentity::Pointer identity_of(Issued const& certificate) {
  auto identity = ServerIdentity::parse(certificate.pem(), certificate.key.pem());
  testing::require(identity.has_value(), "a server identity");
  return *identity;
}

x509::Trust::Pointer trust_in(std::vector<Issued const*> const& anchors,
                              x509::TrustOptions const& options) {
  std::vector<x509::Certificate::Pointer> facts;
  for (auto const* anchor : anchors) facts.push_back(anchor->facts);
  auto trust = x509::Trust::build(facts, options);
  testing::require(trust.has_value(), "a trust");
  return *trust;
}

x509::ClientPolicy policy_of(x509::ClientAuthMode mode, std::vector<Issued const*> const& anchors) {
  x509::ClientPolicy policy;
  policy.mode = mode;
  if (mode != x509::ClientAuthMode::off) policy.trust = trust_in(anchors);
  return policy;
}

HostSettings::Pointer host(std::vector<std::string> const& names, x509::ClientPolicy policy,
                           ProfileOptions profile) {
  HostOptions options;
  for (auto const& name : names) options.names.push_back(*HostPattern::parse(name));
  static auto const identity = identity_of(authorities().server);
  options.identities = {identity};
  options.client = std::move(policy);
  auto built = Profile::build(std::move(profile));
  testing::require(built.has_value(), "a profile");
  options.profile = *built;
  auto settings = HostSettings::build(std::move(options));
  testing::require(settings.has_value(), "host settings");
  return *settings;
}

ServerHosts::Pointer hosts(std::vector<HostSettings::Pointer> all) {
  auto built = ServerHosts::build(std::move(all));
  testing::require(built.has_value(), "hosts");
  return *built;
}

int socket_pair(int& peer) {
  int ends[2];
  testing::require(
      ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0,
      "a pair of sockets");
  peer = ends[1];
  return ends[0];
}

Rig::Rig(ServerHosts::Pointer all, RigOptions options)
    : clock(testing::test_now()),
      deadlines(loop),
      store(std::make_shared<SessionStore>(options.store)),
      options_(options) {
  ServerOptions server;
  server.clock = &clock;
  server.sessions = store;
  if (options.stateless) {
    keys = std::make_shared<TicketKeys>(std::chrono::hours{12}, std::chrono::hours{1});
    server.ticket_keys = keys;
  }
  server.admission = options.admission;
  server.client_hello_facts = options.hello_facts;
  auto built = ServerContext::build(loop, server);
  testing::require(built.has_value(), "a server context");
  context = std::move(built).value();
  testing::require(context->set_hosts(std::move(all)).has_value(), "hosts in force");
}

Rig::~Rig() = default;

std::unique_ptr<Connection> Rig::open(ClientConfig const& config, ServerContext* worker) {
  int fd = -1;
  auto connection = std::make_unique<Connection>();
  int const ours = socket_pair(fd);
  connection->server =
      std::make_unique<ServerStream>(loop, ours, worker != nullptr ? *worker : *context);
  connection->client = std::make_unique<Client>(fd, config);
  net::start(run(*connection, deadlines.list(options_.limit)));
  return connection;
}

std::unique_ptr<Connection> Rig::open_raw(int& fd) {
  auto connection = std::make_unique<Connection>();
  connection->server = std::make_unique<ServerStream>(loop, socket_pair(fd), *context);
  net::start(run(*connection, deadlines.list(options_.limit)));
  return connection;
}

bool Rig::run_until(std::function<bool()> const& done) {
  auto const end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  while (!done() && std::chrono::steady_clock::now() < end) {
    loop.run_until(done, std::chrono::milliseconds{1});
  }
  return done();
}

void Rig::turns(int count) {
  for (int i = 0; i < count; ++i) {
    bool turned = false;
    loop.post([&turned] { turned = true; });
    run_until([&turned] { return turned; });
  }
}

void Rig::finish(Connection& connection) {
  bool const over = run_until([&] {
    connection.client->step();
    return connection.result.has_value();
  });
  ASSERT_TRUE(over) << "the handshake does not end";
  connection.client->step();
  connection.client->read();  // the alert, if there is one
}

std::unique_ptr<Connection> Rig::connect(ClientConfig const& config, ServerContext* worker) {
  auto connection = open(config, worker);
  finish(*connection);
  return connection;
}

ClientSession Rig::session_after(ClientConfig const& config) {
  auto const connection = connect(config);
  EXPECT_TRUE(connection->ok()) << (connection->ok() ? "" : connection->failure().detail);
  if (!connection->ok()) return nullptr;
  EXPECT_EQ(connection->server->try_write(std::string_view("!")).status, net::IoStatus::done);
  EXPECT_EQ(connection->client->read(), "!");
  return connection->client->session();
}

}  // namespace certgate::tls
