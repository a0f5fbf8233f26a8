// Identity fields: RFC 9440's own examples, Cloudflare's names, and names meant to break out.
#include "certgate/http/client_cert_header.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "rfc9440_example.hpp"

namespace certgate::http {
namespace {

using testing::rfc9440_intermediate;
using testing::rfc9440_leaf;
using testing::rfc9440_root;

TEST(ClientCert, threat_49_is_the_example_of_rfc_9440) {
  auto const leaf = *parse_base64(rfc9440_leaf);
  auto const intermediate = *parse_base64(rfc9440_intermediate);
  auto const root = *parse_base64(rfc9440_root);
  std::vector<Bytes> const chain{as_bytes(intermediate), as_bytes(root)};
  std::string out;
  append_client_cert(out, as_bytes(leaf), chain);
  EXPECT_EQ(out, "Client-Cert: :" + std::string(rfc9440_leaf) +
                     ":\r\nClient-Cert-Chain: :" + std::string(rfc9440_intermediate) +
                     ":, :" + std::string(rfc9440_root) + ":\r\n");
}

TEST(ClientCert, AbsentOrTooLargeIsNoField) {
  std::string out;
  append_client_cert(out, {}, {});
  EXPECT_EQ(out, "");
  std::string const large(8 * 1024, 'x');
  append_client_cert(out, as_bytes(large), {});
  EXPECT_EQ(out, "");
  std::vector<Bytes> const chain{as_bytes(large), as_bytes(large)};
  append_client_cert(out, as_bytes("x"), chain);
  EXPECT_EQ(out, "Client-Cert: :eA==:\r\n");
}

TEST(ClientCert, LimitsAreExact) {
  // 7,677 bytes are 10,236 characters, and two colons: 10,238. Three bytes more are four too many.
  std::string out;
  std::string const fits(7677, 'x');
  EXPECT_EQ(append_byte_sequence(out, as_bytes(fits)), FieldSize::fits);
  EXPECT_EQ(out.size(), 10238u);
  EXPECT_EQ(append_byte_sequence(out, as_bytes(fits + "x")), FieldSize::too_large);
  EXPECT_EQ(out.size(), 10238u);
  EXPECT_EQ(append_byte_sequence(out, as_bytes("abc"), 6), FieldSize::fits);
  EXPECT_EQ(append_byte_sequence(out, as_bytes("abc"), 5), FieldSize::too_large);
  std::vector<Bytes> const chain{as_bytes("abc"), as_bytes("abc")};
  out.clear();
  EXPECT_EQ(append_byte_sequences(out, chain, 14), FieldSize::fits);
  EXPECT_EQ(out, ":YWJj:, :YWJj:");
  EXPECT_EQ(append_byte_sequences(out, chain, 13), FieldSize::too_large);
  EXPECT_EQ(append_byte_sequences(out, {}, 0), FieldSize::fits);
}

TEST(Cloudflare, HasEveryFieldOfTheManagedTransform) {
  ClientCertificateText text;
  text.presented = text.verified = true;
  text.issuer_dn = "CN=CA";
  text.subject_dn = "CN=a";
  text.issuer_dn_rfc2253 = "CN=CA2";
  text.subject_dn_rfc2253 = "CN=a2";
  text.issuer_dn_legacy = "/CN=CA";
  text.subject_dn_legacy = "/CN=a";
  text.serial = "0A";
  text.issuer_serial = "0B";
  text.fingerprint_sha256 = "ff";
  text.fingerprint_sha1 = "ee";
  text.not_before = "Mar 21 13:35:00 2022 GMT";
  text.not_after = "Mar 21 13:35:00 2023 GMT";
  text.ski = "AB";
  text.issuer_ski = "CD";
  std::string out;
  append_cloudflare(out, text);
  EXPECT_EQ(out,
            "Cf-Cert-Presented: true\r\n"
            "Cf-Cert-Verified: true\r\n"
            "Cf-Cert-Revoked: false\r\n"
            "Cf-Cert-Issuer-Dn: CN=CA\r\n"
            "Cf-Cert-Subject-Dn: CN=a\r\n"
            "Cf-Cert-Issuer-Dn-Rfc2253: CN=CA2\r\n"
            "Cf-Cert-Subject-Dn-Rfc2253: CN=a2\r\n"
            "Cf-Cert-Issuer-Dn-Legacy: /CN=CA\r\n"
            "Cf-Cert-Subject-Dn-Legacy: /CN=a\r\n"
            "Cf-Cert-Serial: 0A\r\n"
            "Cf-Cert-Issuer-Serial: 0B\r\n"
            "Cf-Cert-Fingerprint-Sha256: ff\r\n"
            "Cf-Cert-Sha256: ff\r\n"
            "Cf-Cert-Fingerprint-Sha1: ee\r\n"
            "Cf-Cert-Sha1: ee\r\n"
            "Cf-Cert-Not-Before: Mar 21 13:35:00 2022 GMT\r\n"
            "Cf-Cert-Not-After: Mar 21 13:35:00 2023 GMT\r\n"
            "Cf-Cert-Ski: AB\r\n"
            "Cf-Cert-Issuer-Ski: CD\r\n");
  out.clear();
  append_cloudflare_der(out, as_bytes("abc"), "ff");
  EXPECT_EQ(out, "Cf-Client-Cert-Der-Base64: YWJj\r\nCf-Client-Cert-Sha256: ff\r\n");
}

TEST(Cloudflare, threat_44_absent_value_is_absent_field) {
  std::string out;
  append_cloudflare(out, {});
  EXPECT_EQ(out,
            "Cf-Cert-Presented: false\r\nCf-Cert-Verified: false\r\nCf-Cert-Revoked: false\r\n");
  out.clear();
  append_cloudflare_der(out, {}, "ff");
  EXPECT_EQ(out, "");
}

TEST(FieldText, threat_48_nothing_breaks_out_of_its_field) {
  auto const text = [](std::string_view value) {
    std::string out;
    append_field_text(out, value);
    return out;
  };
  EXPECT_EQ(text("CN=x\r\nX-Admin: y"), "CN=x%0D%0AX-Admin: y");
  EXPECT_EQ(text(std::string_view("a\0b", 3)), "a%00b");
  EXPECT_EQ(text("\xF0\x9F\x98\x80"), "%F0%9F%98%80");
  EXPECT_EQ(text("\xE2\x80\xAE"), "%E2%80%AE");
  EXPECT_EQ(text("100%41"), "100%2541");
  // A parser would strip these, and two names would look alike.
  EXPECT_EQ(text(" a b  "), "%20a b %20");
  EXPECT_EQ(text(" "), "%20");
  EXPECT_EQ(text("\t\x7F"), "%09%7F");
  EXPECT_EQ(text("CN=a,O=\"b; c\""), "CN=a,O=\"b; c\"");
}

TEST(Xfcc, QuotesLikeEnvoy) {
  std::string_view const uris[] = {"spiffe://a/b"};
  std::string_view const names[] = {"a.example", "b.example"};
  ForwardedClientCert certificate;
  certificate.fingerprint_sha256 = "ff";
  certificate.subject = "CN=a\"b\\,O=c;d\r\n";
  certificate.uris = uris;
  certificate.dns_names = names;
  std::string out;
  append_forwarded_client_cert(out, certificate);
  EXPECT_EQ(out,
            "X-Forwarded-Client-Cert: Hash=ff;Subject=\"CN=a\\\"b\\\\,O=c;d%0D%0A\";"
            "URI=\"spiffe://a/b\";DNS=\"a.example\";DNS=\"b.example\"\r\n");
  out.clear();
  append_forwarded_client_cert(out, {});
  EXPECT_EQ(out, "");
  ForwardedClientCert leaf_only;
  leaf_only.leaf = as_bytes("abc");
  append_forwarded_client_cert(out, leaf_only);
  EXPECT_EQ(out,
            "X-Forwarded-Client-Cert: Cert=\"-----BEGIN%20CERTIFICATE-----%0AYWJj%0A"
            "-----END%20CERTIFICATE-----%0A\"\r\n");
}

}  // namespace
}  // namespace certgate::http
