// Names as text, and host names against certificates.
#include "certgate/x509/name.hpp"

#include <gtest/gtest.h>

#include "support/test_ca.hpp"

namespace certgate::x509 {
namespace {

using namespace std::string_literals;

TEST(FormatName, three_forms_of_the_documented_example) {
  testing::CertificateSpec spec;
  spec.subject = {{"C", "US", 19}, {"ST", "Texas"},         {"L", "Austin"},
                  {"O", "Access"}, {"OU", "Access Admins"}, {"CN", "James Royal"}};
  auto const facts = testing::issue(spec, nullptr).facts;
  Bytes const name = facts->subject_name_der();
  EXPECT_EQ(format_name(name, NameForm::rfc4514),
            "CN=James Royal,OU=Access Admins,O=Access,L=Austin,ST=Texas,C=US");
  EXPECT_EQ(format_name(name, NameForm::rfc2253),
            "CN=James Royal,OU=Access Admins,O=Access,L=Austin,ST=Texas,C=US");
  EXPECT_EQ(format_name(name, NameForm::legacy),
            "/C=US/ST=Texas/L=Austin/O=Access/OU=Access Admins/CN=James Royal");
}

TEST(FormatName, a_single_hash_is_escaped) {
  // OpenSSL prints it bare, which RFC 4514 §2.4 reserves for hexadecimal values.
  testing::CertificateSpec spec;
  spec.subject = {{"CN", "#"}};
  EXPECT_EQ(testing::issue(spec, nullptr).facts->subject_dn(), "CN=\\#");
}

TEST(FormatName, refuses_what_is_not_a_name) {
  EXPECT_EQ(format_name(as_bytes("x"), NameForm::rfc4514), std::nullopt);
  EXPECT_EQ(format_name(as_bytes("\x30\x02\x31\x00"), NameForm::rfc4514), std::nullopt);
  EXPECT_EQ(format_name({}, NameForm::rfc4514), std::nullopt);
}

struct HostCase {
  char const* pattern;
  char const* host;
  HostMatch expected;
};

TEST(MatchHost, dns_names) {
  for (auto const& [pattern, host, expected] : {
           HostCase{"api.example.com", "api.example.com", HostMatch::exact},
           HostCase{"API.example.com", "api.EXAMPLE.com.", HostMatch::exact},
           HostCase{"api.example.com.", "api.example.com", HostMatch::exact},
           HostCase{"*.example.com", "api.example.com", HostMatch::wildcard},
           HostCase{"*.example.com", "a.b.example.com", HostMatch::none},
           HostCase{"*.example.com", "example.com", HostMatch::none},
           HostCase{"*.example.com", ".example.com", HostMatch::none},
           HostCase{"a*.example.com", "ab.example.com", HostMatch::none},
           HostCase{"*a.example.com", "ba.example.com", HostMatch::none},
           HostCase{"*.com", "example.com", HostMatch::none},
           HostCase{"*", "example", HostMatch::none},
           HostCase{"*.*.com", "a.b.com", HostMatch::none},
           HostCase{"api.*.com", "api.example.com", HostMatch::none},
           HostCase{"api.example.com", "api.example.org", HostMatch::none},
           HostCase{"api.example.com", "", HostMatch::none},
           HostCase{"10.0.0.1", "10.0.0.1", HostMatch::none},  // an address is not a DNS name
       }) {
    testing::CertificateSpec spec;
    spec.subject = {{"CN", "ignored.example.com"}};
    spec.alt_names = {{SanType::dns, pattern}};
    auto const facts = testing::issue(spec, nullptr).facts;
    EXPECT_EQ(match_host(*facts, host), expected) << pattern << " " << host;
  }
}

TEST(MatchHost, addresses_match_address_names_only) {
  testing::CertificateSpec spec;
  spec.subject = {{"CN", "10.0.0.2"}};
  spec.alt_names = {{SanType::ip, "\x0A\0\0\1"s},
                    {SanType::ip, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"s}};
  auto const facts = testing::issue(spec, nullptr).facts;
  EXPECT_EQ(match_host(*facts, "10.0.0.1"), HostMatch::exact);
  EXPECT_EQ(match_host(*facts, "2001:db8:0::1"), HostMatch::exact);
  EXPECT_EQ(match_host(*facts, "10.0.0.2"), HostMatch::none);
}

TEST(MatchHost, common_name_is_never_looked_at) {
  testing::CertificateSpec spec;
  spec.subject = {{"CN", "api.example.com"}};
  EXPECT_EQ(match_host(*testing::issue(spec, nullptr).facts, "api.example.com"), HostMatch::none);
}

TEST(MatchHost, threat_20_email_is_not_a_host) {
  testing::CertificateSpec spec;
  spec.alt_names = {{SanType::email, "api.example.com"}, {SanType::uri, "api.example.com"}};
  EXPECT_EQ(match_host(*testing::issue(spec, nullptr).facts, "api.example.com"), HostMatch::none);
}

TEST(MatchHost, threat_21_nul_does_not_end_a_name) {
  testing::CertificateSpec spec;
  spec.alt_names = {{SanType::dns, "api.example.com\0.evil.net"s}};
  EXPECT_EQ(match_host(*testing::issue(spec, nullptr).facts, "api.example.com"), HostMatch::none);
}

}  // namespace
}  // namespace certgate::x509
