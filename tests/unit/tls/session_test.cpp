// Who may resume a session, for how long, and as whom: threats.md section 1.
#include <gtest/gtest.h>

#include "rig.hpp"

namespace certgate::tls {
namespace {

using x509::ClientAuthMode;

struct Way {
  int version;
  bool stateless;
};

void PrintTo(Way const& way, std::ostream* out) { *out << way.version << way.stateless; }

std::string name_of_way(::testing::TestParamInfo<Way> const& info) {
  return std::string(info.param.version == TLS1_2_VERSION ? "tls_1_2" : "tls_1_3") +
         (info.param.stateless ? "_stateless" : "_stateful");
}

class Sessions : public ::testing::TestWithParam<Way> {
 protected:
  ClientConfig config(Issued const* certificate, SSL_SESSION* resume = nullptr) const {
    ClientConfig out;
    out.version = GetParam().version;
    out.certificate = certificate;
    out.resume = resume;
    return out;
  }
  RigOptions options() const {
    RigOptions out;
    out.stateless = GetParam().stateless;
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(Ways, Sessions,
                         ::testing::Values(Way{TLS1_2_VERSION, false}, Way{TLS1_2_VERSION, true},
                                           Way{TLS1_3_VERSION, false}, Way{TLS1_3_VERSION, true}),
                         name_of_way);

ServerHosts::Pointer two_hosts() {
  auto const& all = authorities();
  return hosts({host({"a.example.com"}, policy_of(ClientAuthMode::request, {&all.root})),
                host({"b.example.com"}, policy_of(ClientAuthMode::request, {&all.other_root})),
                host({"c.example.com"}, policy_of(ClientAuthMode::require, {&all.root})),
                host({"d.example.com"}, policy_of(ClientAuthMode::off, {})),
                host({"e.example.com"}, policy_of(ClientAuthMode::request, {&all.root}))});
}

TEST_P(Sessions, threat_01_never_cross_to_a_host_with_other_trust) {
  auto const& all = authorities();
  Rig rig(two_hosts(), options());
  for (auto const* from : {"a.example.com", "d.example.com"}) {
    auto c = config(&all.client);
    c.server_name = from;
    auto const session = rig.session_after(c);
    ASSERT_NE(session, nullptr);
    for (auto const* to : {"a.example.com", "b.example.com", "c.example.com", "d.example.com",
                           "e.example.com"}) {
      auto again = config(&all.client, session.get());
      again.server_name = to;
      auto const connection = rig.connect(again);
      ASSERT_TRUE(connection->ok()) << connection->failure().detail;
      bool const same = std::string_view(from) == to;
      EXPECT_EQ(connection->session().resumed, same) << from << " to " << to;
      bool const asks = std::string_view(to) != "d.example.com";
      EXPECT_EQ(connection->client->asked_for_certificate(), !same && asks) << from << to;
      EXPECT_EQ(connection->session().host, (*rig.context->hosts()->find(to))->lasting());
    }
    // Without a certificate of its own the ticket is worth nothing elsewhere.
    auto bare = config(nullptr, session.get());
    bare.server_name = "c.example.com";
    EXPECT_FALSE(rig.connect(bare)->ok());
  }
}

TEST(SessionScope, threat_02_says_which_hosts_may_share_a_connection) {
  auto const all = two_hosts();
  auto const& table = *all;
  auto const& a = **table.find("a.example.com");
  EXPECT_NE(a.client_scope(), (*table.find("b.example.com"))->client_scope());
  EXPECT_NE(a.client_scope(), (*table.find("c.example.com"))->client_scope());
  EXPECT_NE(a.client_scope(), (*table.find("d.example.com"))->client_scope());
  EXPECT_EQ(a.client_scope(), (*table.find("e.example.com"))->client_scope());
  EXPECT_NE(a.scope(), (*table.find("e.example.com"))->scope());
}

TEST_P(Sessions, threat_03_end_when_the_trust_changes_and_survive_other_reloads) {
  auto const& all = authorities();
  auto const mode = ClientAuthMode::request;
  auto const both = policy_of(mode, {&all.root, &all.other_root});
  Rig rig(hosts({host({"api.example.com"}, both)}), options());
  auto const session = rig.session_after(config(&all.client));
  ASSERT_NE(session, nullptr);

  // Another host, another CRL, the same trust built anew: the session goes on.
  auto with_list = policy_of(mode, {&all.root, &all.other_root});
  with_list.deny_list = nullptr;
  ASSERT_TRUE(rig.context->set_hosts(hosts({host({"api.example.com"}, with_list),
                                            host({"new.example.com"}, with_list)})));
  auto const kept = rig.connect(config(&all.client, session.get()));
  ASSERT_TRUE(kept->ok());
  EXPECT_TRUE(kept->session().resumed);

  // The CA of this client is dropped: a full handshake, and its verdict is a new one.
  ASSERT_TRUE(rig.context->set_hosts(
      hosts({host({"api.example.com"}, policy_of(mode, {&all.other_root}))})));
  auto const dropped = rig.connect(config(&all.client, session.get()));
  ASSERT_TRUE(dropped->ok());
  EXPECT_FALSE(dropped->session().resumed);
  EXPECT_FALSE(dropped->session().verification->verified);

  ASSERT_TRUE(rig.context->set_hosts(
      hosts({host({"api.example.com"}, policy_of(ClientAuthMode::require, {&all.other_root}))})));
  EXPECT_FALSE(rig.connect(config(&all.client, session.get()))->ok());
}

x509::RevocationIndex::Pointer revoking(Issued const& certificate, Issued const& issuer) {
  testing::CrlSpec spec;
  spec.entries = {{.serial = std::string(certificate.facts->serial()), .reason = 1}};
  std::vector<x509::LabelledCrl> const lists{
      {testing::read_crl(testing::make_crl(spec, issuer)), "test.crl"}};
  std::vector<x509::Certificate::Pointer> const issuers{issuer.facts};
  auto built = x509::RevocationIndex::build(lists, issuers);
  testing::require(built.has_value(), "a revocation index");
  return *built;
}

TEST_P(Sessions, threat_04_a_revoked_certificate_is_revoked_on_its_resumed_session) {
  auto const& all = authorities();
  auto policy = policy_of(ClientAuthMode::request, {&all.root});
  Rig rig(hosts({host({"api.example.com"}, policy)}), options());
  auto const session = rig.session_after(config(&all.client));
  policy.revocations = revoking(all.client, all.root);
  ASSERT_TRUE(rig.context->set_hosts(hosts({host({"api.example.com"}, policy)})));
  auto const connection = rig.connect(config(&all.client, session.get()));
  ASSERT_TRUE(connection->ok());
  EXPECT_TRUE(connection->session().resumed);
  auto const& chain = connection->session().chain;
  ASSERT_NE(chain, nullptr);
  auto const now = rig.clock.unix_seconds();
  auto const verification = rig.context->verifications().verify(*policy.trust, *chain, now);
  auto const verdict = x509::judge(policy, chain.get(), verification.get(), now);
  EXPECT_TRUE(verdict.verified);
  EXPECT_TRUE(verdict.revoked);
}

TEST_P(Sessions, threat_04_require_refuses_a_revoked_certificate_that_resumes) {
  auto const& all = authorities();
  auto policy = policy_of(ClientAuthMode::require, {&all.root});
  Rig rig(hosts({host({"api.example.com"}, policy)}), options());
  auto const session = rig.session_after(config(&all.client));
  EXPECT_TRUE(rig.connect(config(&all.client, session.get()))->session().resumed);
  policy.revocations = revoking(all.client, all.root);
  ASSERT_TRUE(rig.context->set_hosts(hosts({host({"api.example.com"}, policy)})));
  auto const connection = rig.connect(config(&all.client, session.get()));
  ASSERT_FALSE(connection->ok());
  EXPECT_EQ(name_of(connection->failure().fault), "certificate_revoked");
  EXPECT_EQ(alert_name(connection->client->alert()), "certificate_revoked");
}

TEST_P(Sessions, threat_05_end_with_the_certificate) {
  auto const& all = authorities();
  auto spec = testing::client_spec("short");
  spec.not_before = testing::test_now() - 10;
  spec.not_after = testing::test_now() + 30;
  auto const brief = testing::issue(spec, &all.root);
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::require, {&all.root}))}),
          options());
  auto session = rig.session_after(config(&brief));
  EXPECT_LE(SSL_SESSION_get_ticket_lifetime_hint(session.get()), 30U);
  rig.clock.set(testing::test_now() + 29);
  auto const alive = rig.connect(config(&brief, session.get()));
  ASSERT_TRUE(alive->ok()) << alive->failure().detail;
  EXPECT_TRUE(alive->session().resumed);
  // What it got by resuming ends at the same moment.
  alive->server->try_write(std::string_view("!"));
  alive->client->read();
  auto const renewed = alive->client->session();
  rig.clock.set(testing::test_now() + 31);
  for (auto* const old : {session.get(), renewed.get()}) {
    if (old == nullptr) continue;  // TLS 1.2 gives no new session when it resumes
    auto const late = rig.connect(config(&brief, old));
    ASSERT_FALSE(late->ok());
    EXPECT_EQ(alert_name(late->client->alert()), "certificate_expired");
  }
}

