#include "listeners.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "certgate/gateway/build.hpp"
#include "certgate/net/socket.hpp"
#include "settings.hpp"
#include "site_folder.hpp"

namespace certgate::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::SiteFolder;

class ListenersTest : public ::testing::Test {
 protected:
  // With these addresses instead of its own; ports are shared by name.
  config::Config with(std::vector<std::string> const& addresses) {
    auto text = folder_.config();
    std::string list = "listeners:\n";
    for (auto const& address : addresses) list += "  - address: " + address + "\n";
    text.replace(text.find("listeners:"), text.find("hosts:") - text.find("listeners:"), list);
    folder_.write("certgate.yaml", text);
    auto loaded = load_config(folder_.config_path(), SystemClock{}.unix_seconds());
    if (!loaded) ADD_FAILURE() << render(loaded.error());
    return std::move(*loaded);
  }
  // As if workers had taken them over.
  static std::vector<OpenListener> running(Result<std::vector<OpenListener>, Diagnostics> opened) {
    if (!opened) {
      ADD_FAILURE() << render(opened.error());
      return {};
    }
    std::vector<OpenListener> listeners = std::move(*opened);
    EXPECT_TRUE(start_listening(listeners));
    for (auto& listener : listeners) {
      if (!listener.sockets.empty()) listener.bound.push_back(listener.settings->endpoint);
    }
    return listeners;
  }
  static std::string port_of(std::vector<OpenListener> const& listeners) {
    return std::to_string(listeners.front().settings->endpoint.port);
  }

  SiteFolder folder_;
};

TEST_F(ListenersTest, EachWorkerGetsASocketOfTheSamePort) {
  auto opened = open_listeners(with({"127.0.0.1:0"}), {}, 3);
  ASSERT_TRUE(opened);
  ASSERT_EQ(opened->size(), 1U);
  EXPECT_EQ(opened->front().sockets.size(), 3U);
  for (int const fd : opened->front().sockets) {
    EXPECT_EQ(net::local_endpoint(fd).value(), opened->front().settings->endpoint);
  }
  close_sockets(*opened);
}

TEST_F(ListenersTest, WhatRunsIsNotOpenedAgain) {
  auto first = running(open_listeners(with({"127.0.0.1:0"}), {}, 1));
  auto second = open_listeners(with({"127.0.0.1:0"}), first, 1);
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->front().sockets.empty());
  EXPECT_EQ(second->front().settings->endpoint, first.front().settings->endpoint);
  close_sockets(first);
}

// Port 0 may be written twice: each goes on as itself.
TEST_F(ListenersTest, TwoThatAreWrittenAlikeKeepTheirPortsAndTheirSettings) {
  auto const text = [](std::string const& protocol) {
    return protocol.empty() ? std::string("127.0.0.1:0")
                            : "127.0.0.1:0\n    proxy_protocol: " + protocol +
                                  "\n    trusted_sources: [127.0.0.1]";
  };
  auto first = running(open_listeners(with({text(""), text("v1"), text("v2")}), {}, 1));
  ASSERT_EQ(first.size(), 3U);
  auto const port = [&](std::size_t index) { return first[index].settings->endpoint.port; };

  auto const same = open_listeners(with({text(""), text("v1"), text("v2")}), first, 1);
  ASSERT_TRUE(same);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE((*same)[i].sockets.empty());
    EXPECT_EQ((*same)[i].settings->endpoint.port, port(i));
  }
  // One is gone and one has other settings: those that are the same stay where they were.
  auto const changed = open_listeners(with({text("any"), text("v1")}), first, 1);
  ASSERT_TRUE(changed);
  EXPECT_EQ((*changed)[0].settings->endpoint.port, port(0));
  EXPECT_EQ((*changed)[1].settings->endpoint.port, port(1));
  auto fourth = open_listeners(with({text(""), text(""), text("v1"), text("v2")}), first, 1);
  ASSERT_TRUE(fourth);
  EXPECT_EQ((*fourth)[0].settings->endpoint.port, port(0));
  EXPECT_EQ((*fourth)[1].sockets.size(), 1U);  // new
  EXPECT_EQ((*fourth)[2].settings->endpoint.port, port(1));
  close_sockets(*fourth);
  close_sockets(first);
}

TEST_F(ListenersTest, AWiderAddressKeepsTheNarrowSocketsAndANarrowerOneFindsThem) {
  auto narrow = running(open_listeners(with({"127.0.0.1:0"}), {}, 1));
  // The same listener under its number.
  narrow.front().written = "127.0.0.1:" + port_of(narrow);
  auto const endpoint = narrow.front().settings->endpoint;
  auto wide = running(open_listeners(with({"0.0.0.0:" + port_of(narrow)}), narrow, 1));
  ASSERT_EQ(wide.size(), 1U);
  EXPECT_EQ(wide.front().sockets.size(), 1U);
  EXPECT_THAT(wide.front().bound, ElementsAre(endpoint, wide.front().settings->endpoint));
  auto back = open_listeners(with({"127.0.0.1:" + port_of(narrow)}), wide, 1);
  ASSERT_TRUE(back) << render(back.error());
  EXPECT_TRUE(back->front().sockets.empty());
  EXPECT_THAT(back->front().bound, ElementsAre(endpoint));
  close_sockets(narrow);
  close_sockets(wide);
}

TEST_F(ListenersTest, EveryAddressThatCannotBeHadIsNamedAndNothingStaysOpen) {
  auto other = running(open_listeners(with({"127.0.0.1:0", "127.0.0.2:0"}), {}, 1));
  auto const first = other[0].settings->endpoint.to_string();
  auto const second = other[1].settings->endpoint.to_string();
  auto const refused = open_listeners(with({first, "127.0.0.1:0", second}), {}, 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().size(), 2U);
  EXPECT_THAT(render(refused.error()), HasSubstr(first + ": the address is already in use"));
  EXPECT_THAT(render(refused.error()), HasSubstr(second));
  EXPECT_THAT(render(refused.error()), HasSubstr("hint: choose another port"));
  close_sockets(other);
}

TEST(Settings, WordsOfTheConfigurationAreTranslated) {
  EXPECT_EQ(level_of(config::LogLevel::warning), telemetry::LogLevel::warning);
  EXPECT_EQ(format_of(config::AccessFormat::text), telemetry::AccessLogFormat::text);
  EXPECT_EQ(format_of(config::AccessFormat::off), telemetry::AccessLogFormat::off);
  EXPECT_EQ(protocol_of(config::ProxyProtocol::any), proxy::ProxyProtocol::any);
  EXPECT_EQ(protocol_of(config::ProxyProtocol::off), proxy::ProxyProtocol::off);
  config::Config config;
  config.workers = 3;
  EXPECT_EQ(worker_count(config), 3U);
  config.workers = 0;
  EXPECT_GE(worker_count(config), 1U);
}

}  // namespace
}  // namespace certgate::gateway
