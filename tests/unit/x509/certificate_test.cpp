// Reading certificates: formats against the openssl command's, hostile bytes, refusals.
#include "certgate/x509/certificate.hpp"

#include <gtest/gtest.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <random>

#include "certgate/x509/client_chain.hpp"
#include "support/openssl_parts.hpp"
#include "support/zoo.hpp"

namespace certgate::x509 {
namespace {

using namespace std::string_literals;
using testing::CertificateSpec;
using testing::client_spec;
using testing::Issued;

Issued const& ca() {
  static Issued const made = testing::make_ca("Test CA");
  return made;
}

// What a command prints, without the newline at the end.
std::string output_of(std::string const& command) {
  FILE* const pipe = popen(command.c_str(), "r");
  std::string text;
  char buffer[4096];
  for (std::size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
  pclose(pipe);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

TEST(Certificate, agrees_with_the_openssl_command) {
  CertificateSpec spec = client_spec("openssl-command");
  spec.subject = {{"C", "US", 19},
                  {"O",
                   "B\xC3\xBC"
                   "cher, GmbH"},
                  {"CN", "x"},
                  {"UID", "7", 12, true}};
  spec.serial = "0A00FF";
  spec.not_before = 1583020805;  // Mar  1 00:00:05 2020
  Issued const issued = testing::issue(spec, &ca());
  std::string const path = ::testing::TempDir() + "certificate_test.pem";
  std::ofstream(path) << issued.pem();
  auto const openssl = [&](std::string const& arguments) {
    std::string const text = output_of("openssl x509 -noout -in '" + path + "' " + arguments);
    return text.substr(std::min(text.find('=') + 1, text.size()));
  };
  Certificate const& facts = *issued.facts;
  EXPECT_EQ(facts.serial(), openssl("-serial"));
  EXPECT_EQ(facts.not_before_text(), openssl("-startdate"));
  EXPECT_EQ(facts.not_after_text(), openssl("-enddate"));
  EXPECT_EQ(facts.subject_dn_rfc2253(), openssl("-subject -nameopt RFC2253"));
  EXPECT_EQ(facts.subject_dn(), openssl("-subject -nameopt RFC2253,-esc_msb"));
  EXPECT_EQ(facts.issuer_dn(), openssl("-issuer -nameopt RFC2253"));
  std::string fingerprint = openssl("-fingerprint -sha256");
  std::erase(fingerprint, ':');
  EXPECT_EQ(facts.fingerprint_sha256(), ascii_lower(fingerprint));
  std::remove(path.c_str());
}

TEST(Certificate, says_what_the_key_is) {
  struct Case {
    testing::KeyKind kind;
    KeyType type;
    char const* name;
    unsigned bits;
  };
  for (auto const& [kind, type, name, bits] :
       {Case{testing::KeyKind::p256, KeyType::ec, "EC", 256},
        Case{testing::KeyKind::p384, KeyType::ec, "EC", 384},
        Case{testing::KeyKind::p521, KeyType::ec, "EC", 521},
        Case{testing::KeyKind::rsa2048, KeyType::rsa, "RSA", 2048},
        Case{testing::KeyKind::ed25519, KeyType::ed25519, "Ed25519", 256}}) {
    auto const& key = testing::TestKey::cached(kind);
    Issued const issued = testing::issue(client_spec("key"), key, &ca());
    EXPECT_EQ(issued.facts->key_type(), type);
    EXPECT_EQ(name_of(issued.facts->key_type()), name);
    EXPECT_EQ(issued.facts->key_bits(), bits);
  }
}

TEST(Certificate, reads_extensions) {
  Certificate const& ca_facts = *ca().facts;
  EXPECT_TRUE(ca_facts.is_ca());
  EXPECT_EQ(ca_facts.path_length(), -1);
  EXPECT_EQ(ca_facts.key_usage(), key_cert_sign | crl_sign);
  EXPECT_FALSE(ca_facts.has_extended_key_usage());
  EXPECT_TRUE(ca_facts.is_self_issued());
  EXPECT_EQ(ca_facts.signature_algorithm(), "ecdsa-with-SHA256");
  CertificateSpec spec = client_spec("extensions");
  spec.extended_key_usage = "clientAuth,emailProtection,1.2.3.4";
  spec.crl_points = {"http://crl.example.com/1"};
  auto const held = testing::issue(spec, &ca()).facts;
  Certificate const& facts = *held;
  EXPECT_EQ(facts.extended_key_usage(), client_auth | email_protection | other_purpose);
  EXPECT_EQ(facts.key_usage(), digital_signature);
  EXPECT_FALSE(facts.is_ca());
  EXPECT_EQ(facts.authority_key_id(), ca_facts.subject_key_id());
  EXPECT_FALSE(facts.crl_distribution_points().empty());
  EXPECT_EQ(facts.subject_common_name(), "extensions");
}

TEST(Certificate, issuer_identity_is_name_and_key) {
  Issued const twin = testing::make_ca("Test CA");
  EXPECT_NE(ca().facts->id_as_issuer(), twin.facts->id_as_issuer());
  CertificateSpec renewed;
  renewed.subject = {{"O", "Test"}, {"CN", "Test CA"}};
  renewed.ca = true;
  EXPECT_EQ(testing::issue(renewed, ca().key, nullptr).facts->id_as_issuer(),
            ca().facts->id_as_issuer());
}

TEST(Certificate, threat_20_san_types_do_not_mix) {
  CertificateSpec spec = client_spec("mail");
  spec.alt_names = {{SanType::email, "host.example.com"}, {SanType::dns, "real.example.com"}};
  auto const held = testing::issue(spec, &ca()).facts;
  Certificate const& facts = *held;
  ASSERT_EQ(facts.alt_name_count(), 2u);
  EXPECT_EQ(facts.alt_name(0).type, SanType::email);
  EXPECT_EQ(facts.alt_name(1).type, SanType::dns);
}

TEST(Certificate, threat_21_nul_inside_dns_name) {
  CertificateSpec spec = client_spec("nul");
  spec.alt_names = {{SanType::dns, "api.example.com\0.evil.net"s}};
  auto const held = testing::issue(spec, &ca()).facts;
  Certificate const& facts = *held;
  EXPECT_EQ(facts.alt_name(0).value, "api.example.com\0.evil.net"s);  // length-exact
  EXPECT_TRUE(facts.has_control_characters());
}

TEST(Certificate, threat_21_nul_inside_common_name) {
  CertificateSpec spec = client_spec("admin\0.evil"s);
  auto const held = testing::issue(spec, &ca()).facts;
  Certificate const& facts = *held;
  EXPECT_EQ(facts.subject_common_name(), "admin\0.evil"s);
  EXPECT_EQ(facts.subject_dn(), "CN=admin\\00.evil,O=Test,C=US");
  EXPECT_EQ(facts.subject_dn_legacy(), "/C=US/O=Test/CN=admin\\x00.evil");
  EXPECT_TRUE(facts.has_control_characters());
}

TEST(Certificate, threat_29_dn_punctuation_is_escaped) {
  CertificateSpec spec = client_spec("x");
  spec.subject = {{"O", "x/CN=admin"}, {"CN", "user,CN=admin"}};
  auto const held = testing::issue(spec, &ca()).facts;
  Certificate const& facts = *held;
  EXPECT_EQ(facts.subject_dn(), "CN=user\\,CN=admin,O=x/CN=admin");
  EXPECT_EQ(facts.subject_dn_legacy(), "/O=x\\/CN=admin/CN=user,CN=admin");
}

TEST(Certificate, threat_30_serials_are_canonical) {
  struct Case {
    char const* written;
    char const* text;
    bool negative;
  };
  for (auto const& [written, text, negative] :
       {Case{"00FF", "FF", false}, Case{"0A", "0A", false}, Case{"00", "00", false},
        Case{"-80", "-80", true}, Case{"-01", "-01", true}, Case{"0100", "0100", false}}) {
    CertificateSpec spec = client_spec("serial");
    spec.serial = written;
    auto const held = testing::issue(spec, &ca()).facts;
    Certificate const& facts = *held;
    EXPECT_EQ(facts.serial(), text);
    EXPECT_EQ(facts.serial_is_negative(), negative);
  }
}

TEST(Certificate, rfc9440_is_left_out_above_its_cap) {
  CertificateSpec spec = client_spec("edge");
  testing::TestKey const key = testing::TestKey::make(testing::KeyKind::p256);
  auto const with_padding = [&](std::size_t size) {
    spec.extensions = {{"1.3.6.1.4.1.99999.2", false,
                        "\x04\x82"s + static_cast<char>(size >> 8) +
                            static_cast<char>(size & 0xFF) + std::string(size, 'x')}};
    return testing::issue(spec, key, &ca()).facts;
  };
  // Sizes around 7680 bytes of DER: 10240 base64 characters without the colons.
  bool saw_small = false, saw_large = false;
  for (std::size_t size = 7200; size < 7400; size += 10) {
    auto const facts = with_padding(size);
    std::string text;
    facts->append_rfc9440(text);
    std::size_t const length = (facts->der().size() + 2) / 3 * 4 + 2;
    EXPECT_EQ(text.size(), length <= 10240 ? length : 0) << facts->der().size();
    EXPECT_EQ(facts->is_rfc9440_too_large(), length > 10240);
    (length > 10240 ? saw_large : saw_small) = true;
  }
  EXPECT_TRUE(saw_small && saw_large);
}

TEST(Certificate, refuses_what_is_not_one_certificate) {
  std::string const good = testing::make_client("good", ca()).der;
  EXPECT_FALSE(Certificate::parse_der({}));
  EXPECT_FALSE(Certificate::parse_der(as_bytes("hello")));
  EXPECT_FALSE(Certificate::parse_der(as_bytes(good + "x")));
  EXPECT_EQ(Certificate::parse_der(as_bytes(good + "x")).error().detail,
            "not a certificate: there are bytes after its end");
  EXPECT_FALSE(Certificate::parse_openssl(nullptr));
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(Certificate::parse_der(as_bytes(std::string_view(good).substr(0, size)))) << size;
  }
}

TEST(Certificate, invalid_utf8_in_a_name_is_malformed_and_shown_escaped) {
  CertificateSpec spec = client_spec("bad ab utf8");
  std::string der = testing::issue(spec, &ca()).der;
  der.replace(der.find("bad ab"), 6, "bad \xC3(");
  auto const facts = Certificate::parse_der(as_bytes(der));
  ASSERT_TRUE(facts);
  EXPECT_TRUE((*facts)->is_malformed());
  EXPECT_EQ((*facts)->subject_dn(), "CN=bad \\C3( utf8,O=Test,C=US");
}

TEST(Certificate, a_repeated_extension_is_malformed) {
  CertificateSpec spec = client_spec("twice");
  spec.extensions = {{"2.5.29.37", false, "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02"s}};
  EXPECT_TRUE(testing::issue(spec, &ca()).facts->is_malformed());
}

// Every certificate with some bytes changed is either refused or read without touching a byte
// outside of it (the sanitizers watch).
TEST(Certificate, survives_changed_bytes) {
  std::string const good = testing::make_client("mutant", ca()).der;
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::string der = good;
    for (int i = 0; i < 1 + round % 4; ++i)
      der[random() % der.size()] = static_cast<char>(random());
    if (auto const facts = Certificate::parse_der(as_bytes(der))) {
      EXPECT_EQ(as_text((*facts)->der()), der);
    }
  }
}

TEST(FormatTime, pads_days_with_a_space) {
  EXPECT_EQ(format_time(0), "Jan  1 00:00:00 1970 GMT");
  EXPECT_EQ(format_time(1647869700), "Mar 21 13:35:00 2022 GMT");
  EXPECT_EQ(format_time(-1), "Dec 31 23:59:59 1969 GMT");
  EXPECT_EQ(format_time(253402300799), "Dec 31 23:59:59 9999 GMT");
}

TEST(ClientChain, digest_depends_on_every_certificate_and_their_order) {
  auto const a = testing::make_client("a", ca()).facts;
  auto const b = testing::make_client("b", ca()).facts;
  auto const c = testing::make_client("c", ca()).facts;
  EXPECT_EQ(ClientChain::make(a, {b, c})->digest(), ClientChain::make(a, {b, c})->digest());
  EXPECT_NE(ClientChain::make(a, {b, c})->digest(), ClientChain::make(a, {c, b})->digest());
  EXPECT_NE(ClientChain::make(a)->digest(), ClientChain::make(a, {b})->digest());
  std::vector<Digest> const fingerprints{a->fingerprint(), b->fingerprint()};
  EXPECT_EQ(ClientChain::make(a, {b})->digest(), ClientChain::digest_of(fingerprints));
}

}  // namespace
}  // namespace certgate::x509
