// Revocation lists: our walk against OpenSSL's decoder, scopes, signatures, hostile bytes.
#include "certgate/x509/crl.hpp"

#include <gtest/gtest.h>
#include <openssl/x509v3.h>

#include <random>

#include "certgate/x509/pem.hpp"
#include "support/openssl_parts.hpp"
#include "support/test_ca.hpp"

namespace certgate::x509 {
namespace {

using namespace std::string_literals;
using testing::CrlSpec;
using testing::Issued;
using testing::make_crl;
using testing::read_crl;
using testing::test_now;

Issued const& ca() {
  static Issued const made = testing::make_ca("CRL CA");
  return made;
}

struct OpensslCrl {
  X509_CRL* crl;
  explicit OpensslCrl(std::string const& der) {
    auto const* at = reinterpret_cast<unsigned char const*>(der.data());
    crl = d2i_X509_CRL(nullptr, &at, static_cast<long>(der.size()));
  }
  ~OpensslCrl() { X509_CRL_free(crl); }
};

// Every entry as text: the oracle is OpenSSL's object per entry.
std::vector<std::string> openssl_entries(X509_CRL* crl) {
  std::vector<std::string> lines;
  STACK_OF(X509_REVOKED)* const revoked = X509_CRL_get_REVOKED(crl);
  for (int i = 0; i < sk_X509_REVOKED_num(revoked); ++i) {
    X509_REVOKED* const entry = sk_X509_REVOKED_value(revoked, i);
    BIGNUM* const serial = ASN1_INTEGER_to_BN(X509_REVOKED_get0_serialNumber(entry), nullptr);
    std::string bytes(static_cast<std::size_t>(BN_num_bytes(serial)), '\0');
    BN_bn2bin(serial, reinterpret_cast<unsigned char*>(bytes.data()));
    BN_free(serial);
    auto* const reason = static_cast<ASN1_ENUMERATED*>(
        X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, nullptr, nullptr));
    long const number = reason != nullptr ? ASN1_ENUMERATED_get(reason) : 0;
    ASN1_ENUMERATED_free(reason);
    tm date{};
    ASN1_TIME_to_tm(X509_REVOKED_get0_revocationDate(entry), &date);
    lines.push_back(format_hex(as_bytes(bytes), HexCase::upper) + " " + std::to_string(number) +
                    " " + std::to_string(timegm(&date)));
  }
  return lines;
}

std::vector<std::string> our_entries(Crl const& crl) {
  std::vector<std::string> lines;
  CrlEntry entry;
  for (auto cursor = crl.entries(); cursor.next(entry);) {
    lines.push_back(format_hex(entry.serial, HexCase::upper) + " " +
                    std::to_string(static_cast<int>(entry.reason)) + " " +
                    std::to_string(entry.revoked_at));
  }
  return lines;
}

CrlSpec random_spec(std::mt19937& random) {
  static constexpr int reasons[] = {-1, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10};
  CrlSpec spec;
  std::size_t const count = random() % 60;
  for (std::size_t i = 0; i < count; ++i) {
    std::string serial = "01";
    for (std::size_t n = random() % 20; n-- > 0;) {
      char digits[3];
      std::snprintf(digits, sizeof digits, "%02X", static_cast<unsigned>(random() & 0xFF));
      serial.insert(0, digits);
    }
    spec.entries.push_back(
        {serial, reasons[random() % 11], static_cast<UnixSeconds>(random()), {}});
    if (random() % 5 == 0) {  // invalidityDate: read over
      spec.entries.back().extensions = {{"2.5.29.24", false,
                                         "\x18\x0f"
                                         "20200101000000Z"s}};
    }
  }
  return spec;
}

TEST(Crl, agrees_with_openssl_on_random_lists) {
  std::mt19937 random(11);
  for (int round = 0; round < 60; ++round) {
    std::string const der = make_crl(random_spec(random), ca());
    OpensslCrl const openssl(der);
    ASSERT_TRUE(openssl.crl);
    Crl::Pointer const crl = read_crl(der);
    auto const expected = openssl_entries(openssl.crl);
    EXPECT_EQ(our_entries(*crl), expected);
    EXPECT_EQ(crl->entry_count(), expected.size());
    EXPECT_TRUE(crl->unusable_because().empty()) << crl->unusable_because();
  }
}

TEST(Crl, reads_the_frame) {
  CrlSpec spec;
  spec.number = "0100";
  spec.this_update = 1000000000;
  spec.next_update = 1000086400;
  Crl::Pointer const crl = read_crl(make_crl(spec, ca()));
  EXPECT_EQ(crl->issuer_dn(), "CN=CRL CA,O=Test");
  EXPECT_EQ(as_text(crl->issuer_name_der()), as_text(ca().facts->subject_name_der()));
  EXPECT_EQ(crl->this_update(), 1000000000);
  EXPECT_EQ(crl->next_update(), 1000086400);
  EXPECT_EQ(format_hex(*crl->number(), HexCase::upper), "0100");
  EXPECT_EQ(crl->authority_key_id(), ca().facts->subject_key_id());
  EXPECT_FALSE(crl->is_delta());
  spec.no_next_update = true;
  spec.number.clear();
  Crl::Pointer const bare = read_crl(make_crl(spec, ca()));
  EXPECT_FALSE(bare->next_update());
  EXPECT_FALSE(bare->number());
}

TEST(Crl, threat_26_delta_without_a_number_is_not_used) {
  CrlSpec spec;
  spec.number.clear();
  spec.base_number = "01";
  EXPECT_EQ(read_crl(make_crl(spec, ca()))->unusable_because(),
            "is a delta CRL without a CRL number");
}

TEST(Crl, threat_26_huge_and_broken_numbers_are_refused) {
  CrlSpec spec;
  spec.number = std::string(42, 'A');  // 21 bytes
  EXPECT_FALSE(Crl::parse_der(make_crl(spec, ca())));
  spec.number = "-01";
  EXPECT_FALSE(Crl::parse_der(make_crl(spec, ca())));
  spec.number = "7F" + std::string(38, 'A');  // 20 bytes
  EXPECT_TRUE(Crl::parse_der(make_crl(spec, ca())));
}

TEST(Crl, threat_26_huge_extensions_are_carried_or_refused_but_never_trusted) {
  std::string const megabyte = "\x04\x83\x10\x00\x00"s + std::string(0x100000, 'x');
  CrlSpec spec;
  spec.entries = {{"10", 1, {}, {{"1.2.3.6", false, megabyte}}}};
  spec.extensions = {{"1.2.3.4", false, megabyte}};
  auto const crl = read_crl(make_crl(spec, ca()));
  EXPECT_EQ(crl->unusable_because(), "");
  EXPECT_EQ(crl->entry_count(), 1u);
  EXPECT_TRUE(crl->verify_issued_by(*ca().facts));
  spec.extensions = {{"1.2.3.4", true, megabyte}};
  EXPECT_NE(read_crl(make_crl(spec, ca()))->unusable_because(), "");
  // A length that says more than there is.
  std::string der = make_crl({}, ca());
  for (std::size_t at = 0; at + 4 < der.size(); ++at) {
    std::string lying = der;
    lying.replace(at, 4, "\x30\x83\xFF\xFF"s);
    auto const read = Crl::parse_der(lying);
    if (read) {
      EXPECT_EQ(our_entries(**read).size(), (*read)->entry_count());
    }
  }
  // Thousands of extensions.
  spec = {};
  for (int i = 0; i < 3000; ++i) {
    spec.extensions.push_back({"1.2.3." + std::to_string(i), false, "\x05\x00"s});
  }
  EXPECT_TRUE(Crl::parse_der(make_crl(spec, ca())));
}

TEST(Crl, threat_40_invalidity_dates_and_hold_instructions_are_understood) {
  CrlSpec spec;
  spec.entries = {{"10", 6, {}, {{"2.5.29.24", true, "\x18\x0f" "20200101000000Z"s},
                                 {"2.5.29.23", true, "\x06\x07\x2A\x86\x48\xCE\x38\x02\x02"s}}}};
  auto const crl = read_crl(make_crl(spec, ca()));
  EXPECT_EQ(crl->unusable_because(), "");
  CrlEntry entry;
  auto cursor = crl->entries();
  ASSERT_TRUE(cursor.next(entry));
  EXPECT_EQ(entry.reason, RevocationReason::certificate_hold);
}

TEST(Crl, threat_39_scopes_are_told_apart) {
  CrlSpec user, all, point;
  user.only_user = true;
  point.point_uri = "http://crl.example.com/1";
  auto const a = read_crl(make_crl(all, ca()));
  auto const u = read_crl(make_crl(user, ca()));
  auto const p = read_crl(make_crl(point, ca()));
  EXPECT_TRUE(u->only_user_certificates());
  ASSERT_EQ(p->distribution_point_names().size(), 1u);
  EXPECT_EQ(as_text(p->distribution_point_names()[0]).substr(2), "http://crl.example.com/1");
  EXPECT_NE(a->scope(), u->scope());
  EXPECT_NE(a->scope(), p->scope());
  EXPECT_EQ(a->scope(), read_crl(make_crl(all, ca()))->scope());
}

TEST(Crl, threat_39_lists_that_must_not_decide_say_why) {
  CrlSpec indirect, attribute, reasons, unknown, unknown_entry, other_issuer, ignorable;
  indirect.indirect = true;
  attribute.only_attribute = true;
  reasons.some_reasons = true;
  unknown.extensions = {{"1.2.3.4", true, "\x05\x00"s}};
  unknown_entry.entries = {{"10", 1, {}, {{"1.2.3.5", true, "\x05\x00"s}}}};
  other_issuer.entries = {{"10", 1, {}, {{"2.5.29.29", true, "\x30\x00"s}}}};
  ignorable.extensions = {{"1.2.3.4", false, "\x05\x00"s}};
  auto const why = [](CrlSpec const& spec) {
    return read_crl(make_crl(spec, ca()))->unusable_because();
  };
  EXPECT_EQ(why(indirect), "is an indirect CRL");
  EXPECT_EQ(why(attribute), "is for attribute certificates only");
  EXPECT_EQ(why(reasons), "covers only some reasons for revocation");
  EXPECT_EQ(why(unknown), "has a critical extension that is not understood (1.2.3.4)");
  EXPECT_EQ(why(unknown_entry),
            "has an entry with a critical extension that is not understood (1.2.3.5)");
  EXPECT_EQ(why(other_issuer), "has entries of other issuers (an indirect CRL)");
  EXPECT_EQ(why(ignorable), "");
}

TEST(Crl, threat_37_signature_and_issuer_are_checked) {
  std::string der = make_crl({}, ca());
  EXPECT_TRUE(read_crl(der)->verify_issued_by(*ca().facts));
  Issued const same_name = testing::make_ca("CRL CA");
  Issued const other = testing::make_ca("Other CA");
  auto const error = [&](Crl const& crl, Issued const& by) {
    auto const verified = crl.verify_issued_by(*by.facts);
    return verified ? "verified" : verified.error().detail;
  };
  EXPECT_EQ(error(*read_crl(der), other), "it was issued by \"CN=CRL CA,O=Test\"");
  EXPECT_EQ(error(*read_crl(der), same_name),
            "it names another key of the CA (" + std::string(ca().facts->subject_key_id()) + ")");
  CrlSpec quiet;
  quiet.authority_key_id = false;
  EXPECT_EQ(error(*read_crl(make_crl(quiet, ca())), same_name), "its signature is wrong");
  EXPECT_EQ(error(*read_crl(make_crl({}, ca(), &same_name)), ca()), "its signature is wrong");
  testing::CertificateSpec spec;
  spec.subject = {{"O", "Test"}, {"CN", "CRL CA"}};
  spec.ca = true;
  Issued const other_kind =
      testing::issue(spec, testing::TestKey::cached(testing::KeyKind::rsa2048), nullptr);
  EXPECT_EQ(error(*read_crl(make_crl(quiet, other_kind)), ca()),
            "its signature algorithm does not fit the CA's key");
  der[der.size() / 2] ^= 1;
  if (auto const tampered = Crl::parse_der(der)) {
    EXPECT_FALSE((*tampered)->verify_issued_by(*ca().facts));
  }
}

TEST(Crl, threat_37_ca_without_crl_sign_is_refused) {
  testing::CertificateSpec spec;
  spec.subject = {{"CN", "No CRL CA"}};
  spec.ca = true;
  spec.key_usage = "critical,keyCertSign";
  Issued const no_crl = testing::issue(spec, nullptr);
  auto const verified = read_crl(make_crl({}, no_crl))->verify_issued_by(*no_crl.facts);
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().detail, "the CA's certificate may not sign CRLs (no cRLSign)");
}

