// A worker's own OpenSSL has fewer algorithms than the process's; none that TLS needs is missing.
#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "rig.hpp"

namespace certgate::tls {
namespace {

using testing::KeyKind;
using x509::ClientAuthMode;

ServerHosts::Pointer host_with(ProfileOptions profile) {
  return hosts({host({"api.example.com"}, policy_of(ClientAuthMode::off, {}), std::move(profile))});
}

TEST(WorkerLibrary, has_every_cipher_that_a_profile_accepts) {
  std::unique_ptr<SSL_CTX, Free> const all(SSL_CTX_new(TLS_server_method()));
  ASSERT_EQ(SSL_CTX_set_cipher_list(all.get(), "ALL:!aNULL:!eNULL:!PSK:!SRP:!aDSS"), 1);
  auto* const ciphers = SSL_CTX_get_ciphers(all.get());
  std::vector<std::string> names{"TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"};
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
    names.emplace_back(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i)));
  }
  EXPECT_GT(names.size(), 20U);
  ManualClock const clock(testing::test_now());
  net::Loop loop;
  ServerOptions options;
  options.clock = &clock;
  auto const context = ServerContext::build(loop, options);
  ASSERT_TRUE(context);
  for (auto const& name : names) {
    ProfileOptions profile;
    profile.ciphers = {name};
    auto const set = (*context)->set_hosts(host_with(profile));
    EXPECT_TRUE(set) << name << ": " << (set ? "" : set.error().detail);
  }
}

TEST(WorkerLibrary, agrees_on_every_group_that_a_profile_accepts) {
  for (std::string const name : {"X25519", "X448", "P-256", "P-384", "P-521", "ffdhe2048"}) {
    ProfileOptions profile;
    profile.groups = {name};
    Rig rig(host_with(profile));
    ClientConfig config;
    config.groups = name;
    auto const c = rig.connect(config);
    EXPECT_TRUE(c->ok()) << name << ": " << (c->ok() ? "" : c->failure().detail);
  }
}

class WorkerLibraryKeys : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Versions, WorkerLibraryKeys,
                         ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));

TEST_P(WorkerLibraryKeys, lets_every_kind_of_key_in_and_no_forged_signature) {
  for (auto const ca_kind : {KeyKind::p256, KeyKind::rsa2048}) {
    auto const root = testing::make_ca("Root", nullptr, ca_kind);
    auto const intermediate = testing::make_ca("Intermediate", &root, ca_kind);
    for (auto const kind : {KeyKind::p256, KeyKind::p384, KeyKind::p521, KeyKind::rsa2048,
                            KeyKind::rsa_pss2048, KeyKind::ed25519}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(kind)));
      Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::require, {&root}))}));
      auto const client =
          testing::issue(testing::client_spec("device"), testing::TestKey::cached(kind),
                         &intermediate);
      ClientConfig config;
      config.version = GetParam();
      config.certificate = &client;
      config.others = {&intermediate};
      auto const good = rig.connect(config);
      EXPECT_TRUE(good->ok()) << (good->ok() ? "" : good->failure().detail);

      auto forged = client;
      forged.der.back() = static_cast<char>(forged.der.back() ^ 1);
      config.certificate = &forged;
      auto const bad = rig.connect(config);
      ASSERT_FALSE(bad->ok());
      EXPECT_EQ(name_of(bad->failure().fault), "certificate_rejected") << bad->failure().detail;
    }
  }
}

// The client shows a certificate whose key it does not have: the same point, another secret.
std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_without_the_secret(EVP_PKEY* owner) {
  unsigned char point[133];
  std::size_t size = 0;
  EVP_PKEY_get_octet_string_param(owner, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &size);
  auto* const secret = BN_new();
  BN_set_word(secret, 4711);
  auto* const build = OSSL_PARAM_BLD_new();
  OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, size);
  OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, secret);
  auto* const parameters = OSSL_PARAM_BLD_to_param(build);
  auto* const context = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
  EVP_PKEY* key = nullptr;
  EVP_PKEY_fromdata_init(context);
  EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters);
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(parameters);
  OSSL_PARAM_BLD_free(build);
  BN_free(secret);
  return {key, EVP_PKEY_free};
}

TEST_P(WorkerLibraryKeys, refuses_a_client_that_does_not_hold_the_key_even_when_it_is_cached) {
  auto const& all = authorities();
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::require, {&all.root}))}));
  ClientConfig config;
  config.version = GetParam();
  config.certificate = &all.client;
  ASSERT_TRUE(rig.connect(config)->ok());  // its chain is known as verified from here on
  auto const thief = rig.open(config);
  auto const key = key_without_the_secret(all.client.key.handle());
  ASSERT_NE(key, nullptr);
  ASSERT_EQ(SSL_use_PrivateKey(thief->client->ssl(), key.get()), 1);
  rig.finish(*thief);
  ASSERT_FALSE(thief->ok());
  EXPECT_EQ(name_of(thief->failure().fault), "protocol") << thief->failure().detail;
  EXPECT_EQ(rig.store->size(), rig.store->counts().inserted);
  EXPECT_EQ(rig.context->counts().full, 1U);
}

TEST_P(WorkerLibraryKeys, sessions_outlive_the_worker_that_made_them) {
  auto const& all = authorities();
  Rig rig(hosts({host({"api.example.com"}, policy_of(ClientAuthMode::require, {&all.root}))}));
  auto other = std::move(ServerContext::build(rig.loop, rig.context->options())).value();
  ASSERT_TRUE(other->set_hosts(rig.context->hosts()));
  ClientConfig config;
  config.version = GetParam();
  config.certificate = &all.client;
  ClientSession session;
  {
    auto const c = rig.connect(config, other.get());
    ASSERT_TRUE(c->ok());
    c->server->try_write(std::string_view("!"));
    EXPECT_EQ(c->client->read(), "!");
    session = c->client->session();
  }
  other.reset();
  config.resume = session.get();
  auto const c = rig.connect(config);
  ASSERT_TRUE(c->ok());
  EXPECT_TRUE(c->session().resumed);
  EXPECT_EQ(c->session().chain->leaf().fingerprint(), all.client.facts->fingerprint());
}

}  // namespace
}  // namespace certgate::tls
