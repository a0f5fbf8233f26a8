// Which server takes a request: balancing, ejection by traffic, and what probes say.
#include "certgate/upstream/origin.hpp"

#include <gtest/gtest.h>

#include <map>

namespace certgate::upstream {
namespace {

OriginSettings settings_of(std::size_t servers, Balance balance = Balance::round_robin) {
  OriginSettings settings;
  settings.name = "api";
  settings.balance = balance;
  settings.health.eject_after = 2;
  settings.health.eject_for = std::chrono::milliseconds{1'000};
  settings.health.healthy_after = 2;
  settings.health.unhealthy_after = 3;
  for (std::size_t i = 0; i < servers; ++i) {
    ServerSettings server;
    server.label = std::string(1, static_cast<char>('a' + i));
    settings.servers.push_back(std::move(server));
  }
  return settings;
}

// The labels of the servers chosen one after the other; '-' where there is none.
std::string choices(Origin const& origin, unsigned& cursor, int count, std::int64_t now = 0,
                    Server const* avoid = nullptr) {
  std::string labels;
  for (int i = 0; i < count; ++i) {
    auto const* const server = origin.choose(cursor, avoid, now);
    labels += server == nullptr ? "-" : server->settings().label;
  }
  return labels;
}

void eject(Origin const& origin, std::size_t server, std::int64_t now) {
  auto const& health = origin.settings().health;
  for (unsigned i = 0; i < health.eject_after; ++i) {
    origin.servers()[server]->request_failed(health, now);
  }
}

void probe_down(Origin const& origin, std::size_t server) {
  auto const& health = origin.settings().health;
  for (unsigned i = 0; i < health.unhealthy_after; ++i) {
    origin.servers()[server]->probe_failed(health);
  }
}

TEST(RoundRobin, takes_turns) {
  Origin const origin(settings_of(3));
  unsigned cursor = 0;
  EXPECT_EQ(choices(origin, cursor, 7), "abcabca");
}

TEST(RoundRobin, each_worker_has_a_turn_of_its_own) {
  Origin const origin(settings_of(3));
  unsigned one = 0, other = 0;
  EXPECT_EQ(choices(origin, one, 2), "ab");
  EXPECT_EQ(choices(origin, other, 1), "a");
  EXPECT_EQ(choices(origin, one, 1), "c");
}

TEST(RoundRobin, passes_over_the_server_that_was_tried) {
  Origin const origin(settings_of(2));
  unsigned cursor = 0;
  EXPECT_EQ(choices(origin, cursor, 3, 0, origin.servers()[0].get()), "bbb");
}

TEST(RoundRobin, a_single_server_is_tried_again_even_so) {
  Origin const origin(settings_of(1));
  unsigned cursor = 0;
  EXPECT_EQ(choices(origin, cursor, 2, 0, origin.servers()[0].get()), "aa");
}

TEST(LeastConnections, takes_the_least_busy) {
  Origin const origin(settings_of(3, Balance::least_connections));
  origin.servers()[0]->begin();
  origin.servers()[1]->begin();
  unsigned cursor = 0;
  EXPECT_EQ(choices(origin, cursor, 2), "cc");
  origin.servers()[2]->begin();
  origin.servers()[2]->begin();
  origin.servers()[1]->end();
  EXPECT_EQ(choices(origin, cursor, 2), "bb");
}

TEST(LeastConnections, equally_busy_servers_take_turns) {
  Origin const origin(settings_of(3, Balance::least_connections));
  unsigned cursor = 0;
  EXPECT_EQ(choices(origin, cursor, 6), "abcabc");
  for (auto const& server : origin.servers()) server->begin();
  EXPECT_EQ(choices(origin, cursor, 6), "abcabc");
}

TEST(LeastConnections, a_busy_server_is_better_than_one_that_is_down) {
  Origin const origin(settings_of(2, Balance::least_connections));
  for (int i = 0; i < 100; ++i) origin.servers()[0]->begin();
  probe_down(origin, 1);
  unsigned cursor = 0;
  EXPECT_EQ(choices(origin, cursor, 2), "aa");
}

TEST(Ejection, begins_at_the_last_failure_and_not_before) {
  Origin const origin(settings_of(2));
  auto const& health = origin.settings().health;
  auto& server = *origin.servers()[0];
  EXPECT_FALSE(server.request_failed(health, 0));
  EXPECT_TRUE(server.is_available(0));
  EXPECT_TRUE(server.request_failed(health, 0));
  EXPECT_FALSE(server.is_available(0));
  unsigned cursor = 0;
  EXPECT_EQ(choices(origin, cursor, 3), "bbb");
}

TEST(Ejection, a_success_forgives_what_failed_before) {
  Origin const origin(settings_of(2));
  auto const& health = origin.settings().health;
  auto& server = *origin.servers()[0];
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(server.request_failed(health, 0));
    server.request_succeeded();
  }
  EXPECT_TRUE(server.is_available(0));
}

TEST(Ejection, ends_when_its_time_is_over) {
  Origin const origin(settings_of(2));
  eject(origin, 0, 5'000);
  unsigned cursor = 0;
  EXPECT_EQ(choices(origin, cursor, 2, 5'999), "bb");
  EXPECT_EQ(choices(origin, cursor, 2, 6'000), "ab");
}

TEST(Ejection, counts_anew_after_the_return) {
  Origin const origin(settings_of(2));
  eject(origin, 0, 0);
  auto& server = *origin.servers()[0];
  EXPECT_FALSE(server.request_failed(origin.settings().health, 2'000));
  EXPECT_TRUE(server.is_available(2'000));
}

TEST(Ejection, zero_means_never) {
  auto settings = settings_of(2);
  settings.health.eject_after = 0;
  Origin const origin(std::move(settings));
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(origin.servers()[0]->request_failed(origin.settings().health, 0));
  }
  EXPECT_TRUE(origin.servers()[0]->is_available(0));
}

TEST(Ejection, of_all_servers_the_one_that_returns_first_is_tried) {
  Origin const origin(settings_of(3));
  eject(origin, 0, 300);
  eject(origin, 1, 100);
  eject(origin, 2, 200);
  unsigned cursor = 0;
  EXPECT_EQ(choices(origin, cursor, 2, 300), "bb");
  EXPECT_EQ(choices(origin, cursor, 1, 300, origin.servers()[1].get()), "c");
}

TEST(Probes, take_a_server_out_and_back_after_their_streaks) {
  Origin const origin(settings_of(2));
  auto const& health = origin.settings().health;
  auto& server = *origin.servers()[0];
  EXPECT_FALSE(server.probe_failed(health));
  EXPECT_FALSE(server.probe_failed(health));
  EXPECT_FALSE(server.probe_succeeded(health));  // the streak begins anew
  EXPECT_FALSE(server.probe_failed(health));
  EXPECT_FALSE(server.probe_failed(health));
  EXPECT_FALSE(server.is_probed_down());
  EXPECT_TRUE(server.probe_failed(health));
  EXPECT_TRUE(server.is_probed_down());
  EXPECT_FALSE(server.probe_failed(health));

  EXPECT_FALSE(server.probe_succeeded(health));
  EXPECT_FALSE(server.probe_failed(health));
  EXPECT_FALSE(server.probe_succeeded(health));
  EXPECT_TRUE(server.probe_succeeded(health));
  EXPECT_FALSE(server.is_probed_down());
}

TEST(Probes, a_server_that_is_well_again_is_not_ejected_any_more) {
  Origin const origin(settings_of(2));
  auto const& health = origin.settings().health;
  auto& server = *origin.servers()[0];
  probe_down(origin, 0);
  eject(origin, 0, 0);
  server.probe_succeeded(health);
  EXPECT_TRUE(server.probe_succeeded(health));
  EXPECT_TRUE(server.is_available(0));
}

TEST(Probes, all_down_means_none) {
  Origin const two(settings_of(2));
  probe_down(two, 0);
  probe_down(two, 1);
  unsigned cursor = 0;
  EXPECT_EQ(choices(two, cursor, 2), "--");
  Origin const one(settings_of(1));
  probe_down(one, 0);
  EXPECT_EQ(choices(one, cursor, 2), "--");
}

TEST(Probes, an_ejected_server_is_tried_before_one_that_is_probed_down) {
  Origin const origin(settings_of(2));
  probe_down(origin, 0);
  eject(origin, 1, 0);
  unsigned cursor = 0;
  EXPECT_EQ(choices(origin, cursor, 2), "bb");
}


std::vector<IpAddress> addresses(std::initializer_list<char const*> texts) {
  std::vector<IpAddress> out;
  for (auto const* const text : texts) out.push_back(*IpAddress::parse(text));
  return out;
}

// One server that was written as an address and two addresses of a name, at two ports.
Origin origin_by_name() {
  OriginSettings settings;
  settings.name = "api";
  settings.resolve_every = std::chrono::seconds{30};
  settings.health.unhealthy_after = 1;
  auto const add = [&](std::string written, std::string name, char const* endpoint) {
    ServerSettings server;
    server.written = std::move(written);
    server.name = std::move(name);
    server.address.ip = *IpEndpoint::parse(endpoint);
    server.authority = "api.internal";
    server.label = label_of(server);
    settings.servers.push_back(std::move(server));
  };
  add("http://10.9.9.9", "", "10.9.9.9:80");
  add("http://api.internal", "api.internal", "10.0.0.1:80");
  add("http://api.internal", "api.internal", "10.0.0.2:80");
  add("http://api.internal:81", "api.internal", "10.0.0.1:81");
  add("http://api.internal:81", "api.internal", "10.0.0.2:81");
  return Origin(std::move(settings));
}

std::vector<std::string> labels(Origin const& origin) {
  std::vector<std::string> out;
  for (auto const& server : origin.servers()) out.push_back(server->settings().label);
  return out;
}

TEST(Names, a_label_tells_the_address_of_a_name) {
  auto const origin = origin_by_name();
  EXPECT_EQ(labels(origin)[0], "http://10.9.9.9");
  EXPECT_EQ(labels(origin)[3], "http://api.internal:81 (10.0.0.1)");
  EXPECT_EQ(origin.names(), std::vector<std::string>{"api.internal"});
  EXPECT_EQ(origin.addresses_of("api.internal"), addresses({"10.0.0.1", "10.0.0.2"}));
}

TEST(Names, the_same_addresses_in_another_order_are_no_change) {
  auto const origin = origin_by_name();
  EXPECT_EQ(origin.with_addresses("api.internal", addresses({"10.0.0.2", "10.0.0.1"})), nullptr);
  EXPECT_EQ(origin.with_addresses("api.internal", addresses({"10.0.0.1", "10.0.0.2", "10.0.0.1"})),
            nullptr);
  EXPECT_EQ(origin.with_addresses("other.internal", addresses({"10.0.0.7"})), nullptr);
}

TEST(Names, an_address_that_stays_keeps_its_server_and_its_health) {
  auto const origin = origin_by_name();
  probe_down(origin, 2);
  origin.servers()[2]->begin();
  auto const moved = origin.with_addresses("api.internal", addresses({"10.0.0.3", "10.0.0.2"}));
  ASSERT_NE(moved, nullptr);
  EXPECT_EQ(labels(*moved),
            (std::vector<std::string>{
                "http://10.9.9.9", "http://api.internal (10.0.0.2)", "http://api.internal (10.0.0.3)",
                "http://api.internal:81 (10.0.0.2)", "http://api.internal:81 (10.0.0.3)"}));
  EXPECT_EQ(moved->servers()[0], origin.servers()[0]);
  EXPECT_EQ(moved->servers()[1], origin.servers()[2]);
  EXPECT_TRUE(moved->servers()[1]->is_probed_down());
  EXPECT_EQ(moved->servers()[1]->in_flight(), 1u);
  EXPECT_FALSE(moved->servers()[2]->is_probed_down());
  auto const& added = moved->servers()[4]->settings();
  EXPECT_EQ(added.address.ip, *IpEndpoint::parse("10.0.0.3:81"));
  EXPECT_EQ(added.authority, "api.internal");
  EXPECT_EQ(moved->settings().name, "api");
  EXPECT_EQ(origin.servers().size(), 5u);  // the one before is as it was
}

TEST(Names, an_address_may_be_of_the_other_family) {
  auto const origin = origin_by_name();
  auto const moved = origin.with_addresses("api.internal", addresses({"2001:db8::1"}));
  ASSERT_NE(moved, nullptr);
  EXPECT_EQ(labels(*moved)[2], "http://api.internal:81 (2001:db8::1)");
}

}  // namespace
}  // namespace certgate::upstream