TEST(Crl, every_signature_algorithm_is_checked) {
  for (auto const kind : {testing::KeyKind::p256, testing::KeyKind::p384, testing::KeyKind::rsa2048,
                          testing::KeyKind::ed25519}) {
    testing::CertificateSpec spec;
    spec.subject = {{"CN", "CA"}};
    spec.ca = true;
    Issued const issuer = testing::issue(spec, testing::TestKey::cached(kind), nullptr);
    CrlSpec crl_spec;
    std::string der = make_crl(crl_spec, issuer);
    auto const verified = read_crl(der)->verify_issued_by(*issuer.facts);
    EXPECT_TRUE(verified) << verified.error().detail;
    der.back() ^= 1;
    EXPECT_FALSE(read_crl(der)->verify_issued_by(*issuer.facts));
    if (kind != testing::KeyKind::rsa2048) continue;
    crl_spec.pss = true;
    der = make_crl(crl_spec, issuer);
    auto const pss = read_crl(der)->verify_issued_by(*issuer.facts);
    EXPECT_TRUE(pss) << pss.error().detail;
    der.back() ^= 1;
    EXPECT_FALSE(read_crl(der)->verify_issued_by(*issuer.facts));
    crl_spec.digest = "SHA1";
    EXPECT_FALSE(read_crl(make_crl(crl_spec, issuer))->verify_issued_by(*issuer.facts));
    crl_spec.pss = false;
    EXPECT_EQ(read_crl(make_crl(crl_spec, issuer))->verify_issued_by(*issuer.facts).error().detail,
              "its signature uses a digest that is too weak");
  }
}

