// Who is let in, under which host's rules, and what is noted down when nobody is.
#include <gtest/gtest.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.hpp"

namespace certgate::tls {
namespace {

using x509::ClientAuthMode;

ServerHosts::Pointer one_host(ClientAuthMode mode, std::string const& name = "api.example.com") {
  return hosts({host({name}, policy_of(mode, {&authorities().root}))});
}

std::string name_of_version(::testing::TestParamInfo<int> const& info) {
  return info.param == TLS1_2_VERSION ? "tls_1_2" : "tls_1_3";
}

class Handshake : public ::testing::TestWithParam<int> {
 protected:
  ClientConfig config(Issued const* certificate = nullptr) const {
    ClientConfig out;
    out.version = GetParam();
    out.certificate = certificate;
    return out;
  }
  bool is_1_3() const { return GetParam() == TLS1_3_VERSION; }
};
INSTANTIATE_TEST_SUITE_P(Versions, Handshake, ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         name_of_version);

TEST_P(Handshake, without_a_client_certificate_agrees_on_a_session) {
  Rig rig(one_host(ClientAuthMode::off));
  auto const c = rig.connect(config(&authorities().client));
  ASSERT_TRUE(c->ok());
  EXPECT_FALSE(c->client->asked_for_certificate());
  EXPECT_EQ(c->session().version, is_1_3() ? "TLSv1.3" : "TLSv1.2");
  EXPECT_EQ(c->session().cipher,
            is_1_3() ? "TLS_AES_128_GCM_SHA256" : "ECDHE-ECDSA-AES128-GCM-SHA256");
  EXPECT_EQ(c->session().server_name, "api.example.com");
  EXPECT_EQ(c->session().chain, nullptr);
  EXPECT_FALSE(c->session().resumed);
  EXPECT_GT(c->session().handshake.count(), 0);
  EXPECT_EQ(rig.context->counts().full, 1U);
}

TEST_P(Handshake, bytes_pass_both_ways) {
  Rig rig(one_host(ClientAuthMode::off));
  auto const c = rig.connect(config());
  ASSERT_TRUE(c->ok());
  EXPECT_EQ(c->client->write("hello"), "");
  char buffer[64];
  auto const got = c->server->try_read(buffer);
  EXPECT_EQ(got.status, net::IoStatus::done);
  EXPECT_EQ(std::string_view(buffer, got.bytes), "hello");
  EXPECT_EQ(c->server->try_read(buffer).status, net::IoStatus::want_read);
  EXPECT_EQ(c->server->try_write(std::string_view("world")).bytes, 5U);
  EXPECT_EQ(c->client->read(), "world");
  c->server->finish();
  EXPECT_EQ(c->client->read(), "");
  EXPECT_NE(SSL_get_shutdown(c->client->ssl()) & SSL_RECEIVED_SHUTDOWN, 0);
}

TEST_P(Handshake, every_host_announces_the_authorities_that_it_trusts_now) {
  std::vector<Issued> many;
  for (std::size_t i = 0; i <= max_announced_authorities; ++i) {
    many.push_back(testing::make_ca("Root " + std::to_string(i)));
  }
  std::vector<Issued const*> all;
  for (auto const& one : many) all.push_back(&one);
  auto const trusting = [&](std::size_t count) {
    return policy_of(ClientAuthMode::request, {all.begin(), all.begin() + static_cast<long>(count)});
  };
  auto const open = host({"open.example.com"}, policy_of(ClientAuthMode::off, {}));
  Rig rig(hosts({open, host({"a.example.com"}, trusting(1)), host({"b.example.com"}, trusting(2)),
                 host({"c.example.com"}, trusting(all.size()))}));
  auto const announced = [&](std::string name) {
    auto wanted = config();
    wanted.server_name = std::move(name);
    auto const c = rig.connect(wanted);
    EXPECT_TRUE(c->ok());
    EXPECT_EQ(c->client->asked_for_certificate(), wanted.server_name != "open.example.com");
    return std::max(c->client->announced_authorities(), 0);
  };
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(announced("a.example.com"), 1);
    EXPECT_EQ(announced("b.example.com"), 2);
    EXPECT_EQ(announced("c.example.com"), 0);  // too many
    EXPECT_EQ(announced("open.example.com"), 0);
  }
  auto const next = hosts({host({"c.example.com"}, trusting(all.size())),
                           host({"a.example.com"}, trusting(3)), open});
  ASSERT_TRUE(rig.context->set_hosts(next));
  EXPECT_EQ(announced("c.example.com"), 0);
  EXPECT_EQ(announced("a.example.com"), 3);
  ASSERT_TRUE(rig.context->set_hosts(hosts({open, host({"b.example.com"}, trusting(1))})));
  EXPECT_EQ(announced("open.example.com"), 0);
  EXPECT_EQ(announced("b.example.com"), 1);
}

TEST_P(Handshake, request_accepts_whatever_the_client_sends) {
  Rig rig(one_host(ClientAuthMode::request));
  auto const none = rig.connect(config());
  ASSERT_TRUE(none->ok());
  EXPECT_TRUE(none->client->asked_for_certificate());
  EXPECT_EQ(none->client->announced_authorities(), 1);
  EXPECT_EQ(none->session().chain, nullptr);

  auto const good = rig.connect(config(&authorities().client));
  ASSERT_TRUE(good->ok());
  ASSERT_NE(good->session().chain, nullptr);
  EXPECT_EQ(good->session().chain->leaf().subject_common_name(), "device-1");
  EXPECT_TRUE(good->session().verification->verified);

  auto const foreign = rig.connect(config(&authorities().other_client));
  ASSERT_TRUE(foreign->ok());
  EXPECT_EQ(foreign->session().chain->leaf().subject_common_name(), "device-b");
  EXPECT_FALSE(foreign->session().verification->verified);
}

TEST_P(Handshake, require_lets_a_verified_client_in) {
  Rig rig(one_host(ClientAuthMode::require));
  auto const c = rig.connect(config(&authorities().client));
  ASSERT_TRUE(c->ok()) << c->failure().detail;
  EXPECT_EQ(c->session().chain->leaf().subject_common_name(), "device-1");
}

TEST_P(Handshake, require_says_what_is_wrong_with_the_right_alert) {
  auto const& all = authorities();
  auto const now = testing::test_now();
  auto spec = testing::client_spec("late");
  spec.not_before = now - 200;
  spec.not_after = now - 100;
  auto const expired = testing::issue(spec, &all.root);
  auto revoked = policy_of(ClientAuthMode::require, {&all.root});
  struct Case {
    Issued const* certificate;
    HandshakeFault fault;
    int alert;
    std::string_view reason;
  };
  for (auto const& want : {
           Case{nullptr, HandshakeFault::no_certificate, is_1_3() ? 116 : 40, ""},
           Case{&expired, HandshakeFault::certificate_rejected, 45,
                "FAILED:certificate has expired"},
           Case{&all.other_client, HandshakeFault::certificate_rejected, 48,
                "FAILED:unable to get local issuer certificate"},
       }) {
    Rig rig(one_host(ClientAuthMode::require));
    auto const c = rig.connect(config(want.certificate));
    ASSERT_FALSE(c->ok());
    auto const& failure = c->failure();
    EXPECT_EQ(name_of(failure.fault), name_of(want.fault)) << failure.detail;
    EXPECT_EQ(alert_name(failure.alert_sent), alert_name(want.alert));
    EXPECT_EQ(alert_name(c->client->alert()), alert_name(want.alert));
    EXPECT_EQ(failure.verify_reason, want.reason);
    EXPECT_FALSE(failure.detail.empty());
    EXPECT_EQ(failure.server_name, "api.example.com");
    EXPECT_EQ(failure.version, is_1_3() ? "TLSv1.3" : "TLSv1.2");
    EXPECT_EQ(failure.chain != nullptr, want.certificate != nullptr);
    EXPECT_EQ(rig.context->counts().failed, 1U);
  }
}

TEST_P(Handshake, chooses_the_certificate_that_the_client_can_verify) {
  auto const& all = authorities();
  auto const rsa = server_certificate({"api.example.com"}, all.server_ca,
                                      &testing::TestKey::cached(testing::KeyKind::rsa2048));
  HostOptions options;
  options.names = {*HostPattern::parse("api.example.com")};
  options.identities = {identity_of(all.server), identity_of(rsa)};
  options.profile = *Profile::build({});
  Rig rig(hosts({*HostSettings::build(options)}));
  for (auto const& [sigalgs, nid] : {std::pair{"ECDSA+SHA256", EVP_PKEY_EC},
                                     std::pair{"RSA-PSS+SHA256:RSA+SHA256", EVP_PKEY_RSA}}) {
    auto c = config();
    c.sigalgs = sigalgs;
    auto const connection = rig.connect(c);
    ASSERT_TRUE(connection->ok()) << connection->failure().detail;
    auto* const certificate = SSL_get0_peer_certificate(connection->client->ssl());
    EXPECT_EQ(EVP_PKEY_get_base_id(X509_get0_pubkey(certificate)), nid);
  }
  auto c = config();
  c.sigalgs = "ed25519";
  auto const none = rig.connect(c);
  ASSERT_FALSE(none->ok());
  EXPECT_EQ(name_of(none->failure().fault), "no_shared_cipher") << none->failure().detail;
}

TEST_P(Handshake, threat_09_10_11_every_spelling_of_a_name_is_one_host) {
  auto const& all = authorities();
  auto const exact = host({"api.example.com"}, policy_of(ClientAuthMode::request, {&all.root}));
  auto const wild = host({"*.example.com"}, policy_of(ClientAuthMode::request, {&all.other_root}));
  Rig rig(hosts({exact, wild}));
  struct Case {
    std::string name;
    HostSettings::Pointer const& host;
  };
  for (auto const& want : {Case{"api.example.com", exact}, Case{"API.Example.COM", exact},
                           Case{"api.example.com.", exact}, Case{"www.example.com", wild},
                           Case{"WWW.example.com.", wild}, Case{"xn--mnchen-3ya.example.com", wild}}) {
    auto c = config();
    c.server_name = want.name;
    auto const connection = rig.connect(c);
    ASSERT_TRUE(connection->ok()) << want.name << ": " << connection->failure().detail;
    EXPECT_EQ(connection->session().host, want.host->lasting()) << want.name;
  }
}

TEST_P(Handshake, threat_14_unknown_absent_and_odd_names_are_refused_without_a_default_host) {
  Rig rig(one_host(ClientAuthMode::request));
  for (auto const* name : {"", "www.example.org", "example.com", "a.api.example.com",
                           "api.example.com:443", "api_example..com", "10.0.0.1"}) {
    auto c = config();
    c.server_name = name;
    auto const connection = rig.connect(c);
    ASSERT_FALSE(connection->ok()) << name;
    EXPECT_EQ(tls::name_of(connection->failure().fault), "unknown_name") << name;
    EXPECT_EQ(alert_name(connection->client->alert()), "unrecognized_name") << name;
  }
}

TEST_P(Handshake, threat_14_unknown_and_absent_names_get_the_default_host) {
  auto const named = host({"api.example.com"}, policy_of(ClientAuthMode::off, {}));
  auto const any = host({"*"}, policy_of(ClientAuthMode::require, {&authorities().root}));
  Rig rig(hosts({named, any}));
  for (auto const* name : {"", "www.example.org"}) {
    auto c = config();
    c.server_name = name;
    EXPECT_FALSE(rig.connect(c)->ok());
    c.certificate = &authorities().client;
    auto const connection = rig.connect(c);
    ASSERT_TRUE(connection->ok());
    EXPECT_EQ(connection->session().host, any->lasting());
    EXPECT_EQ(connection->session().server_name, name);
  }
}

// Sends what a client would have sent, cut up by the test.
std::string first_flight(ClientConfig const& config) {
  Client client(-1, config);
  auto* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(client.ssl(), BIO_new(BIO_s_mem()), out);
  SSL_do_handshake(client.ssl());
  char* data = nullptr;
  auto const size = BIO_get_mem_data(out, &data);
  return std::string(data, static_cast<std::size_t>(size));
}

TEST_P(Handshake, threat_08_client_hello_in_segments_of_one_byte_keeps_its_name) {
  auto const named = host({"api.example.com"}, policy_of(ClientAuthMode::require,
                                                         {&authorities().root}));
  auto const any = host({"*"}, policy_of(ClientAuthMode::off, {}));
  Rig rig(hosts({named, any}));
  for (bool const split_records : {false, true}) {
    for (auto const* name : {"api.example.com", ""}) {
      auto c = config();
      c.server_name = name;
      auto const flight = first_flight(c);
      int fd = -1;
      auto const connection = rig.open_raw(fd);
      if (!split_records) {
        for (char const byte : flight) {
          ASSERT_EQ(::send(fd, &byte, 1, 0), 1);
          rig.turns(2);
        }
      } else {
        // Records of eight bytes, the way of CVE-2026-32305.
        for (std::size_t i = 5; i < flight.size(); i += 8) {
          auto const piece = flight.substr(i, 8);
          std::string record{'\x16', '\x03', '\x01', '\0', static_cast<char>(piece.size())};
          record += piece;
          ASSERT_EQ(::send(fd, record.data(), record.size(), 0),
                    static_cast<ssize_t>(record.size()));
        }
      }
      bool const answered = rig.run_until([&] {
        char byte;
        return connection->result || ::recv(fd, &byte, 1, MSG_PEEK) == 1;
      });
      EXPECT_TRUE(answered);
      ASSERT_FALSE(connection->result) << connection->failure().detail;
      EXPECT_EQ(connection->session().server_name, name);
      EXPECT_EQ(connection->session().host, *name != '\0' ? named : any);
      ::close(fd);
      EXPECT_TRUE(rig.run_until([&] { return connection->result.has_value(); }));
      EXPECT_EQ(tls::name_of(connection->failure().fault), "closed");
    }
  }
}

TEST_P(Handshake, threat_15_no_session_allows_early_data) {
  Rig rig(one_host(ClientAuthMode::off));
  auto const session = rig.session_after(config());
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(SSL_SESSION_get_max_early_data(session.get()), 0U);
}

TEST_P(Handshake, threat_24_the_identity_is_the_first_certificate_and_no_other) {
  auto const& all = authorities();
  auto const stranger = testing::make_ca("device-1");  // self-signed
  Rig rig(one_host(ClientAuthMode::request));
  auto c = config(&all.client);
  c.others = {&stranger, &all.other_client};
  auto const good = rig.connect(c);
  ASSERT_TRUE(good->ok());
  EXPECT_EQ(good->session().chain->leaf().fingerprint(), all.client.facts->fingerprint());
  EXPECT_EQ(good->session().chain->others().size(), 2U);
  EXPECT_TRUE(good->session().verification->verified);

  c.certificate = &stranger;
  c.others = {&all.client};
  auto const bad = rig.connect(c);
  ASSERT_TRUE(bad->ok());
  EXPECT_EQ(bad->session().chain->leaf().fingerprint(), stranger.facts->fingerprint());
  EXPECT_FALSE(bad->session().verification->verified);
}

TEST_P(Handshake, threat_76_chains_and_keys_beyond_the_limits_end_the_handshake) {
  auto const& all = authorities();
  auto policy = policy_of(ClientAuthMode::request, {&all.root});
  policy.trust = trust_in({&all.root}, {.max_presented = 3, .max_key_bits = 2048});
  Rig rig(hosts({host({"api.example.com"}, policy)}));
  auto c = config(&all.client);
  c.others = {&all.root, &all.intermediate};
  EXPECT_TRUE(rig.connect(c)->ok());
  c.others.push_back(&all.other_root);
  auto const many = rig.connect(c);
  ASSERT_FALSE(many->ok());
  EXPECT_EQ(tls::name_of(many->failure().fault), "certificate_limits");

  auto const large = testing::issue(testing::client_spec("large"),
                                    testing::TestKey::cached(testing::KeyKind::rsa3072), &all.root);
  auto const refused = rig.connect(config(&large));
  ASSERT_FALSE(refused->ok());
  EXPECT_EQ(tls::name_of(refused->failure().fault), "certificate_limits");
  auto const exact = testing::issue(testing::client_spec("exact"),
                                    testing::TestKey::cached(testing::KeyKind::rsa2048), &all.root);
  EXPECT_TRUE(rig.connect(config(&exact))->ok());

  // More than 64 KiB of certificates are not even taken in.
  auto spec = testing::client_spec("huge");
  spec.subject.push_back({"O", std::string(40'000, 'o')});
  auto const huge = testing::issue(spec, &all.root);
  c = config(&huge);
  c.others = {&huge};
  auto const flood = rig.connect(c);
  ASSERT_FALSE(flood->ok());
  EXPECT_EQ(tls::name_of(flood->failure().fault), "certificate_limits") << flood->failure().detail;
}

TEST_P(Handshake, is_over_when_the_client_goes_away_at_any_point) {
  auto const& all = authorities();
  Rig rig(one_host(ClientAuthMode::require));
  // How many bytes the client sends in a whole handshake.
  auto const whole = rig.connect(config(&all.client));
  ASSERT_TRUE(whole->ok());
  auto const size = BIO_number_written(SSL_get_wbio(whole->client->ssl()));
  ASSERT_GT(size, 300U);
  for (std::size_t steps = 0; steps < 3; ++steps) {
    auto const connection = rig.open(config(&all.client));
    for (std::size_t i = 0; i < steps && !connection->client->step(); ++i) {
      rig.turns(4);
    }
    if (connection->result) continue;
    connection->client->close();
    EXPECT_TRUE(rig.run_until([&] { return connection->result.has_value(); }));
    ASSERT_FALSE(connection->ok());
    EXPECT_EQ(tls::name_of(connection->failure().fault), "closed") << steps;
  }
  auto const flight = first_flight(config());
  for (std::size_t cut = 0; cut < flight.size(); cut += 7) {
    int fd = -1;
    auto const connection = rig.open_raw(fd);
    if (cut > 0) {
      ASSERT_EQ(::send(fd, flight.data(), cut, 0), static_cast<ssize_t>(cut));
    }
    ::close(fd);
    EXPECT_TRUE(rig.run_until([&] { return connection->result.has_value(); }));
    ASSERT_FALSE(connection->ok());
    EXPECT_EQ(tls::name_of(connection->failure().fault), "closed") << cut;
  }
}

TEST_P(Handshake, a_client_that_does_not_trust_us_is_seen_to_say_so) {
  Rig rig(one_host(ClientAuthMode::off));
  auto const connection = rig.open(config());
  SSL_set_verify(connection->client->ssl(), SSL_VERIFY_PEER, nullptr);
  rig.finish(*connection);
  ASSERT_FALSE(connection->ok());
  EXPECT_EQ(tls::name_of(connection->failure().fault), "alert");
  EXPECT_EQ(alert_name(connection->failure().alert_received), "unknown_ca");
}

TEST(HandshakeWithoutTls, threat_69_bytes_before_the_client_hello_are_named) {
  struct Case {
    std::string sent;
    std::string_view fault;
  };
  for (auto const& want : {Case{"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n", "plain_http"},
                           Case{"POST /v1 HTTP/1.1\r\n\r\n", "plain_http"},
                           Case{"CONNECT a:443 HTTP/1.1\r\n\r\n", "plain_http"},
                           Case{"SSH-2.0-OpenSSH_9.2\r\n", "not_tls"},
                           Case{std::string(64, '\0'), "not_tls"}}) {
    Rig rig(one_host(ClientAuthMode::off));
    int fd = -1;
    auto const connection = rig.open_raw(fd);
    ASSERT_GT(::send(fd, want.sent.data(), want.sent.size(), 0), 0);
    EXPECT_TRUE(rig.run_until([&] { return connection->result.has_value(); }));
    ASSERT_FALSE(connection->ok());
    EXPECT_EQ(tls::name_of(connection->failure().fault), want.fault) << connection->failure().detail;
    ::close(fd);
  }
}

TEST(HandshakeVersions, a_client_below_the_lowest_version_is_refused) {
  ProfileOptions profile;
  profile.min_version = Version::tls_1_3;
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::off, {}), profile)}));
  ClientConfig c;
  c.version = TLS1_2_VERSION;
  auto const old = rig.connect(c);
  ASSERT_FALSE(old->ok());
  EXPECT_EQ(name_of(old->failure().fault), "version");
  EXPECT_EQ(alert_name(old->client->alert()), "protocol_version");
  c.version = TLS1_1_VERSION;
  Rig usual(one_host(ClientAuthMode::off));
  EXPECT_EQ(name_of(usual.connect(c)->failure().fault), "version");
}

