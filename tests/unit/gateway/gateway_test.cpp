#include "certgate/gateway/gateway.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "site_folder.hpp"

namespace certgate::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::SiteFolder;

std::unique_ptr<Gateway> start(SiteFolder const& folder) {
  GatewayOptions options;
  options.config_path = folder.config_path();
  auto started = Gateway::start(std::move(options));
  if (!started) ADD_FAILURE() << render(started.error());
  return started ? std::move(*started) : nullptr;
}

std::string text_of(Diagnostics const& diagnostics) { return render(diagnostics); }

TEST(Receipt, IsOneLineThatSaysWhatChangedAndHowLongItTook) {
  Receipt receipt;
  receipt.version = 7;
  receipt.took = std::chrono::microseconds{12'345};
  EXPECT_EQ(receipt.to_string(), "version 7: nothing changed (12.3 ms)");
  receipt.changes = {"rules: 1 added", "host a: other certificate"};
  EXPECT_EQ(receipt.to_string(), "version 7: rules: 1 added; host a: other certificate (12.3 ms)");
}

TEST(Gateway, IsReadyAndBoundWhenStartReturns) {
  SiteFolder const folder;
  auto const gateway = start(folder);
  ASSERT_NE(gateway, nullptr);
  EXPECT_TRUE(gateway->is_ready());
  ASSERT_EQ(gateway->endpoints().size(), 1U);
  EXPECT_NE(gateway->endpoints().front().port, 0);
  EXPECT_THAT(gateway->status_json(), HasSubstr("\"version\":1,\"ready\":true"));
  EXPECT_THAT(gateway->status_json(), HasSubstr(gateway->endpoints().front().to_string()));
  EXPECT_THAT(gateway->metrics_text(), HasSubstr("certgate_config_version 1"));
  EXPECT_THAT(gateway->metrics_text(), HasSubstr("certgate_expiry_days{kind=\"crl\""));
  gateway->drain();
  EXPECT_FALSE(gateway->is_ready());
  gateway->drain();  // harmless
}

TEST(Gateway, StartTellsEveryMistake) {
  SiteFolder const folder;
  folder.write("ca.pem", "nothing");
  folder.write("server.key", "");
  GatewayOptions options;
  options.config_path = folder.config_path();
  auto const started = Gateway::start(std::move(options));
  ASSERT_FALSE(started);
  EXPECT_THAT(text_of(started.error()), HasSubstr("ca.pem"));
  EXPECT_THAT(text_of(started.error()), HasSubstr("server.key` is empty"));
}

TEST(Gateway, AReloadThatIsGoodCountsUpAndOneThatIsNotChangesNothing) {
  SiteFolder const folder;
  auto const gateway = start(folder);
  ASSERT_NE(gateway, nullptr);
  auto const same = gateway->reload();
  ASSERT_TRUE(same) << text_of(same.error());
  EXPECT_EQ(same->version, 2U);
  EXPECT_TRUE(same->changes.empty());

  folder.write_crl("02", {{"0A", 1, {}, {}}});
  auto const renewed = gateway->reload();
  ASSERT_TRUE(renewed) << text_of(renewed.error());
  EXPECT_THAT(renewed->to_string(), HasSubstr("other CRLs, 1 revoked"));

  folder.write("certgate.yaml", folder.config("wrokers: 3\n"));
  auto const refused = gateway->reload();
  ASSERT_FALSE(refused);
  EXPECT_THAT(text_of(refused.error()), HasSubstr("unknown key `wrokers`"));
  EXPECT_THAT(gateway->status_json(), HasSubstr("\"version\":3"));
  EXPECT_THAT(gateway->status_json(), HasSubstr("\"failed_reloads\":1"));

  // A list that is older than the one in force, after the refusal as before it.
  folder.write("certgate.yaml", folder.config());
  folder.write_crl("01", {});
  auto const older = gateway->reload();
  ASSERT_FALSE(older);
  EXPECT_THAT(text_of(older.error()), HasSubstr("ca.crl"));
}

TEST(Gateway, OneReloadAnswersForAllThatWait) {
  SiteFolder const folder;
  auto const gateway = start(folder);
  ASSERT_NE(gateway, nullptr);
  std::atomic<int> done{0};
  for (int i = 0; i < 50; ++i) {
    gateway->reload_soon([&done](Result<Receipt, Diagnostics> const& result) {
      if (result) ++done;
    });
  }
  std::promise<std::uint64_t> last;
  // Whether the last of them still waits is chance; this one waits for all that went before.
  while (done == 0) std::this_thread::yield();
  gateway->reload_soon([&last](Result<Receipt, Diagnostics> const& result) {
    last.set_value(result ? result->version : 0);
  });
  auto version = last.get_future();
  if (version.wait_for(std::chrono::seconds{60}) == std::future_status::ready) {
    EXPECT_EQ(version.get(), static_cast<std::uint64_t>(done) + 2);
  }
  EXPECT_GE(done, 1);
  EXPECT_LE(done, 50);
}

// What the resolver says now; look-ups come on threads that nobody waits for.
struct Resolver {
  std::mutex mutex;
  std::string address = "127.0.0.1";
  std::atomic<int> lookups{0};

  Result<std::vector<IpAddress>> answer(std::string const& name) {
    ++lookups;
    std::lock_guard const lock(mutex);
    if (address.empty()) return fail(ErrorCode::not_found, "no such name as " + name);
    return std::vector<IpAddress>{*IpAddress::parse(address)};
  }
  void set(std::string text) {
    std::lock_guard const lock(mutex);
    address = std::move(text);
  }
};

TEST(Gateway, FollowsTheNamesOfOrigins) {
  SiteFolder const folder;
  auto config = folder.config();
  std::string const before = R"(servers: ["http://127.0.0.1:9"])";
  config.replace(config.find(before), before.size(),
                 R"(servers: ["http://api.internal:9"], resolve_every: 1ms)");
  folder.write("certgate.yaml", config);
  auto const resolver = std::make_shared<Resolver>();
  GatewayOptions options;
  options.config_path = folder.config_path();
  options.lookup = [resolver](std::string const& name) { return resolver->answer(name); };
  auto const started = Gateway::start(std::move(options));
  ASSERT_TRUE(started) << text_of(started.error());
  auto& gateway = **started;
  auto const wait_for = [&](std::string const& words) {
    auto const end = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (gateway.status_json().find(words) == std::string::npos) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  };
  EXPECT_THAT(gateway.status_json(), HasSubstr("http://api.internal:9 (127.0.0.1)"));
  resolver->set("127.0.0.2");
  EXPECT_TRUE(wait_for("http://api.internal:9 (127.0.0.2)"));
  EXPECT_THAT(gateway.status_json(), Not(HasSubstr("(127.0.0.1)")));
  resolver->set("");
  EXPECT_TRUE(wait_for("no such name as api.internal"));
  EXPECT_THAT(gateway.status_json(), HasSubstr("http://api.internal:9 (127.0.0.2)"));
  EXPECT_THAT(gateway.metrics_text(), HasSubstr("certgate_origin_name_changes_total 1\n"));
  auto const refused = gateway.reload();
  ASSERT_FALSE(refused);
  EXPECT_THAT(text_of(refused.error()),
              HasSubstr("cannot resolve `api.internal`: no such name as api.internal"));

  // A reload looks the name up as well.
  resolver->set("127.0.0.3");
  auto const reloaded = gateway.reload();
  ASSERT_TRUE(reloaded) << text_of(reloaded.error());
  EXPECT_TRUE(wait_for("http://api.internal:9 (127.0.0.3)"));
  gateway.drain();
}

TEST(Gateway, AfterTheDrainNoReloadOpensAnything) {
  SiteFolder const folder;
  auto const gateway = start(folder);
  ASSERT_NE(gateway, nullptr);
  gateway->drain();
  auto const refused = gateway->reload();
  ASSERT_FALSE(refused);
  EXPECT_THAT(text_of(refused.error()), HasSubstr("certgate is ending"));
  EXPECT_EQ(refused.error().items().front().place.line, 0U) << "no line of the file is at fault";
}

TEST(Gateway, LogFilesCanBeOpenedAgain) {
  SiteFolder const folder;
  auto const gateway = start(folder);
  ASSERT_NE(gateway, nullptr);
  std::filesystem::rename(folder.path("certgate.log"), folder.path("certgate.log.1"));
  ASSERT_TRUE(gateway->reopen_logs());
  EXPECT_TRUE(std::filesystem::exists(folder.path("certgate.log")));
}

TEST(Check, LoadsEverythingAndDescribesIt) {
  SiteFolder const folder;
  auto const now = SystemClock{}.unix_seconds();
  auto const checked = check(folder.config_path(), now);
  ASSERT_TRUE(checked) << text_of(checked.error());
  EXPECT_TRUE(checked->built.warnings.empty()) << text_of(checked->built.warnings);
  auto const hosts = describe_hosts(*checked, now);
  for (auto const* words : {"host api.example.com", "client_auth   request", "CA          CN=Devices,O=Test",
                            "CRL         CN=Devices,O=Test, 0 revoked", "origin        api",
                            "1 rule, then allow"}) {
    EXPECT_THAT(hosts, HasSubstr(words));
  }
  // No server is asked where none speaks TLS.
  EXPECT_TRUE(ask_origins(*checked, now).empty());
}

TEST(Check, WhatEndsIsListedSoonestFirst) {
  SiteFolder const folder;
  auto const now = SystemClock{}.unix_seconds();
  auto const checked = check(folder.config_path(), now);
  ASSERT_TRUE(checked);
  auto const text = describe_expiries(checked->built.expiries, now);
  EXPECT_LT(text.find("crl CN=Devices"), text.find("client_ca CN=Devices"));
  EXPECT_THAT(text, HasSubstr("(90 days)"));
  EXPECT_THAT(describe_expiries(checked->built.expiries, now + 91 * 86'400), HasSubstr("(over)"));
}

TEST(Check, AnOriginThatCannotBeReachedIsANote) {
  SiteFolder const folder;
  auto text = folder.config();
  text.replace(text.find("http://127.0.0.1:9"), 18, "https://127.0.0.1:1");
  folder.write("certgate.yaml", text);
  auto const checked = check(folder.config_path(), SystemClock{}.unix_seconds());
  ASSERT_TRUE(checked) << text_of(checked.error());
  auto const told = ask_origins(*checked, SystemClock{}.unix_seconds());
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told.begin()->severity, Severity::note);
  EXPECT_THAT(text_of(told), HasSubstr("https://127.0.0.1:1"));
  EXPECT_THAT(text_of(told), HasSubstr("--offline"));
  EXPECT_NE(told.begin()->place.line, 0U);
}

TEST(Check, EachServerIsToldOfAtItsOwnUrl) {
  SiteFolder const folder;
  auto text = folder.config();
  std::string_view const servers = R"(["http://127.0.0.1:9"])";
  ASSERT_NE(text.find(servers), text.npos) << text;
  auto const first = 1 + std::count(text.begin(), text.end(), '\n') -
                     std::count(text.begin() + static_cast<std::ptrdiff_t>(text.find(servers)),
                                text.end(), '\n');
  text.replace(text.find(servers), servers.size(),
               "[\"https://127.0.0.1:11\",\n    \"https://127.0.0.1:1\"]");
  folder.write("certgate.yaml", text);
  auto const checked = check(folder.config_path(), SystemClock{}.unix_seconds());
  ASSERT_TRUE(checked) << text_of(checked.error());
  auto const told = ask_origins(*checked, SystemClock{}.unix_seconds());
  ASSERT_EQ(told.size(), 2U);
  for (auto const& one : told) {
    bool const is_first = one.message.find("127.0.0.1:11 ") != one.message.npos;
    EXPECT_EQ(static_cast<std::ptrdiff_t>(one.place.line), is_first ? first : first + 1)
        << one.message;
  }
}

}  // namespace
}  // namespace certgate::gateway
