// What a client may not send, in every spelling, and known names behind their hash.
#include "certgate/http/protected_fields.hpp"

#include <gtest/gtest.h>

#include <random>

#include "certgate/base/encoding.hpp"
#include "certgate/http/field_name.hpp"

namespace certgate::http {
namespace {

// Token characters that are neither letters nor digits: each has been taken for `-` somewhere.
constexpr std::string_view separators = "-_.!#$%&'*+^`|~";

char const* const identity_names[] = {
    "Client-Cert",
    "Client-Cert-Chain",
    "X-Forwarded-Client-Cert",
    "Cf-Cert-Verified",
    "Cf-Cert-Revoked",
    "Cf-Cert-Presented",
    "Cf-Cert-Subject-Dn",
    "Cf-Cert-Sha256",
    "Cf-Cert-Anything-New",
    "Cf-Client-Cert-Der-Base64",
    "Cf-Client-Cert-Sha256",
};

TEST(ProtectedFields, threat_45_every_spelling_of_every_identity_field) {
  auto const fields = ProtectedFields::identity();
  for (std::string const name : identity_names) {
    for (char const separator : separators) {
      auto spelt = name;
      for (char& c : spelt) c = c == '-' ? separator : c;
      EXPECT_TRUE(fields.matches(spelt)) << spelt;
      for (char& c : spelt) c = ascii_upper(c);
      EXPECT_TRUE(fields.matches(spelt)) << spelt;
      for (char& c : spelt) c = ascii_lower(c);
      EXPECT_TRUE(fields.matches(spelt)) << spelt;
    }
    // Mixed separators.
    auto mixed = name;
    unsigned at = 0;
    for (char& c : mixed) c = c == '-' ? separators[at++ % separators.size()] : c;
    EXPECT_TRUE(fields.matches(mixed)) << mixed;
  }
}

TEST(ProtectedFields, LeaveOtherNamesAlone) {
  auto const fields = ProtectedFields::identity();
  for (std::string_view const name :
       {"", "Client", "Client-Certs", "Client-Cer", "Cf-Cert", "Cf-Connecting-Ip", "ClientCert",
        "X-Client-Cert", "Cookie", "Content-Type", "Cf-Client-Certificate", "client--cert"}) {
    EXPECT_FALSE(fields.matches(name)) << name;
  }
  EXPECT_FALSE(ProtectedFields().matches("Client-Cert"));
}

TEST(ProtectedFields, AgreeWithComparingCanonicalForms) {
  std::mt19937 random(2);
  std::string const alphabet = "aAbB-_.1c";
  for (int round = 0; round < 300; ++round) {
    ProtectedFields fields;
    std::vector<std::string> names;
    std::vector<std::string> prefixes;
    auto const make = [&](unsigned longest) {
      std::string name;
      for (unsigned n = random() % longest + 1; n != 0; --n) name += alphabet[random() % 9];
      return name;
    };
    for (int i = 0; i < 4; ++i) fields.add(names.emplace_back(make(4)));
    fields.add(names.emplace_back(std::string(70, 'a')));
    if (random() % 4 == 0) fields.add_prefix(prefixes.emplace_back(make(5)));
    for (int i = 0; i < 100; ++i) {
      auto const name = i == 0 ? std::string(70, 'A') : i == 1 ? std::string(71, 'A') : make(6);
      auto const form = canonical_field_name(name);
      bool expected = false;
      for (auto const& known : names) expected = expected || canonical_field_name(known) == form;
      for (auto const& prefix : prefixes) {
        expected = expected || form.starts_with(canonical_field_name(prefix));
      }
      ASSERT_EQ(fields.matches(name), expected) << name;
    }
  }
}

TEST(FramingAlias, IsAnySpellingButTheRealOne) {
  for (std::string_view const name : {"Content_Length", "content.length", "TRANSFER!ENCODING",
                                      "Transfer_Encoding", "X_Forwarded-For", "Keep~Alive"}) {
    EXPECT_TRUE(is_framing_alias(name)) << name;
  }
  for (std::string_view const name : {"Content-Length", "Transfer-Encoding", "X_Custom", "Host", "",
                                      "Content_Type", "Contentlength"}) {
    EXPECT_FALSE(is_framing_alias(name)) << name;
  }
}

TEST(FieldName, KnowsEveryNameInEveryCaseAndNothingElse) {
  for (std::size_t i = 1; i < field_name_count; ++i) {
    auto const id = static_cast<FieldName>(i);
    std::string name(name_of(id));
    ASSERT_FALSE(name.empty()) << i;
    EXPECT_EQ(field_name(name), id);
    EXPECT_EQ(field_name(ascii_lower(name)), id);
    for (char& c : name) c = ascii_upper(c);
    EXPECT_EQ(field_name(name), id);
    EXPECT_EQ(field_name(name + "x"), FieldName::other);
    for (std::size_t at = 0; at < name.size(); ++at) {
      auto damaged = name;
      damaged[at] = '_';
      EXPECT_EQ(field_name(damaged), FieldName::other) << damaged;
    }
  }
  EXPECT_EQ(field_name(""), FieldName::other);
  EXPECT_EQ(field_name("X"), FieldName::other);
  EXPECT_EQ(name_of(FieldName::other), "");
}

}  // namespace
}  // namespace certgate::http
