// URLs and where redirects lead: what is accepted, what RFC 3986 says, what is refused.
#include "certgate/fetch/url.hpp"

#include <gtest/gtest.h>

namespace certgate::fetch {
namespace {

TEST(FetchUrl, KnowsItsParts) {
  auto const url = Url::parse("HTTPS://CRL.Example.com:8443/a/b.crl?x=1");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->scheme, Url::Scheme::https);
  EXPECT_EQ(url->host, "crl.example.com");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target, "/a/b.crl?x=1");
  EXPECT_EQ(url->authority(), "crl.example.com:8443");
  EXPECT_EQ(url->to_string(), "https://crl.example.com:8443/a/b.crl?x=1");
}

TEST(FetchUrl, FillsInWhatIsNotWritten) {
  EXPECT_EQ(Url::parse("http://example.com")->to_string(), "http://example.com/");
  EXPECT_EQ(Url::parse("http://example.com:80/")->authority(), "example.com");
  EXPECT_EQ(Url::parse("https://example.com?q")->target, "/?q");
  EXPECT_EQ(Url::parse("http://[2001:DB8::1]:81/x")->host, "2001:db8::1");
  EXPECT_EQ(Url::parse("http://[2001:db8::1]/x")->authority(), "[2001:db8::1]");
}

TEST(FetchUrl, RefusesWhatIsNoWebAddress) {
  for (auto const* text :
       {"", "file:///etc/passwd", "ldap://example.com/x", "ftp://example.com/", "//example.com/",
        "http:example.com", "http://", "http:///x", "http://user@example.com/",
        "http://user:word@example.com/", "http://example.com/#part", "http://exa mple.com/",
        "http://example.com/\r\nX: y", "http://example.com:0/", "http://example.com:99999/",
        "http://example.com/\xC3\xA9", "gopher://example.com", "javascript:alert(1)",
        "http://0x7f.1/", "http://2130706433/"}) {
    EXPECT_FALSE(Url::parse(text)) << text;
  }
  EXPECT_FALSE(Url::parse("http://example.com/" + std::string(max_url_bytes, 'a')));
}

TEST(FetchUrl, ResolvesLocations) {
  auto const base = *Url::parse("http://example.com/a/b/c.crl?q=1");
  struct Row {
    char const* location;
    char const* wanted;
  };
  for (auto const& [location, wanted] : {
           Row{"https://other.example/x", "https://other.example/x"},
           Row{"//other.example/x", "http://other.example/x"},
           Row{"/x", "http://example.com/x"},
           Row{"x", "http://example.com/a/b/x"},
           Row{"./x", "http://example.com/a/b/x"},
           Row{"../x?y", "http://example.com/a/x?y"},
           Row{"../../../../x", "http://example.com/x"},
           Row{"..", "http://example.com/a/"},
           Row{"?z", "http://example.com/a/b/c.crl?z"},
           Row{"x#part", "http://example.com/a/b/x"},
           Row{"", "http://example.com/a/b/c.crl?q=1"},
           Row{"x:y/z", nullptr},
           Row{"file:///etc/passwd", nullptr},
           Row{"ldap://example.com/", nullptr},
           Row{"http://user@example.com/", nullptr},
           Row{"//user@example.com/", nullptr},
           Row{"/a b", nullptr},
       }) {
    auto const resolved = base.resolve(location);
    if (wanted == nullptr) {
      EXPECT_FALSE(resolved) << location;
    } else {
      ASSERT_TRUE(resolved) << location;
      EXPECT_EQ(resolved->to_string(), wanted) << location;
    }
  }
}

}  // namespace
}  // namespace certgate::fetch
