// The deny list: what each kind of entry matches, and what is refused.
#include "certgate/x509/deny_list.hpp"

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/x509.h>

#include <memory>

#include "support/test_ca.hpp"

namespace certgate::x509 {
namespace {

using testing::Issued;

Issued const& ca() {
  static Issued const made = testing::make_ca("Deny CA");
  return made;
}
Certificate::Pointer client(char const* serial) {
  testing::CertificateSpec spec = testing::client_spec("jane");
  spec.serial = serial;
  return testing::issue(spec, &ca()).facts;
}
DenyEntry entry(std::string serial, std::string issuer = {}, std::string fingerprint = {},
                std::string subject = {}) {
  DenyEntry made;
  made.serial = std::move(serial);
  made.issuer = std::move(issuer);
  made.fingerprint = std::move(fingerprint);
  made.subject = std::move(subject);
  return made;
}
bool denies(DenyEntry const& what, Certificate const& certificate, UnixSeconds now = 0) {
  auto const list = DenyList::build({what});
  EXPECT_TRUE(list);
  return list && (*list)->find(certificate, now) != nullptr;
}

TEST(DenyList, serials_in_every_spelling) {
  auto const facts = client("0A0BFF");
  for (char const* spelling : {"0A0BFF", "0a0bff", "a0bff", "0xA0BFF", "0A:0B:FF", "000A0BFF"}) {
    EXPECT_TRUE(denies(entry(spelling), *facts)) << spelling;
  }
  EXPECT_FALSE(denies(entry("0A0BFE"), *facts));
  EXPECT_TRUE(denies(entry("-80"), *client("-80")));
  EXPECT_FALSE(denies(entry("80"), *client("-80")));
}

TEST(DenyList, threat_30_serial_of_one_issuer_only) {
  auto const facts = client("77");
  for (char const* issuer : {"CN=Deny CA,O=Test", "/O=Test/CN=Deny CA"}) {
    EXPECT_TRUE(denies(entry("77", issuer), *facts)) << issuer;
  }
  EXPECT_FALSE(denies(entry("77", "CN=Other"), *facts));
}

TEST(DenyList, fingerprints_and_subjects) {
  auto const facts = client("77");
  std::string colons;
  for (std::size_t i = 0; i < 64; i += 2) {
    colons += std::string(facts->fingerprint_sha256().substr(i, 2)) + (i < 62 ? ":" : "");
  }
  EXPECT_TRUE(denies(entry("", "", colons), *facts));
  EXPECT_TRUE(denies(entry("", "", "", "CN=jane,O=Test,C=US"), *facts));
  EXPECT_TRUE(denies(entry("", "", "", "/C=US/O=Test/CN=jane"), *facts));
  EXPECT_FALSE(denies(entry("", "", "", "CN=jane"), *facts));
  EXPECT_FALSE(denies(entry("", "", std::string(64, '0')), *facts));
}

// OpenSSL's way to (r, n - s).
Certificate::Pointer with_other_signature(Issued const& issued, EVP_PKEY* issuer_key) {
  auto const* at = reinterpret_cast<unsigned char const*>(issued.der.data());
  std::unique_ptr<X509, decltype(&X509_free)> const certificate(
      d2i_X509(nullptr, &at, static_cast<long>(issued.der.size())), X509_free);
  ASN1_BIT_STRING const* bits = nullptr;
  X509_get0_signature(&bits, nullptr, certificate.get());
  auto const* signature_at = bits->data;
  std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> const signature(
      d2i_ECDSA_SIG(nullptr, &signature_at, bits->length), ECDSA_SIG_free);
  BIGNUM* order = nullptr;
  char group_name[32];
  std::size_t length = 0;
  EXPECT_EQ(EVP_PKEY_get_group_name(issuer_key, group_name, sizeof(group_name), &length), 1);
  std::unique_ptr<EC_GROUP, decltype(&EC_GROUP_free)> const group(
      EC_GROUP_new_by_curve_name(OBJ_sn2nid(group_name)), EC_GROUP_free);
  order = BN_dup(EC_GROUP_get0_order(group.get()));
  BN_sub(order, order, ECDSA_SIG_get0_s(signature.get()));
  ECDSA_SIG_set0(signature.get(), BN_dup(ECDSA_SIG_get0_r(signature.get())), order);
  unsigned char* changed = nullptr;
  int const size = i2d_ECDSA_SIG(signature.get(), &changed);
  ASN1_STRING_set(const_cast<ASN1_BIT_STRING*>(bits), changed, size);
  OPENSSL_free(changed);
  EXPECT_EQ(X509_verify(certificate.get(), issuer_key), 1);
  return *Certificate::parse_openssl(certificate.get());
}

TEST(DenyList, a_fingerprint_is_not_shaken_off_by_changing_the_signature) {
  for (auto const kind : {testing::KeyKind::p256, testing::KeyKind::p384, testing::KeyKind::p521}) {
    Issued const issuer = testing::make_ca("Signer", nullptr, kind);
    // Signatures whose numbers have all kinds of lengths.
    for (int i = 0; i < 64; ++i) {
      auto const issued = testing::make_client("jane", issuer);
      auto const changed = with_other_signature(issued, issuer.key.handle());
      std::string const of_issued(issued.facts->fingerprint_sha256());
      std::string const of_changed(changed->fingerprint_sha256());
      ASSERT_NE(of_issued, of_changed);
      EXPECT_TRUE(denies(entry("", "", of_issued), *changed));
      EXPECT_TRUE(denies(entry("", "", of_changed), *issued.facts));
      EXPECT_TRUE(denies(entry("", "", of_changed), *changed));
    }
    auto const one = testing::make_client("jane", issuer), other = testing::make_client("joe", issuer);
    EXPECT_FALSE(denies(entry("", "", std::string(one.facts->fingerprint_sha256())), *other.facts));
  }
}

TEST(DenyList, fingerprints_under_signatures_of_other_kinds) {
  for (auto const kind : {testing::KeyKind::rsa2048, testing::KeyKind::ed25519}) {
    Issued const issuer = testing::make_ca("Signer", nullptr, kind);
    auto const one = testing::make_client("jane", issuer), other = testing::make_client("joe", issuer);
    DenyEntry const jane = entry("", "", std::string(one.facts->fingerprint_sha256()));
    EXPECT_TRUE(denies(jane, *one.facts));
    EXPECT_FALSE(denies(jane, *other.facts));
  }
}

TEST(DenyList, entries_expire) {
  auto const facts = client("77");
  DenyEntry short_lived = entry("77"), long_lived = entry("78");
  short_lived.expires = 100;
  long_lived.expires = 200;
  auto const list = *DenyList::build({short_lived, long_lived, entry("79")});
  EXPECT_TRUE(list->find(*facts, 99));
  EXPECT_FALSE(list->find(*facts, 100));
  EXPECT_EQ(list->holds_until(0), 99);
  EXPECT_EQ(list->holds_until(100), 199);
  EXPECT_EQ(list->holds_until(200), never_expires);
}

TEST(DenyList, refuses_entries_that_make_no_sense) {
  auto const error = [](DenyEntry const& what) {
    auto const list = DenyList::build({entry("01"), what});
    return list ? "no error" : list.error().detail;
  };
  EXPECT_EQ(error({}), "deny entry 2 must have exactly one of serial, fingerprint and subject");
  EXPECT_EQ(error(entry("01", "", "", "CN=x")),
            "deny entry 2 must have exactly one of serial, fingerprint and subject");
  EXPECT_EQ(error(entry("", "CN=x", "", "CN=x")), "deny entry 2 has an issuer without a serial");
  EXPECT_EQ(error(entry("xyz")), "deny entry 2: the serial is not hexadecimal");
  EXPECT_EQ(error(entry("", "", "abcd")),
            "deny entry 2: the fingerprint is not SHA-256 (64 hexadecimal digits)");
}

}  // namespace
}  // namespace certgate::x509