TEST(HandshakeVersions, each_host_has_versions_ciphers_and_groups_of_its_own) {
  ProfileOptions strict;
  strict.min_version = Version::tls_1_3;
  strict.ciphers = {"TLS_AES_256_GCM_SHA384"};
  strict.groups = {"P-384"};
  ProfileOptions old;
  old.max_version = Version::tls_1_2;
  old.ciphers = {"ECDHE-ECDSA-CHACHA20-POLY1305"};
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::off, {})),
                 host({"strict.example.com"}, policy_of(ClientAuthMode::off, {}), strict),
                 host({"old.example.com"}, policy_of(ClientAuthMode::off, {}), old)}));
  ClientConfig c;
  c.server_name = "strict.example.com";
  auto const strong = rig.connect(c);
  ASSERT_TRUE(strong->ok()) << strong->failure().detail;
  EXPECT_EQ(strong->session().cipher, "TLS_AES_256_GCM_SHA384");
  EXPECT_EQ(SSL_get_negotiated_group(strong->client->ssl()), NID_secp384r1);
  c.version = TLS1_2_VERSION;
  EXPECT_FALSE(rig.connect(c)->ok());
  c.server_name = "old.example.com";
  auto const weak = rig.connect(c);
  ASSERT_TRUE(weak->ok()) << weak->failure().detail;
  EXPECT_EQ(weak->session().cipher, "ECDHE-ECDSA-CHACHA20-POLY1305");
  c.version = TLS1_3_VERSION;
  EXPECT_EQ(name_of(rig.connect(c)->failure().fault), "version");
  c.server_name = "api.example.com";
  EXPECT_TRUE(rig.connect(c)->ok());
}

