// What a handshake costs the server, in CPU: certgate's context beside OpenSSL's defaults.
//
// The client runs in the same thread and is not counted: each counter is the thread's CPU time while
// the server computes. "default" is SSL_CTX_new() with a trust store and two stateless tickets, as
// a program has it that changes nothing. Counter bytes_per_idle: heap per open connection, both ends.
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>

#include "certgate/net/deadlines.hpp"
#include "certgate/tls/server_context.hpp"
#include "certgate/tls/server_stream.hpp"
#include "support/test_ca.hpp"

namespace certgate::tls {
namespace {

using testing::Issued;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

X509* decode(Issued const& issued) {
  auto const* at = reinterpret_cast<unsigned char const*>(issued.der.data());
  return d2i_X509(nullptr, &at, static_cast<long>(issued.der.size()));
}

struct Certificates {
  explicit Certificates(testing::KeyKind kind)
      : root(testing::make_ca("Root", nullptr, kind)),
        intermediate(testing::make_ca("Intermediate", &root, kind)),
        client(testing::issue(testing::client_spec("device"), testing::TestKey::cached(kind),
                              &intermediate)) {
    testing::CertificateSpec spec;
    spec.subject = {{"CN", "api.example.com"}};
    spec.alt_names = {{x509::SanType::dns, "api.example.com"}};
    server = testing::issue(spec, &root);
  }
  Issued root, intermediate, client, server;
};

Certificates const& certificates(bool rsa) {
  static Certificates const ec(testing::KeyKind::p256);
  static Certificates const with_rsa(testing::KeyKind::rsa2048);
  return rsa ? with_rsa : ec;
}

SSL_SESSION* newest = nullptr;

SSL_CTX* client_context(Certificates const& all, bool with_certificate) {
  auto* const context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, [](SSL*, SSL_SESSION* session) {
    SSL_SESSION_free(newest);
    newest = session;
    return 1;
  });
  if (with_certificate) {
    SSL_CTX_use_certificate(context, decode(all.client));
    SSL_CTX_use_PrivateKey(context, all.client.key.handle());
    SSL_CTX_add0_chain_cert(context, decode(all.intermediate));
  }
  return context;
}

SSL* new_client(SSL_CTX* context, int fd, bool resume) {
  auto* const client = SSL_new(context);
  SSL_set_fd(client, fd);
  SSL_set_tlsext_host_name(client, "api.example.com");
  if (resume && newest != nullptr) SSL_set_session(client, newest);
  SSL_set_connect_state(client);
  return client;
}

void socket_pair(int (&ends)[2]) {
  testing::require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0, "sockets");
}

struct Ours {
  Ours(Certificates const& all, bool asks) {
    ServerOptions options;
    options.clock = &clock;
    options.sessions = std::make_shared<SessionStore>();
    context = std::move(ServerContext::build(loop, options)).value();
    HostOptions host;
    host.names = {*HostPattern::parse("api.example.com")};
    host.identities = {*ServerIdentity::parse(all.server.pem(), all.server.key.pem())};
    host.profile = *Profile::build({});
    if (asks) {
      host.client.mode = x509::ClientAuthMode::request;
      host.client.trust = *x509::Trust::build({all.root.facts});
    }
    (void)context->set_hosts(*ServerHosts::build({*HostSettings::build(host)}));
  }

  struct Connection {
    std::unique_ptr<ServerStream> server;
    SSL* client = nullptr;
    int fd = -1;
    bool over = false;
    ~Connection() {
      SSL_set_quiet_shutdown(client, 1);
      SSL_shutdown(client);
      SSL_free(client);
      ::close(fd);
    }
  };

  static net::Task<void> run(Connection& connection, net::DeadlineList& limit) {
    auto const result = co_await connection.server->handshake(limit);
    testing::require(result.has_value(), "a handshake");
    connection.over = true;
  }

