// The store of sessions: bounded, expiring, and shared by threads.
#include "certgate/tls/session_store.hpp"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <thread>
#include <vector>

#include "certgate/tls/ticket_keys.hpp"

namespace certgate::tls {
namespace {

std::array<std::uint8_t, 32> id_of(std::uint32_t number) {
  std::array<std::uint8_t, 32> id{};
  for (std::size_t i = 0; i < id.size(); ++i) {
    id[i] = static_cast<std::uint8_t>((number * 2654435761U) >> (i % 4 * 8));
  }
  id[12] = static_cast<std::uint8_t>(number);
  id[13] = static_cast<std::uint8_t>(number >> 8);
  return id;
}

bool put(SessionStore& store, std::uint32_t number, std::size_t bytes = 100,
         UnixSeconds expires = 1000) {
  auto* const session = SSL_SESSION_new();
  bool const kept = store.insert(id_of(number), session, bytes, expires);
  if (!kept) SSL_SESSION_free(session);
  return kept;
}

bool has(SessionStore& store, std::uint32_t number, UnixSeconds now = 500) {
  auto* const session = store.find(id_of(number), now);
  if (session != nullptr) SSL_SESSION_free(session);
  return session != nullptr;
}

TEST(SessionStore, finds_what_was_put_until_it_expires) {
  SessionStore store;
  EXPECT_TRUE(put(store, 1));
  EXPECT_TRUE(has(store, 1, 1000));
  EXPECT_FALSE(has(store, 2));
  EXPECT_FALSE(has(store, 1, 1001));
  EXPECT_EQ(store.size(), 0U);
  EXPECT_EQ(store.counts().expired, 1U);
  EXPECT_TRUE(put(store, 1));
  EXPECT_TRUE(put(store, 1));
  EXPECT_EQ(store.size(), 1U);
  store.erase(id_of(1));
  EXPECT_EQ(store.size(), 0U);
  EXPECT_FALSE(store.insert({}, nullptr, 1, 1));
}

TEST(SessionStore, threat_77_is_bounded_by_count_and_drops_the_least_recently_used) {
  SessionStore store({.sessions = 3, .bytes = 1'000'000});
  for (std::uint32_t i = 1; i <= 3; ++i) put(store, i);
  EXPECT_TRUE(has(store, 1));
  put(store, 4);
  EXPECT_TRUE(has(store, 1));
  EXPECT_FALSE(has(store, 2));
  EXPECT_EQ(store.size(), 3U);
  EXPECT_EQ(store.counts().evicted, 1U);
}

TEST(SessionStore, threat_77_is_bounded_by_bytes) {
  SessionStore store({.sessions = 1000, .bytes = 1000});
  for (std::uint32_t i = 1; i <= 11; ++i) put(store, i);
  EXPECT_EQ(store.size(), 10U);
  EXPECT_EQ(store.bytes(), 1000U);
  EXPECT_FALSE(put(store, 50, 1001));
  SessionStore none({.sessions = 0});
  EXPECT_FALSE(put(none, 1));
  SessionStore large({.sessions = 4096, .bytes = std::size_t{64} * 1024 * 1024});
  for (std::uint32_t i = 0; i < 10'000; ++i) put(large, i);
  EXPECT_LE(large.size(), 4096U);
  EXPECT_GT(large.size(), 3000U);
}

TEST(SessionStore, threads_may_do_everything_at_once) {
  SessionStore store({.sessions = 2048, .bytes = std::size_t{32} * 1024 * 1024});
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&store, t] {
      for (std::uint32_t i = 0; i < 5'000; ++i) {
        auto const number = (i * 7 + t * 13) % 3'000;
        put(store, number);
        has(store, (number + 5) % 3'000);
        if (i % 17 == 0) store.erase(id_of(number));
        if (i % 1'000 == 0) (void)store.counts();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(store.size(), 2048U);
  store.clear();
  EXPECT_EQ(store.size(), 0U);
  EXPECT_EQ(store.bytes(), 0U);
}

TEST(TicketKeys, rotate_and_are_forgotten) {
  TicketKeys keys(std::chrono::seconds{100}, std::chrono::seconds{50});
  auto const first = *keys.sealing_key(1'000);
  EXPECT_EQ(keys.sealing_key(1'099)->name, first.name);
  auto const second = *keys.sealing_key(1'100);
  EXPECT_NE(second.name, first.name);
  EXPECT_TRUE(keys.opening_key(second.name, 1'100)->newest);
  EXPECT_FALSE(keys.opening_key(first.name, 1'150)->newest);
  EXPECT_FALSE(keys.opening_key(first.name, 1'151));
  std::array<std::uint8_t, 16> const unknown{};
  EXPECT_FALSE(keys.opening_key(unknown, 1'000));
}

}  // namespace
}  // namespace certgate::tls
