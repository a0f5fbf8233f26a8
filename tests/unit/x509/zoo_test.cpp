// The whole zoo: every field and every verdict, against OpenSSL's own formatting.
#include <gtest/gtest.h>
#include <openssl/x509.h>

#include "certgate/x509/name.hpp"
#include "certgate/x509/verdict.hpp"
#include "support/openssl_parts.hpp"
#include "support/zoo.hpp"

namespace certgate::x509 {
namespace {

using testing::Issued;
using testing::test_now;
using testing::Zoo;
using testing::ZooAnimal;

Zoo const& zoo() {
  static Zoo const built = testing::build_zoo(test_now());
  return built;
}

std::vector<Certificate::Pointer> anchors() {
  std::vector<Certificate::Pointer> facts;
  for (Issued const& anchor : zoo().anchors) facts.push_back(anchor.facts);
  return facts;
}

ClientPolicy policy(CrlCheck check = CrlCheck::leaf) {
  ClientPolicy policy;
  policy.mode = ClientAuthMode::request;
  policy.trust = *Trust::build(anchors());
  std::vector<LabelledCrl> lists;
  for (std::string const& der : zoo().crls) lists.push_back({testing::read_crl(der), "zoo.crl"});
  policy.revocations = *RevocationIndex::build(lists, anchors());
  policy.crl_check = check;
  return policy;
}

ClientChain::Pointer chain_of(ZooAnimal const& animal) {
  std::vector<Certificate::Pointer> others;
  for (Issued const& other : animal.others) others.push_back(other.facts);
  return ClientChain::make(animal.leaf.facts, others);
}

std::map<std::string, std::string> product_fields(ClientChain const& chain,
                                                  Verification const& verification,
                                                  Verdict const& verdict) {
  Certificate const& leaf = chain.leaf();
  auto const flag = [](bool value) { return value ? "true" : "false"; };
  std::map<std::string, std::string> fields;
  auto const put = [&](char const* name, std::string_view value) { fields[name] = value; };
  put("cert_presented", flag(verdict.presented));
  put("cert_verified", flag(verdict.verified));
  put("cert_revoked", flag(verdict.revoked));
  put("cert_subject_dn", leaf.subject_dn());
  put("cert_issuer_dn", leaf.issuer_dn());
  put("cert_subject_dn_rfc2253", leaf.subject_dn_rfc2253());
  put("cert_issuer_dn_rfc2253", leaf.issuer_dn_rfc2253());
  put("cert_subject_dn_legacy", leaf.subject_dn_legacy());
  put("cert_issuer_dn_legacy", leaf.issuer_dn_legacy());
  put("cert_serial", leaf.serial());
  put("cert_issuer_serial", verification.issuer_serial(leaf));
  put("cert_fingerprint_sha256", leaf.fingerprint_sha256());
  put("cert_fingerprint_sha1", leaf.fingerprint_sha1());
  put("cert_not_before", leaf.not_before_text());
  put("cert_not_after", leaf.not_after_text());
  put("cert_ski", leaf.subject_key_id());
  put("cert_issuer_ski", verification.issuer_key_id(leaf));
  leaf.append_rfc9440(fields["cert_rfc9440"]);
  put("cert_rfc9440_too_large", flag(leaf.is_rfc9440_too_large()));
  chain.append_rfc9440_chain(fields["cert_chain_rfc9440"]);
  put("cert_chain_rfc9440_too_large", flag(chain.is_rfc9440_chain_too_large()));
  return fields;
}

TEST(Zoo, has_at_least_forty_animals) { EXPECT_GE(zoo().animals.size(), 40u); }

TEST(Zoo, every_field_has_its_expected_value) {
  ClientPolicy const p = policy();
  for (ZooAnimal const& animal : zoo().animals) {
    SCOPED_TRACE(animal.name + ": " + animal.story);
    ASSERT_TRUE(animal.leaf.facts);
    auto const chain = chain_of(animal);
    Verification const verification = p.trust->verify(*chain, test_now());
    Verdict const verdict = judge(p, chain.get(), &verification, test_now());
    auto const fields = product_fields(*chain, verification, verdict);
    EXPECT_EQ(fields.size(), animal.fields.size());
    for (auto const& [name, value] : animal.fields) {
      auto const at = fields.find(name);
      ASSERT_NE(at, fields.end()) << name;
      EXPECT_EQ(at->second, value) << name;
    }
  }
}

TEST(Zoo, every_verdict_is_as_expected) {
  ClientPolicy const leaf_only = policy(), whole_chain = policy(CrlCheck::chain);
  ClientPolicy without_lists = policy();
  without_lists.revocations = nullptr;
  for (ZooAnimal const& animal : zoo().animals) {
    SCOPED_TRACE(animal.name + ": " + animal.story);
    auto const chain = chain_of(animal);
    Verification const verification = leaf_only.trust->verify(*chain, test_now());
    Verdict const verdict = judge(leaf_only, chain.get(), &verification, test_now());
    EXPECT_EQ(verdict.reason, animal.reason);
    EXPECT_EQ(verdict.verified, animal.verified);
    EXPECT_EQ(verification.verified, animal.chain_verified);
    EXPECT_EQ(judge(without_lists, chain.get(), &verification, test_now()).verified,
              animal.chain_verified);
    EXPECT_EQ(verdict.revoked, animal.revoked);
    EXPECT_EQ(judge(whole_chain, chain.get(), &verification, test_now()).revoked,
              animal.revoked_in_chain_mode);
    EXPECT_EQ(verification.path.empty(), !animal.chain_verified);
    EXPECT_LE(verification.from, test_now());
    EXPECT_GE(verification.until, test_now());
  }
}

TEST(Zoo, what_the_handshake_decoded_gives_the_same_answer) {
  ClientPolicy const p = policy();
  for (ZooAnimal const& animal : zoo().animals) {
    SCOPED_TRACE(animal.name);
    X509* const leaf = testing::decode(animal.leaf.der);
    STACK_OF(X509)* const presented = sk_X509_new_null();
    X509_up_ref(leaf);
    sk_X509_push(presented, leaf);
    for (Issued const& other : animal.others) {
      sk_X509_push(presented, testing::decode(other.der));
    }
    auto const facts = Certificate::parse_openssl(leaf);
    ASSERT_TRUE(facts);
    EXPECT_EQ((*facts)->fingerprint(), animal.leaf.facts->fingerprint());
    auto const chain = chain_of(animal);
    Verification const a = p.trust->verify(*chain, test_now());
    Verification const b = p.trust->verify_openssl(*chain, leaf, presented, test_now());
    EXPECT_EQ(a.reason, b.reason);
    EXPECT_EQ(a.error, b.error);
    EXPECT_EQ(a.until, b.until);
    ASSERT_EQ(a.path.size(), b.path.size());
    for (std::size_t i = 0; i < a.path.size(); ++i) {
      EXPECT_EQ(a.path[i].certificate, b.path[i].certificate);
      EXPECT_EQ(a.path[i].issuer, b.path[i].issuer);
    }
    sk_X509_pop_free(presented, X509_free);
    X509_free(leaf);
  }
}

TEST(Zoo, facts_of_a_certificate_cost_little_memory) {
  Certificate const& facts = *zoo().animal("valid_p256").leaf.facts;
  EXPECT_LE(facts.memory_bytes() - facts.der().size(), 1536u);
}

TEST(Zoo, server_certificate_covers_its_names) {
  Certificate const& server = *zoo().server.facts;
  for (char const* covered :
       {"localhost", "LOCALHOST.", "a.example.com", "example.com", "127.0.0.1"}) {
    EXPECT_NE(match_host(server, covered), HostMatch::none) << covered;
  }
  EXPECT_EQ(match_host(server, "a.example.com"), HostMatch::wildcard);
  EXPECT_EQ(match_host(server, "a.b.example.com"), HostMatch::none);
}

}  // namespace
}  // namespace certgate::x509
