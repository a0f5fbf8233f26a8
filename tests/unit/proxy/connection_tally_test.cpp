// Counts of connections by client: never above the limit, and back to nothing.
#include "certgate/proxy/connection_tally.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "connection.hpp"

namespace certgate::proxy {
namespace {

ConnectionTally::Key address_key(std::string_view text) {
  return ConnectionTally::key_of(*IpAddress::parse(text));
}

TEST(ConnectionTally, a_place_is_one_pointer) {
  EXPECT_EQ(sizeof(ConnectionTally::Place), sizeof(void*));
}

// Each worker accepts by itself: none may see the last place as free when another is taking it.
TEST(ConnectionCount, workers_that_accept_at_once_never_open_more_than_the_limit) {
  for (int round = 0; round < 20; ++round) {
    ConnectionCount count;
    count.limit = 2'000;
    std::atomic<bool> go{false};
    std::atomic<std::size_t> taken{0};
    std::vector<std::thread> workers;
    for (int i = 0; i < 4; ++i) {
      workers.emplace_back([&] {
        while (!go) {
        }
        for (int connection = 0; connection < 1'000; ++connection) taken += take_open_place(count);
      });
    }
    go = true;
    for (auto& worker : workers) worker.join();
    EXPECT_EQ(taken, 2'000U);
    EXPECT_EQ(count.open, 2'000U);
    EXPECT_FALSE(take_open_place(count));
    count.open -= 1;
    EXPECT_TRUE(take_open_place(count));
  }
}

TEST(ConnectionTally, counts_nothing_without_a_limit) {
  ConnectionTally tally;
  auto const key = address_key("192.0.2.1");
  auto const place = tally.take(key);
  ASSERT_TRUE(place);
  EXPECT_FALSE(place->is_counted());
  EXPECT_EQ(tally.clients(), 0U);
}

TEST(ConnectionTally, threat_75_gives_each_client_as_many_places_as_the_limit_says) {
  ConnectionTally tally;
  tally.set_limit(2);
  auto const one = address_key("192.0.2.1");
  auto const other = address_key("192.0.2.2");
  auto first = tally.take(one);
  auto second = tally.take(one);
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(tally.take(one));
  EXPECT_TRUE(tally.take(other));
  first.reset();
  auto third = tally.take(one);
  EXPECT_TRUE(third);
  EXPECT_FALSE(tally.take(one));
  second.reset();
  third.reset();
  EXPECT_EQ(tally.clients(), 0U);
}

TEST(ConnectionTally, a_place_that_is_moved_is_given_back_once) {
  ConnectionTally tally;
  tally.set_limit(3);
  auto const key = address_key("192.0.2.1");
  auto kept = std::move(*tally.take(key));
  {
    auto place = std::move(*tally.take(key));
    auto moved = std::move(place);
    EXPECT_FALSE(place.is_counted());
    EXPECT_TRUE(moved.is_counted());
    ConnectionTally::Place assigned;
    assigned = std::move(moved);
    EXPECT_TRUE(assigned.is_counted());
  }
  EXPECT_TRUE(kept.is_counted());
  auto const second = tally.take(key);
  auto const third = tally.take(key);
  EXPECT_TRUE(second && third);
  EXPECT_FALSE(tally.take(key));
}

TEST(ConnectionTally, a_change_of_the_limit_keeps_what_is_counted) {
  ConnectionTally tally;
  auto const key = address_key("192.0.2.1");
  auto uncounted = tally.take(key);
  tally.set_limit(2);
  auto first = tally.take(key);
  auto second = tally.take(key);
  ASSERT_TRUE(first && second);
  uncounted.reset();  // was never counted, so this frees nothing
  EXPECT_FALSE(tally.take(key));
  tally.set_limit(1);
  first.reset();
  EXPECT_FALSE(tally.take(key));  // one is left, as many as there may be
  tally.set_limit(0);
  EXPECT_TRUE(tally.take(key));
  second.reset();
  EXPECT_EQ(tally.clients(), 0U);
  tally.set_limit(1);
  EXPECT_TRUE(tally.take(key));
}

TEST(ConnectionTally, an_address_is_ipv4_or_the_64_of_ipv6) {
  struct Row {
    char const* one;
    char const* other;
    bool same;
  };
  for (auto const& [one, other, same] :
       {Row{"192.0.2.1", "192.0.2.1", true}, Row{"192.0.2.1", "192.0.2.2", false},
        Row{"192.0.2.1", "::ffff:192.0.2.1", true},
        Row{"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
        Row{"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
        Row{"2001:db8::1", "2001:db8:0:1::1", false}, Row{"2001:db8::1", "2001:db9::1", false},
        Row{"32.1.13.184", "2001:db8::1", false}, Row{"0.0.0.0", "::1", false}}) {
    EXPECT_EQ(address_key(one) == address_key(other), same) << one << " " << other;
  }
}

TEST(ConnectionTally, threads_never_hold_more_than_the_limit_together) {
  constexpr std::size_t limit = 3;
  constexpr std::size_t keys = 5;
  ConnectionTally tally;
  tally.set_limit(limit);
  std::array<std::atomic<std::size_t>, keys> held{};
  std::atomic<bool> too_many{false};
  std::atomic<std::size_t> taken{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 5'000; ++i) {
        auto const which = (i * 7 + t) % keys;
        x509::Digest digest;
        digest.bytes[0] = static_cast<std::uint8_t>(which);
        auto const place = tally.take(ConnectionTally::key_of(digest));
        if (!place) continue;
        ++taken;
        if (++held[which] > limit) too_many = true;
        if (i % 16 == 0) std::this_thread::yield();
        --held[which];
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(too_many);
  EXPECT_GT(taken, 0U);
  EXPECT_EQ(tally.clients(), 0U);
}

TEST(ConnectionTally, the_limit_may_change_while_threads_take) {
  ConnectionTally tally;
  std::atomic<bool> over{false};
  std::thread changing([&] {
    for (std::size_t i = 0; !over; ++i) tally.set_limit(i % 3);
  });
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      auto const key = address_key("192.0.2.1");
      for (std::size_t i = 0; i < 5'000; ++i) {
        auto const one = tally.take(key);
        auto const two = tally.take(key);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  over = true;
  changing.join();
  EXPECT_EQ(tally.clients(), 0U);
}

}  // namespace
}  // namespace certgate::proxy
