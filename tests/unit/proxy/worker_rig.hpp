// A whole Worker on one loop with a scripted origin and TLS clients, all on loopback.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "certgate/net/stream.hpp"
#include "certgate/proxy/worker.hpp"
#include "certgate/telemetry/traffic.hpp"
#include "certgate/tls/connector.hpp"
#include "support/test_ca.hpp"

namespace certgate::proxy {

inline constexpr std::chrono::milliseconds rig_patience{60'000};

// Answers each request as the test says, and keeps what it was sent.
class ScriptedOrigin {
 public:
  enum class Then { keep, close };
  struct Answer {
    std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    Then then = Then::keep;
  };
  // `number` counts connections from 0. Called when the head and, unless `answers_early`, the body
  // of a request have come.
  std::function<Answer(std::string const& request, int number)> answer =
      [](std::string const&, int) { return Answer{}; };
  bool answers_early = false;
  // What came behind an answer of 101.
  std::string tunnelled;

  struct Taken {
    std::string text;
    int connection;
  };
  std::vector<Taken> requests;
  int connections = 0;

  explicit ScriptedOrigin(net::Loop& loop)
      : loop_(loop), listener_(loop, *net::open_listener(*IpEndpoint::parse("127.0.0.1:0"), 16)) {
    endpoint_ = *net::local_endpoint(listener_.fd());
    net::start(accept());
  }
  ~ScriptedOrigin() {
    stop_listening();
    for (auto const& stream : streams_) stream->socket().close();
    EXPECT_TRUE(loop_.run_until([this] { return running_ == 0; }, rig_patience));
  }
  ScriptedOrigin(ScriptedOrigin const&) = delete;
  ScriptedOrigin& operator=(ScriptedOrigin const&) = delete;

  IpEndpoint endpoint() const { return endpoint_; }
  void stop_listening() { listener_.close(); }

 private:
  net::Task<void> accept() {
    ++running_;
    for (;;) {
      auto const ready = co_await listener_.readable();
      if (ready == net::Ready::cancelled || !listener_.is_open()) break;
      IpEndpoint peer;
      int const fd = net::accept_one(listener_.fd(), peer);
      if (fd < 0) continue;
      streams_.push_back(std::make_unique<net::PlainStream>(loop_, fd));
      net::start(serve(*streams_.back(), connections++));
    }
    --running_;
  }

  // Whether `text` begins with a whole request; its size.
  bool is_whole(std::string const& text, std::size_t& size) const {
    auto const end = text.find("\r\n\r\n");
    if (end == text.npos) return false;
    size = end + 4;
    auto const field = text.find("Content-Length: ");
    if (field < end && !answers_early) size += std::stoul(text.substr(field + 16));
    return text.size() >= size;
  }

  net::Task<void> serve(net::Stream& stream, int number) {
    ++running_;
    std::string text;
    bool in_tunnel = false;
    for (;;) {
      char piece[4096];
      auto const room = std::span<char>(piece);
      auto const result = co_await net::read_some(stream, room);
      if (result.status != net::IoStatus::done) break;
      auto& into = in_tunnel ? tunnelled : text;
      into.append(piece, result.bytes);
      std::size_t size = 0;
      if (in_tunnel || !is_whole(text, size)) continue;
      requests.push_back({text.substr(0, size), number});
      text.erase(0, size);
      auto const said = answer(requests.back().text, number);
      in_tunnel = said.bytes.starts_with("HTTP/1.1 101");
      auto const bytes = std::span<char const>(said.bytes);
      auto const written = co_await net::write_all(stream, bytes);
      if (written != net::IoStatus::done || said.then == Then::close) break;
    }
    stream.socket().close();
    --running_;
  }

  net::Loop& loop_;
  net::Socket listener_;
  IpEndpoint endpoint_;
  std::vector<std::unique_ptr<net::PlainStream>> streams_;
  int running_ = 0;
};

// One connection to the worker, with or without a certificate.
class TestClient {
 public:
  TestClient(net::Loop& loop, IpEndpoint const& worker, testing::Issued const& server_ca,
             testing::Issued const* certificate)
      : loop_(loop) {
    tls::ClientOptions options;
    options.server_name = "api.example.com";
    options.authorities = {server_ca.facts};
    if (certificate != nullptr) {
      options.identity = *tls::ServerIdentity::parse(certificate->pem(), certificate->key.pem(),
                                                     tls::IdentityUse::client);
    }
    stream_ = std::make_unique<tls::ClientStream>(loop, *tls::ClientContext::build(options));
    net::start(run(worker));
    EXPECT_TRUE(until([this] { return ready_ || ended_; }));
    EXPECT_TRUE(ready_);
  }
  ~TestClient() {
    stream_->socket().close();
    EXPECT_TRUE(until([this] { return ended_; }));
  }
  TestClient(TestClient const&) = delete;
  TestClient& operator=(TestClient const&) = delete;

  void send(std::string_view bytes) {
    auto const result = stream_->try_write(std::span<char const>(bytes.data(), bytes.size()));
    EXPECT_EQ(result.status, net::IoStatus::done);
    EXPECT_EQ(result.bytes, bytes.size());
    EXPECT_EQ(stream_->flush(), net::IoStatus::done);
  }
  // Sends a request and gives the answer, whole with its body; what came of it if it ended early.
  std::string ask(std::string_view request) {
    received_.clear();
    send(request);
    EXPECT_TRUE(until([this] { return ended_ || has_answer(); }));
    return received_;
  }
  std::string get(std::string_view path = "/", std::string_view fields = {}) {
    return ask("GET " + std::string(path) + " HTTP/1.1\r\nHost: api.example.com\r\n" +
               std::string(fields) + "\r\n");
  }
  std::string const& received() const { return received_; }
  bool ended() const { return ended_; }
  bool until(std::function<bool()> const& done) { return loop_.run_until(done, rig_patience); }

 private:
  bool has_answer() const {
    auto const end = received_.find("\r\n\r\n");
    if (end == received_.npos) return false;
    if (received_.starts_with("HTTP/1.1 101")) return true;
    auto const field = received_.find("Content-Length: ");
    return field < end && received_.size() >= end + 4 + std::stoul(received_.substr(field + 16));
  }

  net::Task<void> run(IpEndpoint worker) {
    auto const address = net::SocketAddress{worker, {}};
    auto const connected = co_await net::connect(stream_->socket(), address);
    bool good = connected.has_value();
    if (good) {
      auto const agreed = co_await stream_->handshake();
      good = agreed.has_value();
      ready_ = good;
    }
    while (good) {
      char piece[4096];
      auto const room = std::span<char>(piece);
      auto const result = co_await net::read_some(*stream_, room);
      good = result.status == net::IoStatus::done;
      if (good) received_.append(piece, result.bytes);
    }
    ended_ = true;
  }

  net::Loop& loop_;
  std::unique_ptr<tls::ClientStream> stream_;
  std::string received_;
  bool ready_ = false, ended_ = false;
};

// The worker serves api.example.com for clients of one CA; rules are the test's.
class WorkerRig {
 public:
  WorkerRig() {
    auto server = testing::client_spec("api.example.com");
    server.extended_key_usage = "serverAuth";
    server.alt_names = {{x509::SanType::dns, "api.example.com"}};
    auto const identity = testing::issue(server, &server_ca);
    identity_ = *tls::ServerIdentity::parse(identity.pem(), identity.key.pem(),
                                            tls::IdentityUse::server);
    trust_ = *x509::Trust::build({ca.facts}, {});

    WorkerOptions options;
    options.tls.clock = &clock;
    options.connections = std::make_shared<ConnectionCount>();
    options.metrics = &registry_.worker(0);
    options_ = std::move(options);
  }
  // What holds the loop must go before it.
  ~WorkerRig() {
    if (worker_ == nullptr) return;
    clients_.clear();
    worker_->drain();
    worker_->close_all();
    EXPECT_TRUE(until([this] { return worker_->connection_count() == 0; }));
    origin_server.reset();
    bool over = false;
    loop().post([&over] { over = true; });
    EXPECT_TRUE(until([&over] { return over; }));
  }
  WorkerRig(WorkerRig const&) = delete;
  WorkerRig& operator=(WorkerRig const&) = delete;

  // Begins to serve with these rules. `servers` besides the scripted one come before it.
  void start(std::vector<policy::RuleText> rules = {}, std::vector<IpEndpoint> servers = {}) {
    // The origin needs the worker's loop, and the Generation that is in force the origin.
    auto generation = make_generation(std::move(rules));
    worker_ = std::move(*Worker::build(options_, generation));
    origin_server = std::make_unique<ScriptedOrigin>(loop());
    servers.push_back(origin_server->endpoint());
    upstream::OriginSettings settings;
    settings.name = "api";
    for (auto const& endpoint : servers) {
      upstream::ServerSettings one;
      one.label = "http://" + endpoint.to_string();
      one.address.ip = endpoint;
      one.authority = endpoint.to_string();
      settings.servers.push_back(std::move(one));
    }
    origin_ = std::make_shared<upstream::Origin>(std::move(settings));
    generation->origins = {origin_};
    adopt(generation);
    int const fd = *net::open_listener(*IpEndpoint::parse("127.0.0.1:0"), 16);
    auto listener = std::make_shared<ListenerSettings>();
    listener->endpoint = endpoint_ = *net::local_endpoint(fd);
    worker_->listen(std::move(listener), fd);
  }

  std::shared_ptr<Generation> make_generation(std::vector<policy::RuleText> rules,
                                              x509::DenyList::Pointer deny_list = nullptr) {
    tls::HostOptions host;
    host.names = {*HostPattern::parse("api.example.com")};
    host.identities = {identity_};
    host.client.mode = x509::ClientAuthMode::request;
    host.client.trust = trust_;
    host.profile = *tls::Profile::build({});
    auto site = std::make_shared<Site>();
    site->name = "api.example.com";
    site->tls = *tls::HostSettings::build(std::move(host));
    site->request_fields = std::make_shared<RequestFields const>();
    auto table = std::make_shared<HostTable<Site const*>>();
    table->insert(site->tls->names().front(), site.get());

    auto generation = std::make_shared<Generation>();
    generation->reads_body = false;  // its rules do not
    generation->number = ++version_;
    generation->tls_hosts = *tls::ServerHosts::build({site->tls});
    generation->sites = {site};
    generation->hosts = std::move(table);
    if (origin_ != nullptr) generation->origins = {origin_};
    generation->deny_list = std::move(deny_list);
    std::vector<telemetry::RuleLabel> labels;
    for (auto const& rule : rules) labels.push_back({rule.name, "block"});
    policy::PolicyText text;
    text.live.rules = std::move(rules);
    auto built = policy::Policy::build(std::move(text));
    if (!built) ADD_FAILURE() << render(built.error());
    generation->policy = std::make_shared<policy::Policy const>(std::move(*built));
    generation->metrics = std::make_shared<telemetry::TrafficMetrics const>(registry_, labels);
    return generation;
  }
  void adopt(std::shared_ptr<Generation const> generation) {
    auto const adopted = worker_->adopt(std::move(generation));
    EXPECT_TRUE(adopted);
  }

  TestClient& connect(testing::Issued const* certificate = nullptr) {
    clients_.push_back(std::make_unique<TestClient>(loop(), endpoint_, server_ca, certificate));
    return *clients_.back();
  }
  net::Loop& loop() { return worker_->loop(); }
  Worker& worker() { return *worker_; }
  IpEndpoint endpoint() const { return endpoint_; }
  bool until(std::function<bool()> const& done) { return loop().run_until(done, rig_patience); }

  testing::Issued const ca = testing::make_ca("Devices");
  testing::Issued const server_ca = testing::make_ca("Servers");
  ManualClock clock{testing::test_now()};
  std::unique_ptr<ScriptedOrigin> origin_server;

 private:
  tls::ServerIdentity::Pointer identity_;
  x509::Trust::Pointer trust_;
  telemetry::MetricRegistry registry_{1};
  WorkerOptions options_;
  std::unique_ptr<Worker> worker_;
  std::shared_ptr<upstream::Origin> origin_;
  std::vector<std::unique_ptr<TestClient>> clients_;
  IpEndpoint endpoint_;
  std::uint64_t version_ = 0;
};

inline policy::RuleText block(std::string expression) {
  policy::RuleText rule;
  rule.name = "blocks";
  rule.expression = std::move(expression);
  return rule;
}

}  // namespace certgate::proxy