  std::unique_ptr<Connection> connect(SSL_CTX* client, bool resume, double& cpu) {
    auto connection = std::make_unique<Connection>();
    int ends[2];
    socket_pair(ends);
    connection->fd = ends[1];
    connection->client = new_client(client, ends[1], resume);
    auto began = cpu_seconds();
    connection->server = std::make_unique<ServerStream>(loop, ends[0], *context);
    net::start(run(*connection, deadlines.list(std::chrono::milliseconds{10'000})));
    cpu += cpu_seconds() - began;
    while (!connection->over) {
      SSL_do_handshake(connection->client);
      began = cpu_seconds();
      bool turned = false;
      loop.post([&turned] { turned = true; });
      loop.run_until([&] { return turned; }, std::chrono::milliseconds{100});
      cpu += cpu_seconds() - began;
    }
    SSL_do_handshake(connection->client);
    char byte = '!';
    connection->server->try_write({&byte, 1});
    SSL_read(connection->client, &byte, 1);  // the ticket comes with it
    return connection;
  }

  SystemClock clock;
  net::Loop loop;
  net::Deadlines deadlines{loop};
  std::unique_ptr<ServerContext> context;
};

enum Kind { no_certificate, full, resumed };

void handshake_ours(benchmark::State& state, bool rsa, Kind kind) {
  auto const& all = certificates(rsa);
  Ours ours(all, kind != no_certificate);
  auto* const client = client_context(all, kind != no_certificate);
  double cpu = 0, ignored = 0;
  (void)ours.connect(client, false, ignored);
  for (auto _ : state) {
    auto const connection = ours.connect(client, kind == resumed, cpu);
    if (connection->server->session().resumed != (kind == resumed)) {
      state.SkipWithError("not the kind of handshake that was wanted");
    }
  }
  state.counters["server_us"] =
      benchmark::Counter(cpu * 1e6 / static_cast<double>(state.iterations()));
  SSL_CTX_free(client);
}

void handshake_default(benchmark::State& state, bool rsa, Kind kind) {
  auto const& all = certificates(rsa);
  auto* const server = SSL_CTX_new(TLS_server_method());
  SSL_CTX_use_certificate(server, decode(all.server));
  SSL_CTX_use_PrivateKey(server, all.server.key.handle());
  SSL_CTX_set_session_id_context(server, reinterpret_cast<unsigned char const*>("b"), 1);
  if (kind != no_certificate) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(server), decode(all.root));
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER, nullptr);
  }
  auto* const client_side = client_context(all, kind != no_certificate);
  double cpu = 0;
  auto const connect = [&] {
    int ends[2];
    socket_pair(ends);
    auto* const client = new_client(client_side, ends[1], kind == resumed);
    auto began = cpu_seconds();
    auto* const ssl = SSL_new(server);
    SSL_set_fd(ssl, ends[0]);
    SSL_set_accept_state(ssl);
    cpu += cpu_seconds() - began;
    for (int over = 0; over != 1;) {
      SSL_do_handshake(client);
      began = cpu_seconds();
      over = SSL_do_handshake(ssl);
      cpu += cpu_seconds() - began;
    }
    SSL_do_handshake(client);
    char byte = '!';
    SSL_write(ssl, &byte, 1);
    SSL_read(client, &byte, 1);
    began = cpu_seconds();
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl);
    cpu += cpu_seconds() - began;
    SSL_set_quiet_shutdown(client, 1);
    SSL_shutdown(client);
    SSL_free(client);
    ::close(ends[0]);
    ::close(ends[1]);
  };
  connect();
  cpu = 0;
  for (auto _ : state) connect();
  state.counters["server_us"] =
      benchmark::Counter(cpu * 1e6 / static_cast<double>(state.iterations()));
  SSL_CTX_free(server);
  SSL_CTX_free(client_side);
}

// Heap held by idle connections on our side alone: what closing our ends gives back.
void idle_memory(benchmark::State& state, Kind kind) {
  auto const& all = certificates(false);
  for (auto _ : state) {
    Ours ours(all, kind != no_certificate);
    auto* const client = client_context(all, kind != no_certificate);
    double ignored = 0;
    std::vector<std::unique_ptr<Ours::Connection>> open;
    constexpr std::size_t count = 200;
    for (std::size_t i = 0; i < count; ++i) open.push_back(ours.connect(client, false, ignored));
    auto const before = mallinfo2().uordblks;
    for (auto const& connection : open) connection->server.reset();
    auto const freed = before - mallinfo2().uordblks;
    state.counters["bytes_per_idle"] =
        benchmark::Counter(static_cast<double>(freed) / static_cast<double>(count));
    state.counters["bytes_of_object"] = benchmark::Counter(sizeof(ServerStream));
    state.counters["store_charge"] = benchmark::Counter(
        static_cast<double>(ours.context->options().sessions->bytes()) / count);
    auto const held = mallinfo2().uordblks;
    ours.context->options().sessions->clear();
    state.counters["bytes_in_store"] = benchmark::Counter(
        static_cast<double>(held - mallinfo2().uordblks) / static_cast<double>(count));
    open.clear();
    SSL_CTX_free(client);
  }
}

void parse_identity(benchmark::State& state, bool rsa) {
  auto const& all = certificates(rsa);
  auto const issued = rsa ? all.intermediate : all.server;
  auto const certificate = issued.pem();
  auto const key = issued.key.pem();
  for (auto _ : state) benchmark::DoNotOptimize(ServerIdentity::parse(certificate, key));
}

BENCHMARK_CAPTURE(handshake_default, ec_full, false, full);
BENCHMARK_CAPTURE(handshake_ours, ec_full, false, full);
BENCHMARK_CAPTURE(handshake_default, ec_resumed, false, resumed);
BENCHMARK_CAPTURE(handshake_ours, ec_resumed, false, resumed);
BENCHMARK_CAPTURE(handshake_default, rsa_full, true, full);
BENCHMARK_CAPTURE(handshake_ours, rsa_full, true, full);
BENCHMARK_CAPTURE(handshake_default, no_certificate, false, no_certificate);
BENCHMARK_CAPTURE(handshake_ours, no_certificate, false, no_certificate);
// Always as many, for counting instructions under callgrind.
BENCHMARK_CAPTURE(handshake_ours, hundred_ec_full, false, full)->Iterations(100);
BENCHMARK_CAPTURE(handshake_ours, hundred_rsa_full, true, full)->Iterations(100);
BENCHMARK_CAPTURE(handshake_ours, hundred_resumed, false, resumed)->Iterations(100);
BENCHMARK_CAPTURE(handshake_ours, hundred_without, false, no_certificate)->Iterations(100);
BENCHMARK_CAPTURE(idle_memory, ec, full)->Iterations(1);
BENCHMARK_CAPTURE(idle_memory, no_certificate, no_certificate)->Iterations(1);
BENCHMARK_CAPTURE(parse_identity, ec, false);
BENCHMARK_CAPTURE(parse_identity, rsa, true);

}  // namespace
}  // namespace certgate::tls
