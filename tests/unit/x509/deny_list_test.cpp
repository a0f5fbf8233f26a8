// The deny list: what each kind of entry matches, and what is refused.
#include "certgate/x509/deny_list.hpp"

#include <gtest/gtest.h>

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
