// PEM bundles: what is accepted, and what is said of each kind of broken file.
#include "certgate/x509/pem.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "certgate/x509/private_key.hpp"
#include "support/test_ca.hpp"

namespace certgate::x509 {
namespace {

using testing::Issued;

Issued const& ca() {
  static Issued const made = testing::make_ca("PEM CA");
  return made;
}

std::string error_of(std::string_view text) {
  auto const parsed = parse_certificates(text);
  return parsed ? "no error" : parsed.error().detail;
}

TEST(ParseCertificates, a_bundle_with_comments_and_any_line_ends) {
  std::string const pem = ca().pem();
  std::string crlf;
  for (char const c : pem) crlf += c == '\n' ? "\r\n" : std::string(1, c);
  auto const parsed =
      parse_certificates("\xEF\xBB\xBF# a comment\n\n" + pem + "subject=CN = x\n" + crlf);
  ASSERT_TRUE(parsed) << parsed.error().detail;
  ASSERT_EQ(parsed->size(), 2u);
  EXPECT_EQ((*parsed)[1]->subject_dn(), "CN=PEM CA,O=Test");
}

TEST(ParseCertificates, text_without_newline_at_the_end) {
  std::string pem = ca().pem();
  pem.pop_back();
  EXPECT_TRUE(parse_certificates(pem));
}

TEST(ParseCertificates, threat_16_broken_ca_files_say_what_is_wrong) {
  std::string const pem = ca().pem();
  EXPECT_EQ(error_of(""), "is empty; a certificate as PEM is expected");
  EXPECT_EQ(error_of(" \n\t\r\n"), "is empty; a certificate as PEM is expected");
  EXPECT_EQ(error_of("hello\n"), "holds no PEM block; a certificate as PEM is expected");
  EXPECT_EQ(error_of(ca().der), "is binary (DER); a certificate as PEM is expected");
  EXPECT_EQ(error_of(ca().key.pem()), "block 1 (line 1) is a private key, not a certificate");
  EXPECT_EQ(error_of(pem + ca().key.pem()),
            "block 2 (line " + std::to_string(1 + std::count(pem.begin(), pem.end(), '\n')) +
                ") is a private key, not a certificate");
  EXPECT_EQ(error_of("-----BEGIN X509 CRL-----\nAA==\n-----END X509 CRL-----\n"),
            "block 1 (line 1) is a CRL, not a certificate");
  EXPECT_EQ(error_of("-----BEGIN CERTIFICATE-----\nMIIB\n"),
            "block 1 (line 1) is cut off: there is no END CERTIFICATE");
  EXPECT_EQ(error_of("-----BEGIN CERTIFICATE-----\nMIIB\n" + pem),
            "block 1 (line 1) is cut off: line 3 should be END CERTIFICATE");
  EXPECT_EQ(error_of("-----BEGIN CERTIFICATE-----\nMI!B\n-----END CERTIFICATE-----\n"),
            "block 1 (line 1) is damaged: line 2 is not base64");
  EXPECT_EQ(error_of("-----BEGIN CERTIFICATE-----\nMIIBA\n-----END CERTIFICATE-----\n"),
            "block 1 (line 1) is damaged: its base64 is not complete");
  EXPECT_EQ(error_of("-----BEGIN CERTIFICATE----\nMIIB\n"), "line 1 is not a whole BEGIN line");
  EXPECT_EQ(error_of("-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"),
            "block 1 (line 1) is encrypted or has headers (a certificate); remove them");
  EXPECT_EQ(error_of("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"),
            "block 1 (line 1): not a certificate: it is not a signed structure");
}

TEST(ParseCertificates, threat_16_one_bad_certificate_among_ten_refuses_all) {
  std::string bundle;
  for (int i = 0; i < 10; ++i) {
    std::string pem = ca().pem();
    if (i == 6) pem[pem.size() / 2] = pem[pem.size() / 2] == '*' ? '!' : '*';
    bundle += pem;
  }
  EXPECT_TRUE(error_of(bundle).starts_with("block 7 (line ")) << error_of(bundle);
}

TEST(ParseCertificates, threat_16_truncated_at_every_byte_never_gives_fewer_certificates) {
  std::string const pem = ca().pem() + ca().pem();
  std::size_t const first = ca().pem().size();
  for (std::size_t size = 0; size < pem.size() - 1; ++size) {
    auto const parsed = parse_certificates(std::string_view(pem).substr(0, size));
    // Cut between the blocks it is a good file with one certificate: nobody can tell.
    bool const is_between = size == first || size == first - 1;
    EXPECT_EQ(parsed.has_value(), is_between) << size;
  }
}

TEST(FormatPem, is_read_back) {
  std::string const der(1000, 'x');
  std::string const pem = format_pem("X Y", as_bytes(der));
  auto const blocks = parse_pem(pem);
  ASSERT_TRUE(blocks);
  EXPECT_EQ((*blocks)[0].label, "X Y");
  EXPECT_EQ((*blocks)[0].der, der);
  EXPECT_EQ((*blocks)[0].line, 1u);
}

TEST(ParseCrls, pem_one_or_many_or_der) {
  std::string const der = testing::make_crl({}, ca());
  std::string const pem = format_pem("X509 CRL", as_bytes(der));
  ASSERT_TRUE(parse_crls(der));
  EXPECT_EQ(parse_crls(der)->size(), 1u);
  EXPECT_EQ(parse_crls(pem + pem)->size(), 2u);
  EXPECT_EQ(parse_crls(ca().pem()).error().detail, "block 1 (line 1) is a certificate, not a CRL");
  EXPECT_EQ(parse_crls("").error().detail, "is empty; a CRL as PEM or DER is expected");
  EXPECT_FALSE(parse_crls(der.substr(0, der.size() - 1)));
}

TEST(ParseCrls, threat_42_truncated_at_every_byte_is_refused) {
  testing::CrlSpec spec;
  for (int i = 16; i < 26; ++i) spec.entries.push_back({std::to_string(i), 1, {}, {}});
  std::string const der = testing::make_crl(spec, ca());
  std::string const pem = format_pem("X509 CRL", as_bytes(der));
  for (std::size_t size = 0; size < der.size(); ++size) {
    EXPECT_FALSE(parse_crls(std::string_view(der).substr(0, size))) << size;
  }
  for (std::size_t size = 0; size + 1 < pem.size(); ++size) {
    EXPECT_FALSE(parse_crls(std::string_view(pem).substr(0, size))) << size;
  }
}

TEST(PrivateKey, reads_and_matches) {
  for (auto const kind :
       {testing::KeyKind::p256, testing::KeyKind::rsa2048, testing::KeyKind::ed25519}) {
    auto const& key = testing::TestKey::cached(kind);
    Issued const issued = testing::issue(testing::client_spec("key"), key, &ca());
    auto const parsed = PrivateKey::parse_pem(key.pem());
    ASSERT_TRUE(parsed) << parsed.error().detail;
    EXPECT_EQ(parsed->type(), issued.facts->key_type());
    EXPECT_EQ(parsed->bits(), issued.facts->key_bits());
    EXPECT_TRUE(parsed->matches(*issued.facts));
    EXPECT_FALSE(parsed->matches(*ca().facts));
  }
}

TEST(PrivateKey, says_what_else_it_is) {
  auto const error = [](std::string_view text) {
    auto const parsed = PrivateKey::parse_pem(text);
    return parsed ? "no error" : parsed.error().detail;
  };
  std::string const pem = ca().key.pem();
  EXPECT_EQ(error(""), "is empty; a private key as PEM is expected");
  EXPECT_EQ(error(ca().pem()), "is a certificate, not a private key");
  EXPECT_EQ(error("-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n"),
            "is a public key, not a private key");
  EXPECT_EQ(error("hello"), "holds no private key as PEM");
  EXPECT_EQ(error(pem + pem), "holds more than one private key");
  EXPECT_TRUE(error("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n")
                  .starts_with("is an encrypted private key; decrypt it with"));
  EXPECT_EQ(error(pem.substr(0, pem.size() / 2)), "is cut off: the private key has no END line");
  std::string damaged = pem;
  damaged[60] = damaged[60] == 'A' ? 'B' : 'A';
  damaged.erase(70, 4);
  EXPECT_EQ(error(damaged), "OpenSSL cannot read the private key; it is damaged");
}

}  // namespace
}  // namespace certgate::x509