TEST(HandshakeVersions, a_client_that_prefers_chacha_gets_it) {
  Rig rig(one_host(ClientAuthMode::off));
  ClientConfig c;
  c.version = TLS1_2_VERSION;
  c.cipher_list = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256";
  EXPECT_EQ(rig.connect(c)->session().cipher, "ECDHE-ECDSA-CHACHA20-POLY1305");
  c.cipher_list = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256";
  EXPECT_EQ(rig.connect(c)->session().cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");
}

TEST(HandshakeProtocols, alpn_is_agreed_on_or_refused) {
  ProfileOptions profile;
  profile.alpn = {"h2", "http/1.1"};
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::off, {}), profile)}));
  ClientConfig c;
  EXPECT_EQ(rig.connect(c)->session().protocol, "");
  c.alpn = {"http/1.1"};
  EXPECT_EQ(rig.connect(c)->session().protocol, "http/1.1");
  c.alpn = {"http/1.1", "h2"};
  EXPECT_EQ(rig.connect(c)->session().protocol, "h2");
  c.alpn = {"smtp"};
  auto const none = rig.connect(c);
  ASSERT_FALSE(none->ok());
  EXPECT_EQ(name_of(none->failure().fault), "no_protocol");
  EXPECT_EQ(alert_name(none->client->alert()), "no_application_protocol");
}

