// What comes in from devices and goes out to them: keys, requests, PKCS#12, configuration profiles.
#include <gtest/gtest.h>
#include <openssl/pkcs12.h>

#include "certgate/pki/authority.hpp"
#include "certgate/pki/csr.hpp"
#include "certgate/pki/mobile_config.hpp"
#include "certgate/pki/pkcs12.hpp"

namespace certgate::pki {
namespace {

constexpr UnixSeconds now = 1'800'000'000;

Authority make_authority(PrivateKey const& key) {
  CertificateOrder order{Serial::random().value()};
  order.validity = {now, now + 86'400};
  order.subject = {"Root", {}, {}};
  return Authority::make_root(order, key).value();
}

TEST(PrivateKey, survives_pem_with_and_without_a_password) {
  for (auto const type : {KeyType::p256, KeyType::ed25519}) {
    auto const key = PrivateKey::make(type).value();
    auto const plain = key.pem().value();
    EXPECT_EQ(PrivateKey::parse_pem(plain)->public_key_der(), key.public_key_der());
    auto const locked = key.pem("secret").value();
    EXPECT_NE(locked.find("ENCRYPTED"), std::string::npos);
    EXPECT_EQ(PrivateKey::parse_pem(locked, "secret")->public_key_der(), key.public_key_der());
    EXPECT_FALSE(PrivateKey::parse_pem(locked, "wrong"));
    EXPECT_NE(PrivateKey::parse_pem(locked).error().detail.find("no password"), std::string::npos);
  }
  EXPECT_FALSE(PrivateKey::parse_pem("hello"));
}

TEST(CertificateRequest, is_read_back_as_it_was_made) {
  auto const key = PrivateKey::make(KeyType::p256).value();
  std::vector<AlternativeName> const names{
      AlternativeName::parse(NameKind::dns, "a.example.com").value(),
      AlternativeName::parse(NameKind::dns, "*.example.com").value()};
  auto request =
      CertificateRequest::parse(make_request(key, {"device", "Org", {}}, names).value()).value();
  EXPECT_EQ(request.subject.common_name, "device");
  EXPECT_EQ(request.public_key_der, key.public_key_der());
  EXPECT_EQ(request.alternative_names, names);
  EXPECT_TRUE(request.ignored.empty());
  filter_by_profile(request, profile_of(ProfileKind::iot));
  ASSERT_EQ(request.alternative_names.size(), 1u);
  ASSERT_EQ(request.ignored.size(), 1u);
  EXPECT_NE(request.ignored[0].find("*.example.com"), std::string::npos);
}

TEST(CertificateRequest, has_as_many_names_as_the_limit_and_no_more) {
  auto const key = PrivateKey::make(KeyType::p256).value();
  std::vector<AlternativeName> names;
  for (std::size_t i = 0; i < max_requested_names; ++i) {
    names.push_back(AlternativeName::parse(NameKind::dns, "n" + std::to_string(i)).value());
  }
  EXPECT_TRUE(CertificateRequest::parse(make_request(key, {"d", {}, {}}, names).value()));
  names.push_back(names.front());
  auto const refused = CertificateRequest::parse(make_request(key, {"d", {}, {}}, names).value());
  EXPECT_EQ(refused.error().code, ErrorCode::exhausted);
  EXPECT_EQ(CertificateRequest::parse(std::string(max_request_bytes + 1, 'x')).error().code,
            ErrorCode::exhausted);
}

TEST(CertificateRequest, is_refused_at_every_damaged_byte_or_still_proves_possession) {
  auto const key = PrivateKey::make(KeyType::ed25519).value();
  auto const pem = make_request(key, {"device", {}, {}}, {}).value();
  for (std::size_t cut = 0; cut < pem.size(); cut += 7) {
    EXPECT_FALSE(CertificateRequest::parse(pem.substr(0, cut)));
  }
}

TEST(Pkcs12, opens_with_its_password_only) {
  auto const key = PrivateKey::make(KeyType::p256).value();
  auto const authority = make_authority(key);
  Pkcs12Order order{key,
                    authority.certificate(),
                    {},
                    "phone",
                    "secret",
                    PasswordStrength::random,
                    Pkcs12Encryption::modern};
  for (auto const encryption : {Pkcs12Encryption::modern, Pkcs12Encryption::legacy}) {
    order.encryption = encryption;
    auto const der = format_pkcs12(order).value();
    auto const* cursor = reinterpret_cast<unsigned char const*>(der.data());
    std::unique_ptr<PKCS12, decltype(&PKCS12_free)> const file(
        d2i_PKCS12(nullptr, &cursor, static_cast<long>(der.size())), PKCS12_free);
    ASSERT_TRUE(file);
    EXPECT_EQ(PKCS12_verify_mac(file.get(), "secret", -1), 1);
    EXPECT_EQ(PKCS12_verify_mac(file.get(), "Secret", -1), 0);
  }
  order.password.clear();
  EXPECT_FALSE(format_pkcs12(order));
  order.password = "p\xc3\xa4ss";
  EXPECT_FALSE(format_pkcs12(order));
  order.password = "secret";
  order.key = PrivateKey::make(KeyType::p256).value();
  EXPECT_FALSE(format_pkcs12(order)) << "a key of another certificate";
}

TEST(Passwords, have_groups_without_look_alikes) {
  auto const password = make_password().value();
  EXPECT_EQ(password.size(), 29u);
  EXPECT_EQ(password.find_first_of("0O1lI"), std::string::npos);
  EXPECT_NE(password, make_password().value());
  auto const pin = make_pin(6).value();
  EXPECT_EQ(pin.size(), 6u);
  EXPECT_EQ(pin.find_first_not_of("0123456789"), std::string::npos);
}

TEST(MobileConfig, is_the_same_for_the_same_identity_and_escapes_text) {
  auto const authority = make_authority(PrivateKey::make(KeyType::p256).value());
  MobileConfigOrder order{"certgate.ann",           "Ann's <phone> & co", "Org", "p12", {},
                          {authority.certificate()}};
  auto const text = format_mobile_config(order);
  EXPECT_EQ(text, format_mobile_config(order));
  EXPECT_NE(text.find("Ann's &lt;phone&gt; &amp; co"), std::string::npos);
  EXPECT_NE(text.find("com.apple.security.root"), std::string::npos);
  EXPECT_EQ(text.find("<key>Password</key>"), std::string::npos);
  order.password = "secret";
  EXPECT_NE(format_mobile_config(order).find("<key>Password</key><string>secret</string>"),
            std::string::npos);
}

}  // namespace
}  // namespace certgate::pki
