// A worker as a whole: what the rules see, what is tried again, what is kept, what ends a tunnel.
#include "certgate/proxy/worker.hpp"

#include <gmock/gmock.h>

#include "worker_rig.hpp"

namespace certgate::proxy {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Then = ScriptedOrigin::Then;
using Answer = ScriptedOrigin::Answer;

constexpr char ok[] = "HTTP/1.1 200";

// --- Facts ------------------------------------------------------------------------------------

// Every row is true of the request below, from a client with a certificate.
TEST(WorkerFacts, rules_see_what_the_connection_and_the_request_are) {
  WorkerRig rig;
  auto const device = testing::make_client("sensor-7", rig.ca);
  rig.start();
  auto& client = rig.connect(&device);
  auto const& facts = *device.facts;
  auto const quote = [](std::string_view text) { return "\"" + std::string(text) + "\""; };
  std::vector<std::string> const rows = {
      R"(http.host eq "api.example.com")",
      R"(http.request.method eq "PUT")",
      R"(http.request.uri.path eq "/v1/a%20b")",
      R"(http.request.uri.query eq "k=v&k=w")",
      R"(raw.http.request.uri.path eq "/v1/./a%20b")",
      R"(http.request.uri.args["k"][1] eq "w")",
      R"(http.request.version eq "HTTP/1.1")",
      R"(http.request.headers["x-one"][0] eq "1")",
      R"(http.user_agent eq "test/1")",
      R"(http.referer eq "https://example.com/")",
      R"(http.cookie eq "a=b")",
      R"(http.request.cookies["a"][0] eq "b")",
      R"(ip.src eq 127.0.0.1)",
      R"(ssl)",
      R"(cf.tls_version eq "TLSv1.3")",
      R"(starts_with(cf.tls_cipher, "AEAD-") or starts_with(cf.tls_cipher, "TLS_"))",
      "cf.edge.server_port eq " + std::to_string(rig.endpoint().port),
      R"(cf.edge.server_ip eq 127.0.0.1)",
      "http.request.timestamp.sec eq " + std::to_string(rig.clock.unix_seconds()),
      R"(len(cf.ray_id) eq 16)",
      R"(cf.tls_client_auth.cert_presented)",
      R"(cf.tls_client_auth.cert_verified)",
      R"(not cf.tls_client_auth.cert_revoked)",
      R"(cf.tls_client_auth.cert_subject_dn eq )" + quote(facts.subject_dn()),
      R"(cf.tls_client_auth.cert_issuer_dn eq )" + quote(facts.issuer_dn()),
      R"(cf.tls_client_auth.cert_serial eq )" + quote(facts.serial()),
      R"(cf.tls_client_auth.cert_fingerprint_sha256 eq )" + quote(facts.fingerprint_sha256()),
      R"(cf.tls_client_auth.cert_not_after eq )" + quote(facts.not_after_text()),
  };
  for (auto const& row : rows) {
    rig.adopt(rig.make_generation({block("not (" + row + ")")}));
    EXPECT_THAT(client.ask("PUT /v1/./a%20b?k=v&k=w HTTP/1.1\r\nHost: API.example.com\r\nX-One: 1\r\n"
                           "User-Agent: test/1\r\nReferer: https://example.com/\r\nCookie: a=b\r\n"
                           "Content-Length: 2\r\n\r\nhi"),
                StartsWith(ok))
        << row;
  }
  // All of it on one connection, under as many rule sets: the proof that they were asked.
  rig.adopt(rig.make_generation({block(rows.front())}));
  EXPECT_THAT(client.get(), StartsWith("HTTP/1.1 403"));
  EXPECT_EQ(rig.origin_server->requests.size(), rows.size());
}

TEST(WorkerFacts, a_client_without_a_certificate_has_none) {
  WorkerRig rig;
  rig.start();
  auto& client = rig.connect();
  for (auto const* row : {"cf.tls_client_auth.cert_presented", "cf.tls_client_auth.cert_verified",
                          "cf.tls_client_auth.cert_subject_dn ne \"\""}) {
    rig.adopt(rig.make_generation({block(row)}));
    EXPECT_THAT(client.get(), StartsWith(ok)) << row;
  }
}

TEST(WorkerFacts, one_request_leaves_nothing_to_the_next) {
  WorkerRig rig;
  rig.start({block("any(http.request.headers[\"x-bad\"][*] eq \"1\") or "
                   "http.request.uri.query eq \"bad\" or http.cookie eq \"bad\"")});
  auto& client = rig.connect();
  EXPECT_THAT(client.get("/?bad", "X-Bad: 1\r\nCookie: bad\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(client.get(), StartsWith(ok));
}

// --- What is tried again -----------------------------------------------------------------------

// The first request of a connection is answered; the second is read and the connection closed.
Answer closes_when_reused(int& served, int number) {
  if (number == 0 && ++served == 2) return {"", Then::close};
  return {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Then::keep};
}

// The answer to a request that the origin meets with the end of a kept connection.
std::string ask_on_a_dying_connection(WorkerRig& rig, std::string const& method) {
  rig.start();
  rig.origin_server->answer = [served = 0](auto const&, int number) mutable {
    return closes_when_reused(served, number);
  };
  auto& client = rig.connect();
  EXPECT_THAT(client.get(), StartsWith(ok));
  return client.ask(method + " / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 0\r\n\r\n");
}

TEST(WorkerRetry, an_idempotent_request_is_repeated_once_when_a_kept_connection_dies) {
  for (std::string const method : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}) {
    WorkerRig rig;
    EXPECT_THAT(ask_on_a_dying_connection(rig, method), StartsWith(ok)) << method;
    ASSERT_EQ(rig.origin_server->requests.size(), 3u) << method;
    EXPECT_EQ(rig.origin_server->requests[1].text, rig.origin_server->requests[2].text) << method;
    EXPECT_EQ(rig.origin_server->requests[2].connection, 1) << method;
  }
}

TEST(WorkerRetry, what_may_have_had_an_effect_is_not_repeated) {
  for (std::string const method : {"POST", "PATCH", "MERGE"}) {
    WorkerRig rig;
    EXPECT_THAT(ask_on_a_dying_connection(rig, method), StartsWith("HTTP/1.1 502")) << method;
    EXPECT_EQ(rig.origin_server->requests.size(), 2u) << method;
  }
}

TEST(WorkerRetry, a_new_connection_that_dies_is_the_origins_fault) {
  WorkerRig rig;
  rig.start();
  rig.origin_server->answer = [](auto const&, int) { return Answer{"", Then::close}; };
  EXPECT_THAT(rig.connect().get(), StartsWith("HTTP/1.1 502"));
  EXPECT_EQ(rig.origin_server->requests.size(), 1u);
}

TEST(WorkerRetry, an_answer_that_has_begun_is_not_asked_for_again) {
  WorkerRig rig;
  rig.start();
  int served = 0;
  rig.origin_server->answer = [&](auto const&, int) {
    return ++served == 2 ? Answer{"HTTP/1.1 2", Then::close} : Answer{};
  };
  auto& client = rig.connect();
  EXPECT_THAT(client.get(), StartsWith(ok));
  EXPECT_THAT(client.get(), StartsWith("HTTP/1.1 502"));
  EXPECT_EQ(rig.origin_server->requests.size(), 2u);
}

TEST(WorkerRetry, a_second_death_is_the_end_of_it) {
  WorkerRig rig;
  rig.start();
  int served = 0;
  rig.origin_server->answer = [&](auto const&, int) {
    return ++served == 1 ? Answer{} : Answer{"", Then::close};
  };
  auto& client = rig.connect();
  EXPECT_THAT(client.get(), StartsWith(ok));
  EXPECT_THAT(client.get(), StartsWith("HTTP/1.1 502"));
  EXPECT_EQ(rig.origin_server->requests.size(), 3u);
}

// Nothing was sent to the first, so that it makes no difference what the request does.
TEST(WorkerRetry, another_server_takes_what_the_first_refuses) {
  for (std::string const method : {"GET", "POST"}) {
    WorkerRig rig;
    // Bound and not listening: nobody else can take the port, and connecting is refused.
    int const dead = *net::bind_listener(*IpEndpoint::parse("127.0.0.1:0"));
    rig.start({}, {*net::local_endpoint(dead)});
    auto& client = rig.connect();
    for (int i = 0; i < 4; ++i) {
      EXPECT_THAT(client.ask(method + " / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 2\r\n\r\nhi"),
                  StartsWith(ok))
          << method;
    }
    EXPECT_EQ(rig.origin_server->requests.size(), 4u) << method;
    ::close(dead);
  }
}

TEST(WorkerRetry, when_every_server_refuses_the_client_is_told) {
  WorkerRig rig;
  rig.start();
  rig.origin_server->stop_listening();
  EXPECT_THAT(rig.connect().get(), StartsWith("HTTP/1.1 502"));
}

// --- What is kept ------------------------------------------------------------------------------

// How many connections two requests in a row take, the first with `request` and `answer`.
int connections_for(std::string const& request, Answer const& answer, bool early = false) {
  WorkerRig rig;
  rig.start();
  rig.origin_server->answers_early = early;
  bool first = true;
  rig.origin_server->answer = [&](auto const&, int) {
    return std::exchange(first, false) ? answer : Answer{};
  };
  rig.connect().ask(request);
  EXPECT_THAT(rig.connect().get(), StartsWith(ok));
  return rig.origin_server->connections;
}

constexpr char plain_get[] = "GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n";

TEST(WorkerPool, a_connection_is_used_again) {
  EXPECT_EQ(connections_for(plain_get, {}), 1);
  EXPECT_EQ(connections_for("POST / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 2\r\n\r\nhi", {}),
            1);
  EXPECT_EQ(connections_for(plain_get, {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"}), 1);
}

TEST(WorkerPool, not_after_the_origin_said_close) {
  EXPECT_EQ(connections_for(
                plain_get, {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"}),
            2);
  EXPECT_EQ(connections_for(plain_get, {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"}), 2);
}

TEST(WorkerPool, not_after_more_bytes_than_the_answer_has) {
  EXPECT_EQ(connections_for(
                plain_get, {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n"}),
            2);
}

// RFC 4559: what comes next on it would be taken for the same user's.
TEST(WorkerPool, not_when_the_connection_itself_is_logged_in) {
  for (std::string const scheme : {"NTLM", "ntlm", "Negotiate"}) {
    auto const request = "GET / HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: " + scheme +
                         " TlRMTVNTUAAB\r\n\r\n";
    EXPECT_EQ(connections_for(request, {}), 2) << scheme;
    Answer const challenge{"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a\", " +
                           scheme + " TlRMTVNTUAAC\r\nContent-Length: 0\r\n\r\n"};
    EXPECT_EQ(connections_for(plain_get, challenge), 2) << scheme;
  }
  EXPECT_EQ(connections_for("GET / HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Basic YTpi\r\n\r\n",
                            {}),
            1);
}

TEST(WorkerPool, not_when_the_request_was_never_sent_whole) {
  // Half of the body comes; the origin answers when it has seen the head.
  EXPECT_EQ(connections_for("POST / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 100\r\n\r\nhalf",
                            {}, true),
            2);
}

TEST(WorkerPool, not_after_a_tunnel) {
  WorkerRig rig;
  rig.start();
  bool first = true;
  rig.origin_server->answer = [&](auto const&, int) {
    if (!std::exchange(first, false)) return Answer{};
    return Answer{"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"};
  };
  auto& client = rig.connect();
  EXPECT_THAT(client.get("/", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
              StartsWith("HTTP/1.1 101"));
  EXPECT_THAT(rig.connect().get(), StartsWith(ok));
  EXPECT_EQ(rig.origin_server->connections, 2);
}

// --- Tunnels -----------------------------------------------------------------------------------

x509::DenyList::Pointer deny(std::string_view serial) {
  x509::DenyEntry entry;
  entry.serial = std::string(serial);
  return *x509::DenyList::build({entry});
}

struct TunnelRig : WorkerRig {
  testing::Issued const device;
  TestClient* client = nullptr;

  explicit TunnelRig(std::optional<UnixSeconds> not_after = std::nullopt)
      : device(testing::issue(with(not_after), &ca)) {
    start(rules());
    origin_server->answer = [](auto const&, int) {
      return Answer{"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"};
    };
    client = &connect(&device);
    EXPECT_THAT(client->get("/", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
                StartsWith("HTTP/1.1 101"));
  }
  static testing::CertificateSpec with(std::optional<UnixSeconds> not_after) {
    auto spec = testing::client_spec("sensor-7");
    spec.not_after = not_after;
    return spec;
  }
  static std::vector<policy::RuleText> rules() {
    return {block("not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked")};
  }
  bool carries(std::string const& word) {
    client->send(word);
    return until([&] {
      return client->ended() || origin_server->tunnelled.find(word) != std::string::npos;
    }) && !client->ended();
  }
};

TEST(WorkerTunnel, goes_on_while_its_client_is_allowed) {
  TunnelRig rig;
  EXPECT_TRUE(rig.carries("one"));
  rig.adopt(rig.make_generation(TunnelRig::rules()));
  EXPECT_TRUE(rig.carries("two"));
  // Another client's denial is none of its business.
  rig.adopt(rig.make_generation(TunnelRig::rules(), deny("0A")));
  EXPECT_TRUE(rig.carries("three"));
}

TEST(WorkerTunnel, is_closed_when_the_certificate_is_denied) {
  TunnelRig rig;
  EXPECT_TRUE(rig.carries("one"));
  rig.adopt(rig.make_generation(TunnelRig::rules(), deny(rig.device.facts->serial())));
  EXPECT_TRUE(rig.until([&] { return rig.client->ended(); }));
}

TEST(WorkerTunnel, is_closed_when_a_rule_now_blocks_it) {
  TunnelRig rig;
  EXPECT_TRUE(rig.carries("one"));
  rig.adopt(rig.make_generation({block("http.request.uri.path eq \"/\"")}));
  EXPECT_TRUE(rig.until([&] { return rig.client->ended(); }));
}

TEST(WorkerTunnel, is_closed_when_the_certificate_expires) {
  auto const until = testing::test_now() + 600;
  TunnelRig rig(until);
  EXPECT_TRUE(rig.carries("one"));
  rig.clock.set(until);
  EXPECT_TRUE(rig.carries("in its last second"));
  rig.clock.set(until + 1);
  EXPECT_TRUE(rig.until([&] { return rig.client->ended(); }));
}

}  // namespace
}  // namespace certgate::proxy