TEST(HandshakeRetry, a_hello_retry_request_changes_nothing) {
  ProfileOptions profile;
  profile.groups = {"P-384"};
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::require,
                                                     {&authorities().root}), profile)}));
  ClientConfig c;
  c.groups = "P-256:P-384";  // guesses wrong
  c.certificate = &authorities().client;
  auto const connection = rig.connect(c);
  ASSERT_TRUE(connection->ok()) << connection->failure().detail;
  EXPECT_EQ(SSL_get_negotiated_group(connection->client->ssl()), NID_secp384r1);
}

TEST(HandshakeHello, facts_are_those_of_the_bytes_sent) {
  RigOptions options;
  options.hello_facts = true;
  Rig rig(one_host(ClientAuthMode::off), options);
  auto const connection = rig.connect({});
  ASSERT_TRUE(connection->ok());
  auto const* const hello = connection->session().hello.get();
  ASSERT_NE(hello, nullptr);
  std::array<unsigned char, 32> random{};
  SSL_get_client_random(connection->client->ssl(), random.data(), random.size());
  EXPECT_EQ(hello->random, random);
  EXPECT_GT(hello->length, 150U);
  EXPECT_NE(hello->extensions_sha1, hello->extensions_sha1_le);
  rig.context->set_client_hello_facts(false);
  EXPECT_EQ(rig.connect({})->session().hello, nullptr);
}

