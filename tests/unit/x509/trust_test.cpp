// Path building: which chains lead to an anchor, why not, and for how long the answer holds.
#include "certgate/x509/trust.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "support/test_ca.hpp"

namespace certgate::x509 {
namespace {

using testing::CertificateSpec;
using testing::client_spec;
using testing::Issued;
using testing::make_ca;
using testing::make_client;
using testing::test_now;

Issued const& root() {
  static Issued const made = make_ca("Trust Root");
  return made;
}
Issued const& intermediate() {
  static Issued const made = make_ca("Trust Intermediate", &root());
  return made;
}

Trust::Pointer trust_in(std::vector<Issued> const& anchors, TrustOptions const& options = {}) {
  std::vector<Certificate::Pointer> facts;
  for (Issued const& anchor : anchors) facts.push_back(anchor.facts);
  return *Trust::build(facts, options);
}
ClientChain::Pointer chain(Issued const& leaf, std::vector<Issued> const& others = {}) {
  std::vector<Certificate::Pointer> facts;
  for (Issued const& other : others) facts.push_back(other.facts);
  return ClientChain::make(leaf.facts, facts);
}
std::string_view reason(Trust const& trust, ClientChain const& presented,
                        UnixSeconds now = test_now()) {
  return trust.verify(presented, now).reason;
}

TEST(Trust, threat_16_an_empty_set_is_an_error) {
  auto const built = Trust::build({});
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().detail, "there is no CA certificate");
}

TEST(Trust, same_contents_have_the_same_digest) {
  Issued const other = make_ca("Trust Other");
  EXPECT_EQ(trust_in({root(), other})->digest(), trust_in({other, root(), root()})->digest());
  EXPECT_EQ(trust_in({root(), root()})->anchors().size(), 1u);
  EXPECT_NE(trust_in({root()})->digest(), trust_in({root(), other})->digest());
  TrustOptions deeper;
  deeper.max_depth = 9;
  EXPECT_NE(trust_in({root()})->digest(), trust_in({root()}, deeper)->digest());
}

TEST(Trust, path_goes_from_the_leaf_to_the_root) {
  Issued const leaf = make_client("path", intermediate());
  Verification const v = trust_in({root()})->verify(*chain(leaf, {intermediate()}), test_now());
  ASSERT_TRUE(v.verified);
  ASSERT_EQ(v.path.size(), 3u);
  EXPECT_EQ(v.path[0].certificate, leaf.facts);
  EXPECT_EQ(v.path[0].issuer, intermediate().facts->id_as_issuer());
  EXPECT_EQ(v.path[1].issuer, root().facts->id_as_issuer());
  EXPECT_EQ(v.path[2].issuer, root().facts->id_as_issuer());
  EXPECT_TRUE(v.path[2].issuer_known);
  EXPECT_EQ(v.issuer, intermediate().facts);
  EXPECT_EQ(v.error, 0);
}

TEST(Trust, path_goes_on_from_an_intermediate_that_is_an_anchor) {
  Issued const leaf = make_client("extended", intermediate());
  Verification const both = trust_in({root(), intermediate()})->verify(*chain(leaf), test_now());
  ASSERT_EQ(both.path.size(), 3u);
  EXPECT_EQ(both.path[1].issuer, root().facts->id_as_issuer());
  Verification const partial = trust_in({intermediate()})->verify(*chain(leaf), test_now());
  ASSERT_TRUE(partial.verified);
  ASSERT_EQ(partial.path.size(), 2u);
  EXPECT_FALSE(partial.path[1].issuer_known);
}

TEST(Trust, a_pinned_self_signed_certificate_is_its_own_anchor) {
  CertificateSpec spec = client_spec("pinned");
  Issued const pinned = testing::issue(spec, nullptr);
  spec.ca = true;  // what `openssl req -x509` makes
  spec.key_usage.clear();
  Issued const pinned_ca = testing::issue(spec, nullptr);
  auto const trust = trust_in({pinned, pinned_ca});
  EXPECT_EQ(reason(*trust, *chain(pinned)), "SUCCESS");
  EXPECT_EQ(reason(*trust, *chain(pinned_ca)), "SUCCESS");
  EXPECT_EQ(reason(*trust_in({root()}), *chain(pinned)), "FAILED:self signed certificate");
}

TEST(Trust, threat_22_purpose_is_enforced) {
  auto const trust = trust_in({root()});
  auto const with_usage = [&](char const* usage) {
    CertificateSpec spec = client_spec("purpose");
    spec.extended_key_usage = usage;
    return std::string(reason(*trust, *chain(testing::issue(spec, &root()))));
  };
  EXPECT_EQ(with_usage("clientAuth"), "SUCCESS");
  EXPECT_EQ(with_usage("serverAuth,clientAuth"), "SUCCESS");
  EXPECT_EQ(with_usage(""), "SUCCESS");
  EXPECT_EQ(with_usage("serverAuth"), "FAILED:unsuitable certificate purpose");
  EXPECT_EQ(with_usage("codeSigning"), "FAILED:unsuitable certificate purpose");
  EXPECT_EQ(with_usage("emailProtection"), "FAILED:unsuitable certificate purpose");
  EXPECT_EQ(with_usage("anyExtendedKeyUsage"), "FAILED:unsuitable certificate purpose");
}

TEST(Trust, threat_24_only_the_first_certificate_is_the_client) {
  auto const trust = trust_in({root()});
  Issued const good = make_client("good", root());
  Issued const evil = testing::issue(client_spec("good"), nullptr);
  EXPECT_EQ(trust->verify(*chain(good, {evil}), test_now()).path.front().certificate, good.facts);
  EXPECT_EQ(reason(*trust, *chain(evil, {good})), "FAILED:self signed certificate");
}

TEST(Trust, threat_25_openssl_is_recent_enough) {
  // CVE-2023-0464 and CVE-2023-0286 are fixed in 3.0.9; policies are never asked for anyway.
  EXPECT_GE(OpenSSL_version_num(), 0x30000090UL);
}

TEST(Trust, threat_32_two_cas_with_one_name_are_both_tried) {
  Issued const old_ca = make_ca("Rolled CA"), new_ca = make_ca("Rolled CA");
  CertificateSpec spec = client_spec("rolled");
  for (bool const key_ids : {true, false}) {
    spec.authority_key_id = key_ids;
    for (auto const& anchors : {std::vector{old_ca, new_ca}, std::vector{new_ca, old_ca}}) {
      auto const trust = trust_in(anchors);
      for (Issued const* issuer : {&old_ca, &new_ca}) {
        Verification const v = trust->verify(*chain(testing::issue(spec, issuer)), test_now());
        EXPECT_EQ(v.reason, "SUCCESS");
        EXPECT_EQ(v.path.at(0).issuer, issuer->facts->id_as_issuer());
      }
    }
  }
}

TEST(Trust, a_renewed_ca_with_its_old_key_is_used_when_the_old_one_has_expired) {
  CertificateSpec spec;
  spec.subject = {{"CN", "Renewed CA"}};
  spec.ca = true;
  spec.key_usage = "critical,keyCertSign,cRLSign";
  auto const key = testing::TestKey::make(testing::KeyKind::p256);
  Issued const current = testing::issue(spec, key, nullptr);
  spec.not_before = test_now() - 1000;
  spec.not_after = test_now() - 100;
  Issued const expired = testing::issue(spec, key, nullptr);
  auto const presented = chain(make_client("renewed", expired));
  EXPECT_EQ(reason(*trust_in({expired}), *presented), "FAILED:certificate has expired");
  EXPECT_EQ(reason(*trust_in({expired, current}), *presented), "SUCCESS");
}

TEST(Trust, threat_33_time_is_the_callers_and_the_window_is_right) {
  CertificateSpec spec = client_spec("window");
  spec.not_before = test_now() + 100;
  spec.not_after = test_now() + 200;
  auto const presented = chain(testing::issue(spec, &root()));
  auto const trust = trust_in({root()});
  Verification const early = trust->verify(*presented, test_now());
  EXPECT_EQ(early.reason, "FAILED:certificate is not yet valid");
  EXPECT_EQ(early.error, X509_V_ERR_CERT_NOT_YET_VALID);
  EXPECT_EQ(early.until, test_now() + 99);
  Verification const good = trust->verify(*presented, test_now() + 100);
  EXPECT_TRUE(good.verified);
  EXPECT_EQ(good.from, test_now() + 100);
  EXPECT_EQ(good.until, test_now() + 199);
  EXPECT_TRUE(trust->verify(*presented, good.until).verified);
  Verification const late = trust->verify(*presented, good.until + 1);
  EXPECT_EQ(late.reason, "FAILED:certificate has expired");
  EXPECT_EQ(late.from, test_now() + 200);
}

TEST(Trust, threat_76_limits_have_edges) {
  TrustOptions options;
  options.max_presented = 3;
  Issued const leaf = make_client("limits", intermediate());
  auto const trust = trust_in({root()}, options);
  EXPECT_EQ(reason(*trust, *chain(leaf, {intermediate(), root()})), "SUCCESS");
  EXPECT_EQ(reason(*trust, *chain(leaf, {intermediate(), root(), root()})),
            "FAILED:certificate chain too long");
  options = {};
  options.max_presented_bytes = leaf.der.size() + intermediate().der.size();
  EXPECT_EQ(reason(*trust_in({root()}, options), *chain(leaf, {intermediate()})), "SUCCESS");
  --options.max_presented_bytes;
  EXPECT_EQ(reason(*trust_in({root()}, options), *chain(leaf, {intermediate()})),
            "FAILED:certificate chain too long");
  options = {};
  options.max_depth = 1;
  EXPECT_EQ(reason(*trust_in({root()}, options), *chain(leaf, {intermediate()})), "SUCCESS");
  options.max_depth = 0;
  EXPECT_EQ(reason(*trust_in({root()}, options), *chain(leaf, {intermediate()})),
            "FAILED:certificate chain too long");
}

TEST(Trust, threat_76_key_sizes_have_edges) {
  auto const& key = testing::TestKey::cached(testing::KeyKind::rsa2048);
  auto const presented = chain(testing::issue(client_spec("rsa"), key, &root()));
  TrustOptions options;
  options.max_key_bits = 2048;
  EXPECT_EQ(reason(*trust_in({root()}, options), *presented), "SUCCESS");
  options.max_key_bits = 2047;
  EXPECT_EQ(reason(*trust_in({root()}, options), *presented), "FAILED:certificate key too large");
  options = {};
  options.min_rsa_bits = 2049;
  EXPECT_EQ(reason(*trust_in({root()}, options), *presented), "FAILED:EE certificate key too weak");
  auto const ec = chain(make_client("ec", root()));
  options = {};
  options.min_ec_bits = 257;
  EXPECT_EQ(reason(*trust_in({root()}, options), *ec), "FAILED:EE certificate key too weak");
}

TEST(Trust, failures_name_the_issuer_that_was_presented) {
  Issued const stranger = make_ca("Stranger");
  Issued const leaf = make_client("stranger", stranger);
  auto const trust = trust_in({root()});
  Verification const shown = trust->verify(*chain(leaf, {stranger}), test_now());
  EXPECT_EQ(shown.issuer_serial(*leaf.facts), stranger.facts->serial());
  EXPECT_EQ(shown.issuer_key_id(*leaf.facts), stranger.facts->subject_key_id());
  Verification const hidden = trust->verify(*chain(leaf), test_now());
  EXPECT_EQ(hidden.issuer_serial(*leaf.facts), "");
  EXPECT_EQ(hidden.issuer_key_id(*leaf.facts), stranger.facts->subject_key_id());
}

TEST(Trust, leaves_openssl_error_queue_alone) {
  Issued const stranger = make_ca("Queue Stranger");
  auto const presented = chain(make_client("q", stranger));
  auto const trust = trust_in({root()});
  ERR_clear_error();
  EXPECT_FALSE(trust->verify(*presented, test_now()).verified);
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST(DescribeVerifyError, are_openssl_words) {
  EXPECT_EQ(describe_verify_error(X509_V_ERR_CERT_HAS_EXPIRED), "certificate has expired");
  EXPECT_EQ(describe_verify_error(X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT),
            "self signed certificate");
  EXPECT_EQ(describe_verify_error(-5), "unknown certificate error");
  EXPECT_EQ(describe_verify_error(100000), "unknown certificate error");
}

}  // namespace
}  // namespace certgate::x509
