// What a Generation is built from: identities, profiles, hosts, and the queue for turns.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.hpp"

namespace certgate::tls {
namespace {

using x509::ClientAuthMode;

TEST(ServerIdentity, refuses_what_cannot_serve_and_says_why) {
  auto const& all = authorities();
  auto const other = server_certificate({"x.example.com"}, all.server_ca);
  struct Case {
    std::string certificate, key;
    std::string_view words;
  };
  for (auto const& want : {
           Case{all.server.pem(), other.key.pem(), "does not belong to the certificate"},
           Case{all.client.pem(), all.client.key.pem(), "without serverAuth"},
           Case{"", all.server.key.pem(), ""},
           Case{all.server.key.pem(), all.server.key.pem(), "holds no certificate"},
           Case{all.server.pem(), all.server.pem(), ""},
       }) {
    auto const parsed = ServerIdentity::parse(want.certificate, want.key);
    ASSERT_FALSE(parsed) << want.words;
    EXPECT_NE(parsed.error().detail.find(want.words), std::string::npos) << parsed.error().detail;
    EXPECT_EQ(parsed.error().detail.find("PRIVATE KEY-----"), std::string::npos);
  }
}

TEST(ServerIdentity, weak_keys_are_refused) {
  auto const& all = authorities();
  auto const weak = server_certificate({"x.example.com"}, all.server_ca,
                                       &testing::TestKey::cached(testing::KeyKind::rsa1024));
  EXPECT_FALSE(ServerIdentity::parse(weak.pem(), weak.key.pem()));
  auto const exact = server_certificate({"x.example.com"}, all.server_ca,
                                        &testing::TestKey::cached(testing::KeyKind::rsa2048));
  EXPECT_TRUE(ServerIdentity::parse(exact.pem(), exact.key.pem()));
}

TEST(ServerIdentity, every_kind_of_key_is_read) {
  auto const& all = authorities();
  for (auto const kind : {testing::KeyKind::p256, testing::KeyKind::p384, testing::KeyKind::rsa2048,
                          testing::KeyKind::ed25519}) {
    auto const& key = testing::TestKey::cached(kind);
    auto const issued = server_certificate({"x.example.com"}, all.server_ca, &key);
    auto const parsed = ServerIdentity::parse(issued.pem() + all.server_ca.pem(), key.pem());
    ASSERT_TRUE(parsed) << parsed.error().detail;
    EXPECT_EQ((*parsed)->certificates().size(), 2U);
    EXPECT_TRUE((*parsed)->warnings(testing::test_now()).empty());
    EXPECT_LT((*parsed)->memory_bytes(), 20U * 1024);
  }
}

TEST(ServerIdentity, warns_of_dates_and_of_a_chain_out_of_order) {
  auto const& all = authorities();
  auto const parsed =
      ServerIdentity::parse(all.server.pem() + all.other_root.pem(), all.server.key.pem());
  ASSERT_TRUE(parsed);
  EXPECT_EQ((*parsed)->warnings(testing::test_now()).size(), 1U);
  EXPECT_EQ((*parsed)->warnings(testing::test_now() + 20 * 365 * 86'400LL).size(), 3U);
}

TEST(ServerIdentities, parses_the_same_texts_once) {
  auto const& all = authorities();
  ServerIdentities identities;
  auto first = identities.parse(all.server.pem(), all.server.key.pem());
  auto again = identities.parse(all.server.pem(), all.server.key.pem());
  ASSERT_TRUE(first && again);
  EXPECT_EQ(*first, *again);
  EXPECT_FALSE(identities.parse(all.server.pem(), all.client.key.pem()));
  first = again = fail(ErrorCode::closed, "");
  identities.prune();
  EXPECT_EQ(identities.size(), 0U);
}

TEST(Profile, names_what_it_does_not_know) {
  struct Case {
    ProfileOptions options;
    std::string_view words;
  };
  ProfileOptions unknown, unknown_1_3, iana, case_of, several, null, expression, group, versions;
  unknown_1_3.ciphers = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA348"};
  iana.ciphers = {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"};
  case_of.ciphers = {"tls_aes_128_gcm_sha256"};
  several.ciphers = {"HIGH"};
  unknown.ciphers = {"TLS_AES_128_GCM_SHA256", "ECDHE-NONSENSE"};
  null.ciphers = {"NULL-SHA256"};
  expression.ciphers = {"HIGH:!aNULL"};
  group.groups = {"X25519", "P-255"};
  versions.min_version = Version::tls_1_3;
  versions.max_version = Version::tls_1_2;
  for (auto const& want :
       {Case{unknown, "ECDHE-NONSENSE"},
        Case{unknown_1_3, "`TLS_AES_256_GCM_SHA348`: write `TLS_AES_256_GCM_SHA384`"},
        Case{iana, "write `ECDHE-ECDSA-AES128-GCM-SHA256`"},
        Case{case_of, "write `TLS_AES_128_GCM_SHA256`"}, Case{several, "`HIGH` stands for several"},
        Case{null, "NULL-SHA256"}, Case{expression, "HIGH"},
        Case{group, "P-255"}, Case{versions, "lowest"}}) {
    auto const built = Profile::build(want.options);
    ASSERT_FALSE(built) << want.words;
    EXPECT_NE(built.error().detail.find(want.words), std::string::npos) << built.error().detail;
  }
  ProfileOptions good;
  good.ciphers = {"TLS_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"};
  good.groups = {"X25519", "P-256"};
  auto const one = Profile::build(good);
  ASSERT_TRUE(one) << one.error().detail;
  EXPECT_EQ((*one)->cipher_suites(), "TLS_AES_256_GCM_SHA384");
  EXPECT_EQ((*one)->cipher_list(), "ECDHE-RSA-AES256-GCM-SHA384");
  EXPECT_EQ((*one)->digest(), (*Profile::build(good))->digest());
  EXPECT_NE((*one)->digest(), (*Profile::build({}))->digest());
}

TEST(HostSettings, threat_16_client_authentication_without_a_ca_does_not_start) {
  HostOptions options;
  options.names = {*HostPattern::parse("api.example.com")};
  options.profile = *Profile::build({});
  EXPECT_FALSE(HostSettings::build(options));  // no certificate
  options.identities = {identity_of(authorities().server)};
  EXPECT_TRUE(HostSettings::build(options));
  options.client.mode = ClientAuthMode::request;
  auto const built = HostSettings::build(options);
  ASSERT_FALSE(built);
  EXPECT_NE(built.error().detail.find("trusts no CA"), std::string::npos);
  EXPECT_FALSE(x509::Trust::build({}));
}

TEST(ServerHosts, two_hosts_of_one_name_are_refused) {
  auto const one = host({"a.example.com", "*.example.org"}, policy_of(ClientAuthMode::off, {}));
  EXPECT_TRUE(ServerHosts::build({one}));
  EXPECT_FALSE(ServerHosts::build({one, host({"A.example.com"}, policy_of(ClientAuthMode::off, {}))}));
}

TEST(Admission, a_place_is_waited_for_and_given_back) {
  RigOptions options;
  options.admission.in_progress = 1;
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::off, {}))}), options);
  int slow = -1;
  auto const first = rig.open_raw(slow);
  ASSERT_EQ(::send(slow, "\x16", 1, 0), 1);
  EXPECT_TRUE(rig.run_until([&] { return rig.context->admission().in_progress() == 1; }));
  auto const second = rig.open({});
  auto const third = rig.open({});
  second->client->step();
  third->client->step();
  EXPECT_TRUE(rig.run_until([&] { return rig.context->admission().waiting() == 2; }));
  EXPECT_FALSE(second->result);
  ::close(slow);
  rig.finish(*second);
  rig.finish(*third);
  EXPECT_TRUE(second->ok());
  EXPECT_TRUE(third->ok());
  EXPECT_EQ(name_of(first->failure().fault), "closed");
  EXPECT_EQ(rig.context->admission().in_progress(), 0U);
}