TEST_P(Sessions, threat_05_chained_resumptions_end_with_the_lifetime_of_the_first) {
  auto const& all = authorities();
  ProfileOptions profile;
  profile.session_lifetime = std::chrono::seconds{100};
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::request, {&all.root}),
                      profile)}),
          options());
  auto session = rig.session_after(config(&all.client));
  for (int i = 1; i < 10; ++i) {
    rig.clock.advance(std::chrono::seconds{10});
    auto const connection = rig.connect(config(&all.client, session.get()));
    ASSERT_TRUE(connection->ok());
    EXPECT_TRUE(connection->session().resumed) << i;
    connection->server->try_write(std::string_view("!"));
    connection->client->read();
    if (auto next = connection->client->session()) session = std::move(next);
  }
  rig.clock.advance(std::chrono::seconds{11});
  EXPECT_FALSE(rig.connect(config(&all.client, session.get()))->session().resumed);
}

TEST_P(Sessions, threat_05_an_expired_certificate_is_accepted_on_request_and_never_resumes) {
  auto const& all = authorities();
  auto spec = testing::client_spec("old");
  spec.not_before = testing::test_now() - 100;
  spec.not_after = testing::test_now() - 10;
  auto const old = testing::issue(spec, &all.root);
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::request, {&all.root}))}),
          options());
  auto const session = rig.session_after(config(&old));
  auto const connection = rig.connect(config(&old, session.get()));
  ASSERT_TRUE(connection->ok()) << connection->failure().detail;
  EXPECT_FALSE(connection->session().resumed);
  EXPECT_FALSE(connection->session().verification->verified);
}

