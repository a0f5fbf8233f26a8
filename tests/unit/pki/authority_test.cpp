// Authorities: what they sign is strict, what they refuse has a reason.
#include "certgate/pki/authority.hpp"

#include <gtest/gtest.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

#include "certgate/pki/csr.hpp"
#include "memory_ledger.hpp"

namespace certgate::pki {
namespace {

constexpr UnixSeconds now = 1'800'000'000;
constexpr UnixSeconds day = 86'400;

AlternativeName name(NameKind kind, std::string_view text) {
  return AlternativeName::parse(kind, text).value();
}

struct Pair {
  Authority root;
  Authority intermediate;
};

Pair make_pair_of(KeyType type, NameConstraints const& constraints = {}) {
  auto root_key = PrivateKey::make(type).value();
  CertificateOrder order{Serial::random().value()};
  order.validity = {now - day, now + 3650 * day};
  order.subject = {"Root", "Example", {}};
  order.path_length = 1;
  order.constraints = constraints;
  auto root = Authority::make_root(order, root_key).value();
  auto key = PrivateKey::make(type).value();
  order.serial = Serial::random().value();
  order.subject.common_name = "Issuing";
  order.profile = ProfileKind::intermediate;
  order.path_length = 0;
  order.public_key_der = key.public_key_der();
  auto certificate = root.issue(order).value();
  auto intermediate = Authority::open(certificate, key).value();
  return {std::move(root), std::move(intermediate)};
}

CertificateOrder device_order(ProfileKind profile = ProfileKind::iot) {
  CertificateOrder order{Serial::random().value()};
  order.validity = {now - 300, now + 365 * day};
  order.subject = {"sensor-7", {}, {}};
  order.profile = profile;
  order.public_key_der = PrivateKey::make(KeyType::p256).value().public_key_der();
  return order;
}

Pair const& p256_pair() {
  static Pair const pair = make_pair_of(KeyType::p256);
  return pair;
}

// OpenSSL over the whole chain, strict, for a purpose: the oracle.
int verify(Pair const& pair, Certificate const& leaf, int purpose, UnixSeconds at = now) {
  auto* const store = X509_STORE_new();
  X509_STORE_add_cert(store, pair.root.certificate().handle());
  auto* const untrusted = sk_X509_new_null();
  sk_X509_push(untrusted, pair.intermediate.certificate().handle());
  auto* const context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, leaf.handle(), untrusted);
  auto* const parameters = X509_STORE_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
  X509_VERIFY_PARAM_set_purpose(parameters, purpose);
  X509_VERIFY_PARAM_set_time(parameters, at);
  X509_verify_cert(context);
  int const code = X509_STORE_CTX_get_error(context);
  X509_STORE_CTX_free(context);
  sk_X509_free(untrusted);
  X509_STORE_free(store);
  return code;
}

class EveryKey : public testing::TestWithParam<KeyType> {};

TEST_P(EveryKey, signs_a_chain_that_strict_verification_accepts) {
  auto const pair = make_pair_of(GetParam());
  auto order = device_order();
  order.public_key_der = PrivateKey::make(GetParam()).value().public_key_der();
  auto const leaf = pair.intermediate.issue(order);
  ASSERT_TRUE(leaf) << leaf.error().detail;
  EXPECT_EQ(verify(pair, *leaf, X509_PURPOSE_SSL_CLIENT), X509_V_OK);
  EXPECT_NE(verify(pair, *leaf, X509_PURPOSE_SSL_SERVER), X509_V_OK);
  EXPECT_EQ(key_type_of(leaf->public_key_der()), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Types, EveryKey,
                         testing::Values(KeyType::p256, KeyType::p384, KeyType::rsa2048,
                                         KeyType::ed25519),
                         [](auto const& row) { return std::string(name_of(row.param)); });

TEST(Authority, puts_the_order_into_the_certificate) {
  auto order = device_order();
  order.subject = {"Gerät 7", "Example Ltd", "Lab"};
  order.alternative_names = {name(NameKind::dns, "A.example.com"),
                             name(NameKind::uri, "spiffe://example.org/7"),
                             name(NameKind::ip, "2001:db8::7")};
  order.crl_urls = {"http://crl.example.com/a.crl"};
  auto const leaf = p256_pair().intermediate.issue(order).value();
  EXPECT_EQ(leaf.serial(), order.serial);
  EXPECT_EQ(leaf.subject().common_name, "Gerät 7");
  EXPECT_EQ(leaf.subject().organization, "Example Ltd");
  EXPECT_EQ(leaf.subject().unit, "Lab");
  EXPECT_EQ(leaf.validity().not_before, order.validity.not_before);
  EXPECT_EQ(leaf.validity().not_after, order.validity.not_after);
  EXPECT_EQ(leaf.crl_urls(), order.crl_urls);
  ASSERT_EQ(leaf.alternative_names().size(), 3u);
  EXPECT_EQ(leaf.alternative_names()[0].text(), "a.example.com");
  EXPECT_EQ(leaf.alternative_names()[2].text(), "2001:db8::7");
  EXPECT_EQ(Certificate::parse_pem(leaf.pem())->der(), leaf.der());
  EXPECT_FALSE(leaf.is_authority());
}

TEST(Authority, writes_dates_beyond_2049_as_generalized_time) {
  auto key = PrivateKey::make(KeyType::p256).value();
  CertificateOrder order{Serial::random().value()};
  order.validity = {now, 2'524'608'000};  // 2050-01-01T00:00:00Z
  order.subject = {"Root", {}, {}};
  auto const late = Authority::make_root(order, key).value();
  EXPECT_EQ(X509_get0_notAfter(late.certificate().handle())->type, V_ASN1_GENERALIZEDTIME);
  order.validity.not_after = 2'524'607'999;
  auto const early = Authority::make_root(order, key).value();
  EXPECT_EQ(X509_get0_notAfter(early.certificate().handle())->type, V_ASN1_UTCTIME);
  EXPECT_EQ(late.certificate().validity().not_after, 2'524'608'000);
}

struct Refusal {
  char const* what;
  void (*spoil)(CertificateOrder&);
  char const* why;
};

class Refuses : public testing::TestWithParam<Refusal> {};

TEST_P(Refuses, with_the_reason) {
  auto order = device_order();
  GetParam().spoil(order);
  auto const leaf = p256_pair().intermediate.issue(order);
  ASSERT_FALSE(leaf);
  EXPECT_NE(leaf.error().detail.find(GetParam().why), std::string::npos) << leaf.error().detail;
}

INSTANTIATE_TEST_SUITE_P(
    Orders, Refuses,
    testing::Values(
        Refusal{"nameless", [](CertificateOrder& o) { o.subject.common_name.clear(); }, "empty"},
        Refusal{"nul_in_name",
                [](CertificateOrder& o) { o.subject.common_name = std::string("a\0b", 3); },
                "control characters"},
        Refusal{"long_name",
                [](CertificateOrder& o) { o.subject.common_name = std::string(65, 'a'); },
                "65 characters"},
        Refusal{"backwards",
                [](CertificateOrder& o) {
                  o.validity = {now, now - 1};
                },
                "end before"},
        Refusal{"too_long", [](CertificateOrder& o) { o.validity.not_after = now + 4000 * day; },
                "outside that of the authority"},
        Refusal{"too_early", [](CertificateOrder& o) { o.validity.not_before = now - 2 * day; },
                "outside that of the authority"},
        Refusal{"wildcard",
                [](CertificateOrder& o) {
                  o.alternative_names = {name(NameKind::dns, "*.example.com")};
                },
                "does not allow"},
        Refusal{"no_key", [](CertificateOrder& o) { o.public_key_der.clear(); }, "public key"},
        Refusal{"own_key",
                [](CertificateOrder& o) {
                  o.public_key_der = p256_pair().intermediate.certificate().public_key_der();
                },
                "own"},
        Refusal{"another_root", [](CertificateOrder& o) { o.profile = ProfileKind::root; },
                "signs itself"},
        Refusal{"sub_authority", [](CertificateOrder& o) { o.profile = ProfileKind::intermediate; },
                "path length"}),
    [](auto const& row) { return std::string(row.param.what); });

TEST(Authority, keeps_its_name_constraints) {
  NameConstraints constraints;
  constraints.permitted = {NameSubtree::parse(NameKind::dns, "example.com").value(),
                           NameSubtree::parse(NameKind::ip, "10.0.0.0/8").value()};
  auto const pair = make_pair_of(KeyType::p256, constraints);
  auto order = device_order();
  order.alternative_names = {name(NameKind::dns, "a.example.com"), name(NameKind::ip, "10.9.8.7")};
  EXPECT_TRUE(pair.intermediate.issue(order));
  order.alternative_names = {name(NameKind::dns, "a.example.org")};
  EXPECT_EQ(pair.intermediate.issue(order).error().code, ErrorCode::permission);
  order.alternative_names = {name(NameKind::ip, "11.0.0.1")};
  EXPECT_EQ(pair.intermediate.issue(order).error().code, ErrorCode::permission);
}

TEST(Authority, does_not_open_with_a_foreign_key_or_a_leaf) {
  auto const& certificate = p256_pair().intermediate.certificate();
  EXPECT_FALSE(Authority::open(certificate, PrivateKey::make(KeyType::p256).value()));
  auto key = PrivateKey::make(KeyType::p256).value();
  auto order = device_order();
  order.public_key_der = key.public_key_der();
  auto const leaf = p256_pair().intermediate.issue(order).value();
  EXPECT_FALSE(Authority::open(leaf, key));
}

// --- revocation lists ---------------------------------------------------------------------------

using CrlPointer = std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)>;

CrlPointer parse(std::string const& der) {
  auto const* cursor = reinterpret_cast<unsigned char const*>(der.data());
  return {d2i_X509_CRL(nullptr, &cursor, static_cast<long>(der.size())), X509_CRL_free};
}

LedgerEntry entry_of(Certificate const& certificate) {
  LedgerEntry entry{certificate.serial()};
  entry.issuer = "intermediate";
  entry.name = certificate.subject().common_name;
  entry.not_after = certificate.validity().not_after;
  return entry;
}

TEST(SignNextList, counts_up_and_lists_what_is_not_active) {
  MemoryLedger ledger;
  auto const& authority = p256_pair().intermediate;
  std::vector<Certificate> leaves;
  for (int i = 0; i < 3; ++i) {
    leaves.push_back(authority.issue(device_order()).value());
    ASSERT_TRUE(ledger.record(entry_of(leaves.back())));
  }
  auto const first = sign_next_list(authority, ledger, "intermediate", now, 7 * day).value();
  EXPECT_EQ(first.number, 1);
  ASSERT_TRUE(ledger.set_state(leaves[0].serial(), RecordedState::revoked,
                               RevocationReason::key_compromise, now));
  ASSERT_TRUE(ledger.set_state(leaves[1].serial(), RecordedState::held,
                               RevocationReason::certificate_hold, now));
  auto const second = sign_next_list(authority, ledger, "intermediate", now + 1, 7 * day).value();
  EXPECT_EQ(second.number, 2);
  EXPECT_EQ(second.next_update, now + 1 + 7 * day);
  auto const list = parse(second.der);
  ASSERT_TRUE(list);
  EXPECT_EQ(X509_CRL_verify(list.get(), X509_get0_pubkey(authority.certificate().handle())), 1);
  X509_REVOKED* revoked = nullptr;
  EXPECT_EQ(X509_CRL_get0_by_cert(list.get(), &revoked, leaves[0].handle()), 1);
  EXPECT_EQ(X509_CRL_get0_by_cert(list.get(), &revoked, leaves[1].handle()), 1);
  EXPECT_EQ(X509_CRL_get0_by_cert(list.get(), &revoked, leaves[2].handle()), 0);
}

TEST(SignNextList, never_looks_older_when_the_clock_was_set_back) {
  MemoryLedger ledger;
  auto const& authority = p256_pair().intermediate;
  auto const first = sign_next_list(authority, ledger, "intermediate", now, 7 * day).value();
  auto const second =
      sign_next_list(authority, ledger, "intermediate", now - 3600, 7 * day).value();
  EXPECT_GE(second.this_update, first.this_update);
  EXPECT_EQ(second.number, 2);
}

TEST(SignNextList, drops_an_entry_only_after_a_list_beyond_its_end) {
  MemoryLedger ledger;
  auto const& authority = p256_pair().intermediate;
  auto order = device_order();
  order.validity.not_after = now + day;
  auto const leaf = authority.issue(order).value();
  ASSERT_TRUE(ledger.record(entry_of(leaf)));
  ASSERT_TRUE(
      ledger.set_state(leaf.serial(), RecordedState::revoked, RevocationReason::unspecified, now));
  X509_REVOKED* revoked = nullptr;
  auto const listed = [&](UnixSeconds at) {
    auto const signed_list = sign_next_list(authority, ledger, "intermediate", at, 7 * day).value();
    return X509_CRL_get0_by_cert(parse(signed_list.der).get(), &revoked, leaf.handle()) == 1;
  };
  EXPECT_TRUE(listed(now + 1));
  EXPECT_TRUE(listed(now + 2 * day));   // the first list beyond its end still names it
  EXPECT_FALSE(listed(now + 3 * day));  // from then on it may go
}

TEST(SignNextList, ends_with_the_authority) {
  MemoryLedger ledger;
  auto const& authority = p256_pair().intermediate;
  auto const end = authority.certificate().validity().not_after;
  auto const list = sign_next_list(authority, ledger, "intermediate", end - day, 7 * day).value();
  EXPECT_EQ(list.next_update, end);
  EXPECT_FALSE(sign_next_list(authority, ledger, "intermediate", end, 7 * day));
}

}  // namespace
}  // namespace certgate::pki
