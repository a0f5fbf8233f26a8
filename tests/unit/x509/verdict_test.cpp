// Judging a client: revocation, expired lists, denial, and for how long a verdict holds.
#include "certgate/x509/verdict.hpp"

#include <gtest/gtest.h>

#include "support/test_ca.hpp"

namespace certgate::x509 {
namespace {

using testing::CrlSpec;
using testing::Issued;
using testing::make_ca;
using testing::make_client;
using testing::make_crl;
using testing::read_crl;
using testing::test_now;

struct House {
  Issued root = make_ca("Verdict Root");
  Issued intermediate = make_ca("Verdict CA", &root);
  Issued client = make_client("client", intermediate);
  Issued neighbour = make_client("neighbour", intermediate);
  std::vector<Certificate::Pointer> anchors{root.facts, intermediate.facts};
  Trust::Pointer trust = *Trust::build(anchors);

  ClientPolicy policy(std::vector<std::string> const& crls = {}) const {
    ClientPolicy policy;
    policy.mode = ClientAuthMode::request;
    policy.trust = trust;
    std::vector<LabelledCrl> lists;
    for (auto const& der : crls) lists.push_back({read_crl(der), "test.crl"});
    if (!crls.empty()) policy.revocations = *RevocationIndex::build(lists, anchors);
    return policy;
  }
  Verdict judge(ClientPolicy const& policy, Issued const& who, UnixSeconds now) const {
    auto const chain = ClientChain::make(who.facts);
    Verification const verification = policy.trust->verify(*chain, now);
    return x509::judge(policy, chain.get(), &verification, now);
  }
  std::string crl_of_client(CrlSpec spec = {}) const {
    spec.entries.push_back({std::string(client.facts->serial()), 1, {}, {}});
    return make_crl(spec, intermediate);
  }
};

House const& house() {
  static House const built;
  return built;
}

TEST(Judge, nothing_presented) {
  Verdict const verdict = judge(house().policy(), nullptr, nullptr, 0);
  EXPECT_FALSE(verdict.presented || verdict.verified || verdict.revoked);
  EXPECT_EQ(verdict.reason, "NONE");
}

TEST(Judge, mode_off_sees_no_certificate) {
  ClientPolicy policy = house().policy();
  policy.mode = ClientAuthMode::off;
  Verdict const verdict = house().judge(policy, house().client, test_now());
  EXPECT_FALSE(verdict.presented || verdict.verified);
  EXPECT_EQ(verdict.reason, "NONE");
}

TEST(Judge, a_verified_client) {
  Verdict const verdict = house().judge(house().policy(), house().client, test_now());
  EXPECT_TRUE(verdict.presented && verdict.ok());
  EXPECT_EQ(verdict.reason, "SUCCESS");
  EXPECT_EQ(verdict.crl, CrlStatus::none);
  EXPECT_EQ(verdict.until, house().client.facts->not_after() - 1);
  EXPECT_TRUE(verdict.holds_at(test_now()) && verdict.holds_at(verdict.until));
  EXPECT_FALSE(verdict.holds_at(verdict.until + 1));
  EXPECT_FALSE(verdict.holds_at(test_now() - 1)) << "the clock was set back";
}

TEST(Judge, threat_19_revoked_stays_verified) {
  Verdict const verdict =
      house().judge(house().policy({house().crl_of_client()}), house().client, test_now());
  EXPECT_TRUE(verdict.verified);
  EXPECT_TRUE(verdict.revoked);
  EXPECT_FALSE(verdict.ok());
  EXPECT_EQ(verdict.reason, "SUCCESS");
  EXPECT_EQ(verdict.detail, "certificate revoked (keyCompromise)");
  EXPECT_TRUE(
      house().judge(house().policy({house().crl_of_client()}), house().neighbour, test_now()).ok());
}

TEST(Judge, threat_27_without_a_verification_nobody_is_verified) {
  auto const chain = ClientChain::make(house().client.facts);
  Verdict const verdict = judge(house().policy(), chain.get(), nullptr, test_now());
  EXPECT_TRUE(verdict.presented);
  EXPECT_FALSE(verdict.verified);
  Verification const verification = house().trust->verify(*chain, test_now());
  EXPECT_FALSE(judge(house().policy(), chain.get(), &verification, verification.until + 1).verified)
      << "a verification out of its window does not count";
}

TEST(Judge, threat_35_expired_crl_deny_and_use_last) {
  CrlSpec spec;
  spec.next_update = test_now() + 100;
  ClientPolicy policy = house().policy({house().crl_of_client(spec)});
  UnixSeconds const after = test_now() + 100;
  EXPECT_EQ(house().judge(policy, house().neighbour, test_now()).until, after - 1);
  Verdict const neighbour = house().judge(policy, house().neighbour, after);
  EXPECT_FALSE(neighbour.verified);
  EXPECT_EQ(neighbour.reason, "FAILED:CRL has expired");
  EXPECT_EQ(neighbour.crl, CrlStatus::expired);
  // Whom the old list names must not pass a rule that asks for revocation only.
  Verdict const client = house().judge(policy, house().client, after);
  EXPECT_FALSE(client.verified);
  EXPECT_TRUE(client.revoked);
  policy.on_expired_crl = OnExpiredCrl::use_last;
  EXPECT_TRUE(house().judge(policy, house().neighbour, after).ok());
  EXPECT_TRUE(house().judge(policy, house().client, after).revoked);
  EXPECT_TRUE(house().judge(policy, house().client, after).verified);
}

// Which of a chain's issuers need a list, and what happens to those that have none.
TEST(Judge, threat_36_each_subset_of_a_chains_lists) {
  CrlSpec revokes_intermediate;
  revokes_intermediate.entries = {{std::string(house().intermediate.facts->serial()), 2, {}, {}}};
  std::string const of_root = make_crl(revokes_intermediate, house().root);
  std::string const of_root_clean = make_crl({}, house().root);
  std::string const of_intermediate = make_crl({}, house().intermediate);
  struct Case {
    char const* name;
    std::vector<std::string> crls;
    CrlCheck check;
    bool verified, revoked;
  };
  for (auto const& [name, crls, check, verified, revoked] : {
           Case{"none", {}, CrlCheck::chain, true, false},
           Case{"leaf's only", {of_intermediate}, CrlCheck::leaf, true, false},
           Case{"leaf's only, chain", {of_intermediate}, CrlCheck::chain, false, false},
           Case{"root's only, leaf", {of_root}, CrlCheck::leaf, false, false},
           Case{"root's only, chain", {of_root}, CrlCheck::chain, false, true},
           Case{"both, leaf", {of_root, of_intermediate}, CrlCheck::leaf, true, false},
           Case{"both, chain", {of_root, of_intermediate}, CrlCheck::chain, true, true},
           Case{"both clean", {of_root_clean, of_intermediate}, CrlCheck::chain, true, false},
       }) {
    ClientPolicy policy = house().policy(crls);
    policy.crl_check = check;
    Verdict const verdict = house().judge(policy, house().client, test_now());
    EXPECT_EQ(verdict.verified, verified) << name;
    EXPECT_EQ(verdict.revoked, revoked) << name;
    if (!verified) {
      EXPECT_EQ(verdict.reason, "FAILED:unable to get certificate CRL") << name;
    }
    if (revoked && verified) {
      EXPECT_EQ(verdict.detail, "an issuer's certificate is revoked");
    }
  }
}

TEST(Judge, threat_36_lists_that_were_configured_and_never_had_verify_nobody) {
  ClientPolicy policy = house().policy();
  policy.revocations = *RevocationIndex::build({}, house().anchors);
  for (auto const on_expired : {OnExpiredCrl::deny, OnExpiredCrl::use_last}) {
    policy.on_expired_crl = on_expired;
    Verdict const verdict = house().judge(policy, house().client, test_now());
    EXPECT_FALSE(verdict.verified || verdict.revoked);
    EXPECT_EQ(verdict.crl, CrlStatus::none);
    EXPECT_EQ(verdict.reason, "FAILED:unable to get certificate CRL");
    EXPECT_EQ(verdict.detail, "there is no CRL of its issuer");
  }
}

// Nobody says who issued a certificate that is an anchor itself, so no list can speak for it.
TEST(Judge, threat_36_a_pinned_certificate_needs_a_list_like_any_other) {
  ClientPolicy policy = house().policy({make_crl({}, house().intermediate)});
  policy.trust = *Trust::build({house().client.facts});
  EXPECT_FALSE(house().judge(policy, house().client, test_now()).verified);
  policy.revocations = nullptr;
  EXPECT_TRUE(house().judge(policy, house().client, test_now()).verified);
}

TEST(Judge, threat_39_lists_of_another_scope_cover_nobody) {
  CrlSpec for_cas, one_point;
  for_cas.only_ca = true;
  for_cas.entries = {{std::string(house().client.facts->serial()), 1, {}, {}}};
  one_point.point_uri = "http://crl.example.com/1";
  for (auto const& spec : {for_cas, one_point}) {
    ClientPolicy policy = house().policy({make_crl(spec, house().intermediate)});
    Verdict const neighbour = house().judge(policy, house().neighbour, test_now());
    EXPECT_FALSE(neighbour.verified || neighbour.revoked);
    EXPECT_EQ(neighbour.crl, CrlStatus::out_of_scope);
    EXPECT_EQ(neighbour.reason, "FAILED:" + std::string(describe_verify_error(44)));
    EXPECT_EQ(neighbour.detail, "no CRL of its issuer covers it");
  }
  // Whom such a list names is revoked all the same.
  ClientPolicy const policy = house().policy({make_crl(for_cas, house().intermediate)});
  Verdict const named = house().judge(policy, house().client, test_now());
  EXPECT_FALSE(named.verified);
  EXPECT_TRUE(named.revoked);
  // With the users' list beside it everybody is covered.
  CrlSpec for_users;
  for_users.only_user = true;
  ClientPolicy const both = house().policy({make_crl(for_cas, house().intermediate),
                                            make_crl(for_users, house().intermediate)});
  EXPECT_TRUE(house().judge(both, house().neighbour, test_now()).ok());
  EXPECT_TRUE(house().judge(both, house().client, test_now()).revoked);
}

TEST(Judge, an_unverified_client_is_not_looked_up) {
  Issued const stranger = testing::issue(testing::client_spec("client"), nullptr);
  Verdict const verdict =
      house().judge(house().policy({house().crl_of_client()}), stranger, test_now());
  EXPECT_FALSE(verdict.verified || verdict.revoked);
  EXPECT_EQ(verdict.reason, "FAILED:self signed certificate");
}

TEST(Judge, a_denied_client_is_revoked_until_the_entry_expires) {
  ClientPolicy policy = house().policy();
  DenyEntry entry;
  entry.fingerprint = house().client.facts->fingerprint_sha256();
  entry.expires = test_now() + 50;
  entry.reason = "lost phone";
  policy.deny_list = *DenyList::build({entry});
  Verdict const verdict = house().judge(policy, house().client, test_now());
  EXPECT_TRUE(verdict.verified && verdict.revoked);
  EXPECT_EQ(verdict.detail, "denied by the operator");
  ASSERT_TRUE(verdict.denied_by);
  EXPECT_EQ(verdict.denied_by->reason, "lost phone");
  EXPECT_EQ(verdict.until, test_now() + 49);
  EXPECT_TRUE(house().judge(policy, house().client, test_now() + 50).ok());
  EXPECT_TRUE(house().judge(policy, house().neighbour, test_now()).ok());
}

TEST(ClientPolicy, identity_scope_is_mode_and_trust) {
  ClientPolicy a = house().policy(), b = house().policy({house().crl_of_client()});
  EXPECT_EQ(a.identity_scope(), b.identity_scope());
  b.mode = ClientAuthMode::require;
  EXPECT_NE(a.identity_scope(), b.identity_scope());
  b = a;
  b.trust = *Trust::build({house().root.facts});
  EXPECT_NE(a.identity_scope(), b.identity_scope());
}

}  // namespace
}  // namespace certgate::x509