TEST(Admission, threat_76_half_open_handshakes_end_in_time_and_hold_no_place) {
  RigOptions options;
  options.admission.in_progress = 4;
  options.limit = std::chrono::milliseconds{100};
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::off, {}))}), options);
  std::vector<std::unique_ptr<Connection>> all;
  std::vector<int> ends;
  for (int i = 0; i < 200; ++i) {
    ends.push_back(-1);
    all.push_back(rig.open_raw(ends.back()));
    if (i % 2 == 0) (void)::send(ends.back(), "\x16\x03", 2, 0);
  }
  EXPECT_TRUE(rig.run_until([&] {
    for (auto const& connection : all) {
      if (!connection->result) return false;
    }
    return true;
  }));
  for (auto const& connection : all) {
    EXPECT_EQ(name_of(connection->failure().fault), "timed_out");
  }
  EXPECT_EQ(rig.context->admission().in_progress(), 0U);
  EXPECT_EQ(rig.context->admission().waiting(), 0U);
  for (int const end : ends) ::close(end);
}

TEST(Admission, many_at_once_all_have_their_turn) {
  RigOptions options;
  options.admission.turn_budget = std::chrono::microseconds{1};  // one step a turn
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::require,
                                                     {&authorities().root}))}), options);
  ClientConfig c;
  c.certificate = &authorities().client;
  std::vector<std::unique_ptr<Connection>> all;
  for (int i = 0; i < 40; ++i) all.push_back(rig.open(c));
  EXPECT_TRUE(rig.run_until([&] {
    bool over = true;
    for (auto const& connection : all) {
      connection->client->step();
      over = over && connection->result;
    }
    return over;
  }));
  for (auto const& connection : all) EXPECT_TRUE(connection->ok());
  EXPECT_EQ(rig.context->admission().waiting(), 0U);
}

