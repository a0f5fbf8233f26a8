// The two caches: bounded, least recently used first out, never beyond what still holds.
#include "certgate/x509/verification_cache.hpp"

#include <gtest/gtest.h>

#include "support/test_ca.hpp"

namespace certgate::x509 {
namespace {

using testing::Issued;

Digest digest(int number) { return sha256(as_bytes(std::to_string(number))); }
VerificationCache::Pointer verification(UnixSeconds from, UnixSeconds until, bool verified = true) {
  auto made = std::make_shared<Verification>();
  made->verified = verified;
  made->from = from;
  made->until = until;
  return made;
}

TEST(VerificationCache, finds_what_was_inserted_for_that_trust_only) {
  VerificationCache cache;
  auto const known = verification(0, 1000);
  cache.insert(digest(1), digest(100), known, 10);
  EXPECT_EQ(cache.find(digest(1), digest(100), 20), known);
  EXPECT_EQ(cache.find(digest(1), digest(101), 20), nullptr);
  EXPECT_EQ(cache.find(digest(2), digest(100), 20), nullptr);
}

TEST(VerificationCache, forgets_at_the_end_of_the_window_and_of_the_lifetime) {
  VerificationCache cache({10, 100});
  cache.insert(digest(1), digest(0), verification(0, 50), 0);
  EXPECT_TRUE(cache.find(digest(1), digest(0), 50));
  EXPECT_FALSE(cache.find(digest(1), digest(0), 51));
  cache.insert(digest(1), digest(0), verification(0, 1000), 0);
  EXPECT_TRUE(cache.find(digest(1), digest(0), 99));
  EXPECT_FALSE(cache.find(digest(1), digest(0), 100));
  EXPECT_EQ(cache.size(), 0u);
}

TEST(VerificationCache, threat_33_a_clock_that_jumps_back_is_not_trusted) {
  VerificationCache cache;
  cache.insert(digest(1), digest(0), verification(50, 1000), 100);
  EXPECT_FALSE(cache.find(digest(1), digest(0), 99));
}

TEST(VerificationCache, keeps_successes_only) {
  VerificationCache cache;
  cache.insert(digest(1), digest(0), verification(0, 1000, false), 0);
  EXPECT_EQ(cache.size(), 0u);
}

TEST(VerificationCache, drops_what_was_not_used_for_longest) {
  VerificationCache cache({2, 100});
  cache.insert(digest(1), digest(0), verification(0, 99), 0);
  cache.insert(digest(2), digest(0), verification(0, 99), 0);
  EXPECT_TRUE(cache.find(digest(1), digest(0), 0));
  cache.insert(digest(3), digest(0), verification(0, 99), 0);
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_TRUE(cache.find(digest(1), digest(0), 0));
  EXPECT_FALSE(cache.find(digest(2), digest(0), 0));
}

TEST(VerificationCache, verifies_once) {
  Issued const ca = testing::make_ca("Cache CA");
  auto const trust = *Trust::build({ca.facts});
  auto const chain = ClientChain::make(testing::make_client("c", ca).facts);
  VerificationCache cache;
  auto const first = cache.verify(*trust, *chain, testing::test_now());
  EXPECT_TRUE(first->verified);
  EXPECT_EQ(cache.verify(*trust, *chain, testing::test_now()), first);
  auto const stranger = ClientChain::make(testing::issue(testing::client_spec("s"), nullptr).facts);
  EXPECT_FALSE(cache.verify(*trust, *stranger, testing::test_now())->verified);
  EXPECT_EQ(cache.size(), 1u);
  cache.clear();
  EXPECT_EQ(cache.size(), 0u);
}

TEST(ChainCache, shares_intermediates_and_is_bounded_by_count) {
  Issued const root = testing::make_ca("Cache Root"), ca = testing::make_ca("Cache CA", &root);
  ChainCache cache({2, 1 << 20});
  std::vector<ClientChain::Pointer> chains;
  for (int i = 0; i < 3; ++i) {
    auto const leaf = testing::make_client("c" + std::to_string(i), ca).facts;
    chains.push_back(ClientChain::make(leaf, {ca.facts}));
    cache.insert(chains.back());
  }
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(cache.find(chains[0]->digest()), nullptr);
  EXPECT_EQ(cache.find(chains[2]->digest()), chains[2]);
  EXPECT_EQ(cache.find_intermediate(ca.facts->fingerprint()), ca.facts);
  EXPECT_EQ(cache.find_intermediate(root.facts->fingerprint()), nullptr);
  cache.clear();
  EXPECT_EQ(cache.find_intermediate(ca.facts->fingerprint()), nullptr);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(ChainCache, forgets_intermediates_with_their_last_chain) {
  Issued const root = testing::make_ca("Cache Root");
  ChainCache cache({1, 1 << 20});
  Issued const a = testing::make_ca("A", &root), b = testing::make_ca("B", &root);
  cache.insert(ClientChain::make(testing::make_client("a", a).facts, {a.facts, a.facts}));
  cache.insert(ClientChain::make(testing::make_client("b", b).facts, {b.facts}));
  EXPECT_EQ(cache.find_intermediate(a.facts->fingerprint()), nullptr);
  EXPECT_EQ(cache.find_intermediate(b.facts->fingerprint()), b.facts);
}

TEST(ChainCache, is_bounded_by_bytes) {
  Issued const ca = testing::make_ca("Cache CA");
  auto const chain = ClientChain::make(testing::make_client("c", ca).facts);
  ChainCache roomy({100, chain->memory_bytes() + 256});
  roomy.insert(chain);
  EXPECT_EQ(roomy.size(), 1u);
  ChainCache tight({100, chain->memory_bytes() + 255});
  tight.insert(chain);
  EXPECT_EQ(tight.size(), 0u);
}

}  // namespace
}  // namespace certgate::x509
