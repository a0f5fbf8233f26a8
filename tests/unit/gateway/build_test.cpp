#include "certgate/gateway/build.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "certgate/gateway/kept_state.hpp"
#include "site_folder.hpp"
#include "state_files.hpp"
#include "trust_change.hpp"

namespace certgate::gateway {
namespace {

using ::testing::HasSubstr;
using testing::SiteFolder;


class BuilderTest : public ::testing::Test {
 protected:
  Result<Built, Diagnostics> build(std::uint64_t number = 1) {
    auto loaded = load_config(folder_.config_path(), SystemClock{}.unix_seconds());
    if (!loaded) return fail(std::move(loaded.error()));
    config_ = std::make_unique<config::Config>(std::move(*loaded));
    return builder_.build(*config_, number, SystemClock{}.unix_seconds(), metrics_, nullptr);
  }

  SiteFolder folder_;
  telemetry::MetricRegistry metrics_{1};
  std::unique_ptr<config::Config> config_;
  Builder builder_;
};

TEST_F(BuilderTest, PutsEverythingIntoOneGeneration) {
  auto const built = build(5);
  ASSERT_TRUE(built) << render(built.error());
  auto const& generation = *built->generation;
  EXPECT_EQ(generation.number, 5U);
  ASSERT_EQ(generation.sites.size(), 1U);
  EXPECT_NE(generation.find_site("api.example.com"), nullptr);
  EXPECT_EQ(generation.find_site("other.example.com"), nullptr);
  EXPECT_EQ(generation.revocations.size(), 1U);
  EXPECT_EQ(generation.origins.size(), 1U);
  EXPECT_EQ(generation.policy->live().size(), 1U);
  EXPECT_EQ(built->expiries.size(), 3U);  // server certificate, CA, CRL
}

TEST_F(BuilderTest, WhatStaysTheSameIsShared) {
  auto const first = build(1);
  ASSERT_TRUE(first);
  builder_.commit();
  auto const second = build(2);
  ASSERT_TRUE(second);
  EXPECT_EQ(first->generation->origins, second->generation->origins);
  EXPECT_EQ(first->generation->revocations, second->generation->revocations);
}

TEST_F(BuilderTest, HostsWithEqualSettingsShareWhatIsMadeOfThem) {
  auto config = folder_.config("request_headers: {set: {X-Path: http.request.uri.path}}\n");
  auto const more = [&config](std::string const& name, std::string const& own) {
    config.insert(config.find("origins:"), "  - names: [" + name +
                                               "]\n    certificate: server.pem\n    private_key: "
                                               "server.key\n    origin: api\n" + own);
  };
  more("own.example.com", "    request_headers: {set: {X-Path: http.host}}\n    tls: {min_version: '1.3'}\n");
  more("same.example.com", "");
  folder_.write("certgate.yaml", config);
  auto const built = build();
  ASSERT_TRUE(built) << render(built.error());
  auto const& generation = *built->generation;
  auto const& first = *generation.find_site("api.example.com");
  auto const& same = *generation.find_site("same.example.com");
  auto const& own = *generation.find_site("own.example.com");
  EXPECT_EQ(first.request_fields, same.request_fields);
  EXPECT_EQ(&first.tls->profile(), &same.tls->profile());
  EXPECT_EQ(first.tls->identities(), same.tls->identities());
  EXPECT_EQ(first.tls->identities(), own.tls->identities());
  ASSERT_NE(own.request_fields, nullptr);
  EXPECT_NE(own.request_fields, first.request_fields);
  EXPECT_EQ(own.request_fields->values.texts().front().expression, "http.host");
  EXPECT_NE(&own.tls->profile(), &first.tls->profile());
}

TEST_F(BuilderTest, TheSameMistakeInTwoHostsIsToldAtBoth) {
  auto config = folder_.config();
  auto const own = "    request_headers: {set: {X-Path: http.nonsense}}\n";
  auto const host = std::string("  - names: [b.example.com]\n    certificate: server.pem\n") +
                    "    private_key: server.key\n    origin: api\n" + own;
  config.insert(config.find("origins:"), own + host);
  folder_.write("certgate.yaml", config);
  auto const built = build();
  ASSERT_FALSE(built);
  std::size_t told = 0;
  for (auto const& mistake : built.error()) {
    if (mistake.message.find("http.nonsense") != std::string::npos) ++told;
  }
  EXPECT_EQ(told, 2U) << render(built.error());
}

TEST_F(BuilderTest, ARolledBackBuildIsForgotten) {
  folder_.write_crl("05", {});
  ASSERT_TRUE(build(1));
  builder_.commit();
  folder_.write_crl("09", {});
  ASSERT_TRUE(build(2));
  builder_.roll_back();
  // Older than what was rolled back, newer than what is in force.
  folder_.write_crl("07", {});
  auto const third = build(2);
  EXPECT_TRUE(third) << render(third.error());
}

TEST_F(BuilderTest, RefreshTakesListsOverAndNothingElse) {
  auto const built = build();
  ASSERT_TRUE(built);
  builder_.commit();
  auto const now = SystemClock{}.unix_seconds();
  auto const same = builder_.refresh(*config_, *built->generation, built->expiries, now);
  EXPECT_TRUE(same.changes.empty());
  EXPECT_EQ(same.revocations, built->generation->revocations);
  EXPECT_EQ(same.expiries.size(), built->expiries.size());

  folder_.write_crl("02", {{"0B", 1, {}, {}}});
  auto const renewed = builder_.refresh(*config_, *built->generation, built->expiries, now);
  ASSERT_EQ(renewed.changes.size(), 1U);
  EXPECT_EQ(renewed.revocations.front()->entry_count(), 1U);

  folder_.write("ca.crl", "broken");
  auto const broken = builder_.refresh(*config_, *built->generation, built->expiries, now);
  EXPECT_TRUE(broken.changes.empty());
  ASSERT_EQ(broken.problems.size(), 1U);
  EXPECT_THAT(render(broken.problems), HasSubstr("ca.crl"));
  EXPECT_EQ(broken.expiries.size(), built->expiries.size());
}

TEST_F(BuilderTest, AKeyThatOpensslRefusesIsFoundWhenItIsLoaded) {
  // Well-formed DER around a private key that is no key: a scalar of zero on P-256.
  folder_.write("server.key",
                "-----BEGIN PRIVATE KEY-----\n"
                "MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCAAAAAAAAAAAAAAAAAA\n"
                "AAAAAAAAAAAAAAAAAAAAAAAAAA==\n"
                "-----END PRIVATE KEY-----\n");
  auto const built = build();
  ASSERT_FALSE(built);
  EXPECT_THAT(render(built.error()), HasSubstr("server.key"));
}

TEST_F(BuilderTest, ACertificateWhosePublicKeyOpensslRefusesIsFoundWhenItIsLoaded) {
  // Sound DER, and a point that does not lie on its curve.
  auto spec = testing::client_spec("api.example.com");
  spec.extended_key_usage = "serverAuth";
  auto identity = testing::issue(spec, &folder_.ca());
  auto const point = identity.der.find(std::string("\x03\x42\x00\x04", 4));
  ASSERT_NE(point, std::string::npos);
  identity.der[point + 10] = static_cast<char>(identity.der[point + 10] ^ 0x55);
  folder_.write("server.pem", identity.pem());
  folder_.write("server.key", identity.key.pem());
  auto const built = build();
  ASSERT_FALSE(built);
  EXPECT_THAT(render(built.error()), HasSubstr("server."));
}

TEST_F(BuilderTest, AChangeOfTheDenyListSharesTheRest) {
  auto const built = build();
  ASSERT_TRUE(built);
  TrustChange change;
  x509::DenyEntry entry;
  entry.serial = "0A";
  auto list = x509::DenyList::build({entry});
  ASSERT_TRUE(list);
  change.deny_list = *list;
  auto const next = with_change(*built->generation, change);
  ASSERT_TRUE(next);
  EXPECT_EQ((*next)->number, 2U);
  EXPECT_EQ((*next)->deny_list, *list);
  EXPECT_EQ((*next)->policy, built->generation->policy);
  EXPECT_EQ((*next)->revocations, built->generation->revocations);
  EXPECT_EQ((*next)->client_policy(*(*next)->sites.front()).deny_list, *list);
}

TEST(ExpiryKind, HasAWordForEachKind) {
  EXPECT_EQ(name_of(Expiry::Kind::server_certificate), "server_certificate");
  EXPECT_EQ(name_of(Expiry::Kind::client_ca), "client_ca");
  EXPECT_EQ(name_of(Expiry::Kind::crl), "crl");
  EXPECT_EQ(name_of(Expiry::Kind::upstream_certificate), "upstream_certificate");
  EXPECT_EQ(name_of(Expiry::Kind::upstream_ca), "upstream_ca");
  EXPECT_EQ(name_of(Expiry::Kind::crl_server_ca), "crl_server_ca");
}

TEST(DiskReader, ReadsFilesWholeAndNeverWaits) {
  SiteFolder const folder;
  DiskReader disk;
  std::string const large(300'000, 'x');
  folder.write("large", large);
  auto const read = disk.read(folder.path("large"));
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, large);
  folder.write("empty", "");
  EXPECT_EQ(disk.read(folder.path("empty")).value(), "");
  auto const refused = [&](std::string const& name) { return disk.read(folder.path(name)).error(); };
  EXPECT_EQ(refused("nowhere").code, ErrorCode::not_found);
  EXPECT_EQ(refused("large/x").code, ErrorCode::not_found);
  EXPECT_EQ(refused(".").detail, "is a directory");
  ASSERT_EQ(::mkfifo(folder.path("pipe").c_str(), 0600), 0);
  EXPECT_THAT(refused("pipe").detail, HasSubstr("is a pipe"));
  EXPECT_THAT(disk.read("/dev/zero").error().detail, HasSubstr("device"));
}

TEST(StateFiles, AreReplacedWholeAndAppendedTo) {
  SiteFolder const folder;
  auto const state = folder.path("a/b/state");
  ASSERT_TRUE(make_state_directory(state));
  ASSERT_TRUE(make_state_directory(state));
  auto const file = state + "/file";
  ASSERT_TRUE(replace_state_file(file, "one"));
  ASSERT_TRUE(replace_state_file(file, "two"));
  DiskReader disk;
  EXPECT_EQ(disk.read(file).value(), "two");
  struct stat status{};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  ASSERT_TRUE(append_state_line(state + "/log", "first"));
  ASSERT_TRUE(append_state_line(state + "/log", "second"));
  EXPECT_EQ(disk.read(state + "/log").value(), "first\nsecond\n");
  EXPECT_FALSE(replace_state_file(folder.path("no/such/file"), "x"));
  EXPECT_THAT(append_state_line(folder.path("no/such/file"), "x").error().detail,
              HasSubstr("no/such/file"));
}

TEST(KeptState, HoldsTheDenyListOfAnEarlierRun) {
  SiteFolder const folder;
  folder.write("certgate.yaml", folder.config("state_directory: state\n"));
  auto const config = load_config(folder.config_path(), SystemClock{}.unix_seconds());
  ASSERT_TRUE(config) << render(config.error());
  auto const none = load_kept_state(*config, SystemClock{});
  ASSERT_TRUE(none) << none.error().detail;
  ASSERT_TRUE(make_state_directory(folder.path("state")));
  folder.write("state/denied.json", R"({"version": 1, "denied": [{"serial": "0A"}]})");
  auto const kept = load_kept_state(*config, SystemClock{});
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_EQ(kept->deny_list->entries().size(), 1U);
  // A list that cannot be read must not let everybody in again.
  folder.write("state/denied.json", "{");
  EXPECT_FALSE(load_kept_state(*config, SystemClock{}));
}

}  // namespace
}  // namespace certgate::gateway