TEST(Admission, hellos_that_come_together_are_read_in_turns_too) {
  RigOptions options;
  options.admission.turn_budget = std::chrono::microseconds{1};  // one step a turn
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::off, {}))}), options);
  std::vector<std::unique_ptr<Connection>> all;
  for (int i = 0; i < 40; ++i) {
    all.push_back(rig.open({}));
    all.back()->client->step();
  }
  std::size_t known = 0, most = 0;
  for (int turn = 0; turn < 200 && known < all.size(); ++turn) {
    rig.turns(1);
    std::size_t now = 0;
    for (auto const& connection : all) now += connection->session().server_name.empty() ? 0 : 1;
    most = std::max(most, now - known);
    known = now;
  }
  EXPECT_EQ(known, all.size());
  EXPECT_LE(most, 2U);
  for (auto const& connection : all) rig.finish(*connection);
  EXPECT_EQ(rig.context->admission().waiting(), 0U);
}

// A peer of ours that answers each byte with one, as a request is answered while others handshake.
net::Task<void> answer_bytes(ServerStream& stream, int& answered, bool& ended) {
  char byte = 0;
  for (;;) {
    auto const ready = co_await stream.socket().readable();
    if (ready != net::Ready::ready) break;
    while (stream.try_read({&byte, 1}).status == net::IoStatus::done) {
      stream.try_write({&byte, 1});
      ++answered;
    }
  }
  ended = true;
}

TEST(Admission, an_open_connection_is_served_while_a_storm_of_handshakes_waits) {
  RigOptions options;
  options.admission.in_progress = 8;
  options.admission.turn_budget = std::chrono::microseconds{1};  // one step a turn
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::require,
                                                     {&authorities().root}))}), options);
  ClientConfig c;
  c.certificate = &authorities().client;
  auto const open = rig.connect(c);
  ASSERT_TRUE(open->ok());
  int answered = 0;
  bool ended = false;
  net::start(answer_bytes(*open->server, answered, ended));

  std::vector<std::unique_ptr<Connection>> storm;
  for (int i = 0; i < 40; ++i) {
    storm.push_back(rig.open(c));
    storm.back()->client->step();  // the ClientHello is on its way
  }
  std::size_t most = 0, over = 0;
  int answered_meanwhile = 0, asked = 0;
  EXPECT_TRUE(rig.run_until([&] {
    most = std::max(most, rig.context->admission().in_progress());
    over = 0;
    for (auto const& connection : storm) {
      connection->client->step();
      over += connection->result ? 1 : 0;
    }
    if (over < storm.size()) answered_meanwhile = answered;
    if (asked == answered) {
      ++asked;
      EXPECT_EQ(open->client->write("?"), "");
    }
    return over == storm.size();
  }));
  for (auto const& connection : storm) EXPECT_TRUE(connection->ok());
  EXPECT_LE(most, options.admission.in_progress);
  EXPECT_GE(answered_meanwhile, 10);
  EXPECT_EQ(rig.context->admission().in_progress(), 0U);
  open->server->socket().cancel();
  EXPECT_TRUE(rig.run_until([&] { return ended; }));
}

TEST(Admission, a_connection_that_goes_while_it_waits_leaves_nothing_behind) {
  RigOptions options;
  options.admission.in_progress = 0;  // nobody is let in
  options.limit = std::chrono::milliseconds{60};
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::off, {}))}), options);
  auto const connection = rig.open({});
  connection->client->step();
  EXPECT_TRUE(rig.run_until([&] { return rig.context->admission().waiting() == 1; }));
  EXPECT_TRUE(rig.run_until([&] { return connection->result.has_value(); }));
  EXPECT_EQ(name_of(connection->failure().fault), "timed_out");
  EXPECT_EQ(rig.context->admission().waiting(), 0U);
}

}  // namespace
}  // namespace certgate::tls