TEST(Crl, serial_length_limit_has_an_edge) {
  CrlSpec spec;
  spec.entries = {{std::string(2 * max_serial_bytes, '7'), 1, {}, {}}};
  EXPECT_TRUE(Crl::parse_der(make_crl(spec, ca())));
  spec.entries = {{std::string(2 * max_serial_bytes + 4, '7'), 1, {}, {}}};
  EXPECT_FALSE(Crl::parse_der(make_crl(spec, ca())));
}

TEST(Crl, refuses_what_is_not_one_list) {
  std::string const good = make_crl({}, ca());
  EXPECT_FALSE(Crl::parse_der(""));
  EXPECT_FALSE(Crl::parse_der(ca().der));
  EXPECT_EQ(Crl::parse_der(good + "x").error().detail, "not a CRL: there are bytes after its end");
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(Crl::parse_der(good.substr(0, size))) << size;
  }
}

TEST(Crl, survives_changed_bytes) {
  std::mt19937 random(3);
  std::string const good = make_crl(random_spec(random), ca());
  for (int round = 0; round < 3000; ++round) {
    std::string der = good;
    for (int i = 0; i < 1 + round % 4; ++i)
      der[random() % der.size()] = static_cast<char>(random());
    auto const crl = Crl::parse_der(der);
    if (!crl) continue;
    // What parse_der let pass can be walked to its end.
    EXPECT_EQ(our_entries(**crl).size(), (*crl)->entry_count());
  }
}

TEST(RevocationReason, names_are_those_of_rfc_5280) {
  EXPECT_EQ(name_of(RevocationReason::key_compromise), "keyCompromise");
  EXPECT_EQ(name_of(RevocationReason::aa_compromise), "aACompromise");
  EXPECT_EQ(parse_revocation_reason("KEYcompromise"), RevocationReason::key_compromise);
  EXPECT_EQ(parse_revocation_reason("nonsense"), std::nullopt);
}

}  // namespace
}  // namespace certgate::x509
