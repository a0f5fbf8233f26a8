#include "certgate/config/address.hpp"

#include <gtest/gtest.h>

namespace certgate::config {
namespace {

struct Case {
  std::string text;
  std::string wanted;  // canonical; empty: refused
};

TEST(HostName, IsCanonical) {
  Case const cases[] = {
      {"api.example.com", "api.example.com"},
      {"API.Example.COM.", "api.example.com"},
      {"*.Example.com.", "*.example.com"},
      {"*", "*"},
      {"localhost", "localhost"},
      {"my_host", "my_host"},
      {"xn--bcher-kva.example", "xn--bcher-kva.example"},
      {"192.0.2.1", "192.0.2.1"},
      {"[2001:DB8::1]", "2001:db8::1"},
      {"2001:db8:0::1", "2001:db8::1"},
      {std::string(63, 'a') + ".b", std::string(63, 'a') + ".b"},
      {std::string(64, 'a') + ".b", ""},
      {"1.example", "1.example"},
      {"a.1", ""},
      {"256.1.1.1", ""},
      {"", ""},
      {".", ""},
      {"..", ""},
      {"a..b", ""},
      {".a", ""},
      {"a-.b", ""},
      {"-a.b", ""},
      {"*.*.b", ""},
      {"*a.b", ""},
      {"a.*", ""},
      {"**", ""},
      {"*.", ""},
      {"a b", ""},
      {"a:443", ""},
      {"a/b", ""},
      {"http://a", ""},
      {"[192.0.2.1]", ""},
      {"[::1", ""},
      {"b\xC3\xBC.example", ""},
      {std::string("a\0b", 3), ""},
  };
  for (auto const& each : cases) {
    auto const parsed = parse_host_name(each.text);
    EXPECT_EQ(parsed ? parsed->to_string() : "", each.wanted) << each.text;
    if (!parsed) {
      EXPECT_FALSE(parsed.error().detail.empty());
    }
  }
  std::string longest = "a";
  while (longest.size() < 253) longest += longest.size() % 2 == 1 ? '.' : 'a';
  EXPECT_TRUE(canonical_host(longest));
  EXPECT_FALSE(canonical_host("bb" + longest.substr(1)));
}

TEST(HostName, AWildcardCoversOneLabel) {
  HostName const wildcard = *parse_host_name("*.example.com");
  EXPECT_TRUE(wildcard.covers("a.example.com"));
  EXPECT_FALSE(wildcard.covers("a.b.example.com"));
  EXPECT_FALSE(wildcard.covers("example.com"));
  EXPECT_FALSE(wildcard.covers(".example.com"));
  EXPECT_FALSE(wildcard.covers("aexample.com"));
  EXPECT_TRUE(parse_host_name("*")->covers("anything"));
  EXPECT_TRUE(parse_host_name("a.b")->covers("a.b"));
  EXPECT_FALSE(parse_host_name("a.b")->covers("x.a.b"));
}

TEST(ServerUrl, IsCanonical) {
  Case const cases[] = {
      {"http://127.0.0.1:9000", "http://127.0.0.1:9000"},
      {"http://api", "http://api:80"},
      {"http://API.Example./", "http://api.example:80"},
      {"https://api", "https://api:443"},
      {"https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"},
      {"http://[::1]", "http://[::1]:80"},
      {"unix:/run/app.sock", "unix:/run/app.sock"},
      {"unix:///run/app.sock", "unix:/run/app.sock"},
      {"unix:/" + std::string(106, 'a'), "unix:/" + std::string(106, 'a')},
      {"unix:/" + std::string(107, 'a'), ""},
      {"unix:app.sock", ""},
      {"unix:", ""},
      {"http://", ""},
      {"http://:80", ""},
      {"http://a:", ""},
      {"http://a:0", ""},
      {"http://a:65536", ""},
      {"http://a:80x", ""},
      {"http://a/b", ""},
      {"http://a?b", ""},
      {"http://user@a", ""},
      {"http://*.a", ""},
      {"ftp://a", ""},
      {"a:80", ""},
      {"HTTP://a", ""},
  };
  for (auto const& each : cases) {
    auto const parsed = parse_server_url(each.text);
    EXPECT_EQ(parsed ? parsed->to_string() : "", each.wanted) << each.text;
    if (!parsed) {
      EXPECT_FALSE(parsed.error().detail.empty());
    }
  }
  for (std::string const bare : {"http://::1:9000", "https://2001:db8::1"}) {
    auto const parsed = parse_server_url(bare);
    ASSERT_FALSE(parsed) << bare;
    EXPECT_NE(parsed.error().detail.find("in brackets"), std::string::npos) << parsed.error().detail;
  }
}

TEST(AdminAddress, IsASocketOrAnEndpoint) {
  Case const cases[] = {
      {"unix:/run/a.sock", "unix:/run/a.sock"},
      {"127.0.0.1:9901", "127.0.0.1:9901"},
      {"[::1]:9901", "[::1]:9901"},
      {"127.0.0.1:0", "127.0.0.1:0"},
      {"/run/a.sock", ""},
      {"localhost:9901", ""},
      {"127.0.0.1", ""},
      {"", ""},
  };
  for (auto const& each : cases) {
    auto const parsed = parse_admin_address(each.text);
    EXPECT_EQ(parsed ? format_admin_address(*parsed) : "", each.wanted) << each.text;
  }
}

TEST(FetchUrl, IsHttpWithoutSecrets) {
  for (char const* good : {"http://pki.example/a.crl", "https://pki.example:8443/a?b=c",
                           "http://192.0.2.1/a", "http://[::1]:80/a", "http://pki.example"}) {
    EXPECT_TRUE(parse_fetch_url(good)) << good;
  }
  for (char const* bad : {"ftp://a/b", "file:///etc/passwd", "http://u:p@a/b", "http://a b/c",
                          "http://a/b#c", "http:///b", "http://a:0/b", "ldap://a", ""}) {
    EXPECT_FALSE(parse_fetch_url(bad)) << bad;
  }
}

}  // namespace
}  // namespace certgate::config