TEST(HandshakeDeadline, ends_a_client_that_says_nothing_or_not_enough) {
  RigOptions options;
  options.limit = std::chrono::milliseconds{60};
  Rig rig(one_host(ClientAuthMode::off), options);
  int silent = -1, slow = -1;
  auto const first = rig.open_raw(silent);
  auto const second = rig.open_raw(slow);
  ASSERT_EQ(::send(slow, "\x16\x03\x01", 3, 0), 3);
  EXPECT_TRUE(rig.run_until([&] { return first->result && second->result; }));
  EXPECT_EQ(name_of(first->failure().fault), "timed_out");
  EXPECT_EQ(name_of(second->failure().fault), "timed_out");
  EXPECT_EQ(rig.context->admission().in_progress(), 0U);
  ::close(silent);
  ::close(slow);
}

TEST(HandshakeDeadline, cancelling_the_socket_ends_it_too) {
  Rig rig(one_host(ClientAuthMode::off));
  int fd = -1;
  auto const connection = rig.open_raw(fd);
  connection->server->socket().cancel();
  EXPECT_TRUE(rig.run_until([&] { return connection->result.has_value(); }));
  EXPECT_EQ(name_of(connection->failure().fault), "cancelled");
  ::close(fd);
}

TEST(HandshakeReload, changes_the_next_handshake_and_no_connection) {
  Rig rig(one_host(ClientAuthMode::off));
  auto const before = rig.connect({});
  ASSERT_TRUE(before->ok());
  ASSERT_TRUE(rig.context->set_hosts(one_host(ClientAuthMode::require)));
  EXPECT_FALSE(rig.connect({})->ok());
  EXPECT_EQ(before->server->try_write(std::string_view("still")).status, net::IoStatus::done);
  EXPECT_EQ(before->client->read(), "still");
  EXPECT_EQ(before->session().host->client().mode, ClientAuthMode::off);
  EXPECT_TRUE(before->session().host->identities().empty());
  EXPECT_FALSE(rig.context->set_hosts(hosts({})));
  EXPECT_FALSE(rig.connect({})->ok());
}

}  // namespace
}  // namespace certgate::tls