TEST_P(Sessions, threat_06_a_made_up_ticket_asserts_nothing) {
  auto const& all = authorities();
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::require, {&all.root}))}),
          options());
  auto const session = rig.session_after(config(&all.client));
  Rig stranger(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::require, {&all.root}))}),
               options());
  // A ticket of another process, presented without a certificate.
  EXPECT_FALSE(stranger.connect(config(nullptr, session.get()))->ok());
  EXPECT_FALSE(stranger.connect(config(&all.client, session.get()))->session().resumed);
}

TEST_P(Sessions, threat_07_full_and_resumed_handshakes_know_the_same_chain) {
  auto const& all = authorities();
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::request, {&all.root}))}),
          options());
  auto c = config(&all.deep_client);
  c.others = {&all.intermediate};
  auto const full = rig.connect(c);
  ASSERT_TRUE(full->ok());
  full->server->try_write(std::string_view("!"));
  full->client->read();
  auto session = full->client->session();
  for (bool const caches_are_warm : {true, false}) {
    if (!caches_are_warm) {
      rig.context->chains().clear();
      rig.context->verifications().clear();
    }
    c.resume = session.get();
    auto const resumed = rig.connect(c);
    ASSERT_TRUE(resumed->ok());
    ASSERT_TRUE(resumed->session().resumed);
    auto const& before = *full->session().chain;
    auto const& after = *resumed->session().chain;
    EXPECT_EQ(before.digest(), after.digest());
    ASSERT_EQ(after.others().size(), 1U);
    EXPECT_EQ(as_text(after.others()[0]->der()), all.intermediate.der);
    EXPECT_EQ(as_text(after.leaf().der()), all.deep_client.der);
    EXPECT_EQ(resumed->session().version, full->session().version);
    EXPECT_EQ(resumed->session().server_name, full->session().server_name);
    auto const now = rig.clock.unix_seconds();
    auto const& trust = *full->session().host->client().trust;
    EXPECT_TRUE(rig.context->verifications().verify(trust, after, now)->verified);
    EXPECT_TRUE(full->session().verification->verified);
  }
}

TEST_P(Sessions, resume_on_another_worker) {
  auto const& all = authorities();
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::require, {&all.root}))}),
          options());
  auto const session = rig.session_after(config(&all.client));
  auto other = ServerContext::build(rig.loop, rig.context->options());
  ASSERT_TRUE(other);
  ASSERT_TRUE((*other)->set_hosts(rig.context->hosts()));
  auto const connection = rig.connect(config(&all.client, session.get()), other->get());
  ASSERT_TRUE(connection->ok());
  EXPECT_TRUE(connection->session().resumed);
  EXPECT_EQ(connection->session().chain->leaf().fingerprint(), all.client.facts->fingerprint());
  EXPECT_EQ((*other)->counts().resumed, 1U);
}

