// One form and one matching for every spelling of a host.
#include "certgate/base/host_name.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace certgate {
namespace {

std::string canonical(std::string_view text) {
  HostBuffer buffer;
  auto const authority = parse_authority(text, buffer);
  if (!authority) return "refused";
  std::string out(authority->host);
  if (authority->port != 0) out += " " + std::to_string(authority->port);
  return out;
}

TEST(Authority, threat_09_every_spelling_has_one_canonical_form) {
  struct {
    std::string_view text, expected;
  } const rows[] = {
      {"api.example.com", "api.example.com"},
      {"API.example.COM", "api.example.com"},
      {"api.example.com.", "api.example.com"},
      {"API.EXAMPLE.COM.:443", "api.example.com 443"},
      {"api.example.com:443", "api.example.com 443"},
      {"api.example.com:65535", "api.example.com 65535"},
      {"xn--bcher-kva.example", "xn--bcher-kva.example"},
      {"XN--BCHER-KVA.example", "xn--bcher-kva.example"},
      {"localhost", "localhost"},
      {"my_service", "my_service"},
      {"192.0.2.1:80", "192.0.2.1 80"},
      {"[::1]", "[::1]"},
      {"[0:0:0:0:0:0:0:1]:8443", "[::1] 8443"},
      {"[2001:DB8::A]", "[2001:db8::a]"},
  };
  for (auto const& row : rows) EXPECT_EQ(canonical(row.text), row.expected) << row.text;
}

TEST(Authority, RefusesWhatAnotherParserMightReadDifferently) {
  for (std::string_view const text : {"",
                                      ".",
                                      "..",
                                      "a..",
                                      ".a",
                                      "a..b",
                                      "a b",
                                      "a/b",
                                      "a@b",
                                      "user:pw@a",
                                      "a:",
                                      "a:0",
                                      "a:080",
                                      "a:65536",
                                      "a:123456",
                                      "a:+1",
                                      "a:1x",
                                      "a:1:2",
                                      "::1",
                                      "[::1",
                                      "::1]",
                                      "[::1]x",
                                      "[::1]:",
                                      "[127.0.0.1]",
                                      "[fe80::1%25eth0]",
                                      "[]",
                                      "b\xC3\xBC"
                                      "cher.example",
                                      "%61.example",
                                      "a%2eb",
                                      "*.example.com",
                                      "a*b",
                                      "-a.example",
                                      "a-.example",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "256.1.1.1",
                                      "01.2.3.4",
                                      "0x7f.1",
                                      "a.0x7f",
                                      "127.1",
                                      "2130706433",
                                      "a,b",
                                      "a;b",
                                      "a\\b",
                                      "a?b",
                                      "a#b"}) {
    EXPECT_EQ(canonical(text), "refused") << text;
  }
  EXPECT_EQ(canonical(std::string_view("a\0b", 3)), "refused");
}

TEST(Authority, LimitsAreExact) {
  std::string const label(max_label_bytes, 'a');
  EXPECT_EQ(canonical(label + ".b"), label + ".b");
  EXPECT_EQ(canonical(label + "a.b"), "refused");
  std::string const name = label + "." + label + "." + label + "." + std::string(61, 'b');
  ASSERT_EQ(name.size(), max_host_name_bytes);
  EXPECT_EQ(canonical(name), name);
  EXPECT_EQ(canonical(name + "."), name);
  EXPECT_EQ(canonical(name + "b"), "refused");
}

TEST(HostName, IsNoAddressAndHasNoPort) {
  HostBuffer buffer;
  EXPECT_EQ(parse_host_name("API.Example.com.", buffer), "api.example.com");
  for (std::string_view const text : {"", "192.0.2.1", "[::1]", "a:443", "a b", "1.2"}) {
    EXPECT_FALSE(parse_host_name(text, buffer)) << text;
  }
}

TEST(Authority, AbsentPortIsTheDefaultPort) {
  HostBuffer left_buffer;
  HostBuffer right_buffer;
  auto const same = [&](std::string_view left, std::string_view right) {
    auto const a = parse_authority(left, left_buffer);
    auto const b = parse_authority(right, right_buffer);
    return same_authority(*a, *b, 443);
  };
  EXPECT_TRUE(same("a", "A.:443"));
  EXPECT_FALSE(same("a", "a:444"));
  EXPECT_FALSE(same("a", "b"));
}

TEST(HostPattern, threat_10_wildcard_is_exactly_one_label) {
  auto const wildcard = HostPattern::parse("*.Example.com.");
  ASSERT_TRUE(wildcard);
  EXPECT_EQ(wildcard->to_string(), "*.example.com");
  EXPECT_TRUE(wildcard->matches("a.example.com"));
  EXPECT_FALSE(wildcard->matches("example.com"));
  EXPECT_FALSE(wildcard->matches("a.b.example.com"));
  EXPECT_FALSE(wildcard->matches("aexample.com"));
  EXPECT_FALSE(HostPattern::parse("*.2.3.4"));
  EXPECT_TRUE(HostPattern::parse("*")->matches("[::1]"));
  for (std::string_view const text :
       {"", "*.", "**", "*a.example", "a.*.example", "a:443", "*.*"}) {
    EXPECT_FALSE(HostPattern::parse(text)) << text;
  }
  EXPECT_EQ(HostPattern::parse("[0::1]")->to_string(), "[::1]");
}

TEST(ParentDomain, OfAnAddressIsNothing) {
  EXPECT_EQ(parent_domain("a.b.c"), "b.c");
  EXPECT_EQ(parent_domain("c"), "");
  EXPECT_EQ(parent_domain("192.0.2.1"), "");
  EXPECT_EQ(parent_domain("[::1]"), "");
}

TEST(HostTable, threat_56_finds_what_trying_every_pattern_finds) {
  std::mt19937 random(3);
  char const* const labels[] = {"a", "b", "c", "www", "x1"};
  auto const name = [&] {
    std::string text = labels[random() % 5];
    for (unsigned n = random() % 3; n != 0; --n) text += std::string(".") + labels[random() % 5];
    return text;
  };
  for (int round = 0; round < 50; ++round) {
    HostTable<int> table;
    std::vector<HostPattern> patterns;
    unsigned const size = round % 2 == 0 ? 5 : 150;
    for (unsigned i = 0; i < size; ++i) {
      auto const text = random() % 40 == 0 ? "*" : (random() % 2 == 0 ? "*." : "") + name();
      auto const pattern = HostPattern::parse(text);
      ASSERT_TRUE(pattern);
      if (table.insert(*pattern, static_cast<int>(patterns.size()))) patterns.push_back(*pattern);
    }
    EXPECT_EQ(table.size(), patterns.size());
    for (int tries = 0; tries < 200; ++tries) {
      auto const host = name();
      int best = -1;
      for (auto const kind :
           {HostPattern::Kind::any, HostPattern::Kind::wildcard, HostPattern::Kind::exact}) {
        for (std::size_t i = 0; i < patterns.size(); ++i) {
          if (patterns[i].kind == kind && patterns[i].matches(host)) best = static_cast<int>(i);
        }
      }
      auto const* const found = table.find(host);
      EXPECT_EQ(found == nullptr ? -1 : *found, best) << host;
    }
  }
}

TEST(HostTable, KeepsTheFirstValueOfAPattern) {
  HostTable<int> table;
  EXPECT_TRUE(table.empty());
  EXPECT_TRUE(table.insert(*HostPattern::parse("a"), 1));
  EXPECT_FALSE(table.insert(*HostPattern::parse("A."), 2));
  EXPECT_TRUE(table.insert(*HostPattern::parse("*"), 3));
  EXPECT_FALSE(table.insert(*HostPattern::parse("*"), 4));
  EXPECT_EQ(*table.find("a"), 1);
  EXPECT_EQ(*table.find("b"), 3);
  EXPECT_EQ(table.find_named("b"), nullptr);
}

}  // namespace
}  // namespace certgate