TEST_P(Sessions, survive_connections_that_end_without_a_goodbye) {
  auto const& all = authorities();
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::request, {&all.root}))}),
          options());
  auto const session = rig.session_after(config(&all.client));
  for (int i = 0; i < 3; ++i) {
    auto const connection = rig.connect(config(&all.client, session.get()));
    ASSERT_TRUE(connection->ok());
    EXPECT_TRUE(connection->session().resumed) << i;
    connection->client->close();
    char buffer[16];
    EXPECT_EQ(connection->server->try_read(buffer).status, net::IoStatus::closed);
  }
}

TEST_P(Sessions, are_not_made_when_the_host_wants_none) {
  ProfileOptions profile;
  profile.session_lifetime = std::chrono::seconds{0};
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::off, {}), profile)}),
          options());
  auto const session = rig.session_after(config(nullptr));
  auto const connection = rig.connect(config(nullptr, session.get()));
  EXPECT_FALSE(connection->session().resumed);
  EXPECT_EQ(rig.store->size(), 0U);
}

TEST_P(Sessions, a_chain_too_large_for_a_ticket_costs_only_the_resumption) {
  auto const& all = authorities();
  auto spec = testing::client_spec("large");
  spec.subject.push_back({"O", std::string(9'000, 'o')});
  auto const large = testing::issue(spec, &all.other_root);
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::request, {&all.root}))}),
          options());
  auto c = config(&all.client);
  c.others = {&large};
  auto const session = rig.session_after(c);
  ASSERT_NE(session, nullptr);
  c.resume = session.get();
  auto const connection = rig.connect(c);
  ASSERT_TRUE(connection->ok()) << connection->failure().detail;
  EXPECT_EQ(connection->session().resumed, !GetParam().stateless);
  EXPECT_EQ(connection->session().chain->others().size(), 1U);
}

TEST_P(Sessions, threat_77_the_store_stays_within_its_bounds) {
  auto limited = options();
  limited.store.sessions = 16;
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::off, {}))}), limited);
  for (int i = 0; i < 40; ++i) {
    auto const connection = rig.connect(config(nullptr));
    ASSERT_TRUE(connection->ok());
    EXPECT_LE(rig.store->size(), 16U);
  }
  EXPECT_EQ(rig.store->size(), GetParam().stateless ? 0U : 16U);
}

TEST(SessionWithoutTickets, threat_06_no_store_means_full_handshakes) {
  auto const& all = authorities();
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::require, {&all.root}))}));
  ServerOptions options;
  options.clock = &rig.clock;
  auto bare = ServerContext::build(rig.loop, options);
  ASSERT_TRUE(bare);
  ASSERT_TRUE((*bare)->set_hosts(rig.context->hosts()));
  for (int const version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    ClientConfig c;
    c.version = version;
    c.certificate = &all.client;
    auto const session = rig.session_after(c);
    c.resume = session.get();
    auto const connection = rig.connect(c, bare->get());
    ASSERT_TRUE(connection->ok());
    EXPECT_FALSE(connection->session().resumed);
    c.certificate = nullptr;
    EXPECT_FALSE(rig.connect(c, bare->get())->ok());
  }
}

TEST(SessionScope, threat_03_depends_on_everything_that_trust_depends_on) {
  auto const& all = authorities();
  auto const mode = ClientAuthMode::request;
  auto const base = host({"api.example.com"}, policy_of(mode, {&all.root}));
  EXPECT_EQ(base->scope(), host({"API.example.com"}, policy_of(mode, {&all.root}))->scope());
  auto chain = policy_of(mode, {&all.root});
  chain.crl_check = x509::CrlCheck::chain;
  auto lenient = policy_of(mode, {&all.root});
  lenient.on_expired_crl = x509::OnExpiredCrl::use_last;
  auto deep = policy_of(mode, {&all.root});
  deep.trust = trust_in({&all.root}, {.max_depth = 1});
  ProfileOptions profile;
  profile.min_version = Version::tls_1_3;
  for (auto const& other :
       {host({"www.example.com"}, policy_of(mode, {&all.root})),
        host({"api.example.com"}, policy_of(ClientAuthMode::require, {&all.root})),
        host({"api.example.com"}, policy_of(mode, {&all.root, &all.other_root})),
        host({"api.example.com"}, policy_of(mode, {&all.other_root})),
        host({"api.example.com"}, chain), host({"api.example.com"}, lenient),
        host({"api.example.com"}, deep),
        host({"api.example.com"}, policy_of(mode, {&all.root}), profile)}) {
    EXPECT_NE(base->scope(), other->scope());
  }
}

}  // namespace
}  // namespace certgate::tls
