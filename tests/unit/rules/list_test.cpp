// List files and list entries, and what is in them.
#include "certgate/rules/list.hpp"

#include <gtest/gtest.h>

namespace certgate::rules {
namespace {

auto const name_of_row = [](auto const& info) { return std::string(info.param.name); };

bool has_address(ListPtr const& list, std::string_view address) {
  return list->contains(ValueView::ip(*IpAddress::parse(address)));
}

TEST(ParseList, skips_comments_and_blank_lines) {
  auto const list = parse_list(ListKind::bytes, "# head\n\n  a b \r\nc#d # not this\n\t\n#e\nlast");
  ASSERT_TRUE(list);
  EXPECT_EQ((*list)->size(), 3u);
  for (auto const* entry : {"a b", "c#d", "last"}) {
    EXPECT_TRUE((*list)->contains(ValueView::bytes(entry))) << entry;
  }
  EXPECT_FALSE((*list)->contains(ValueView::bytes("c")));
  EXPECT_FALSE((*list)->contains(ValueView()));
}

TEST(ParseList, addresses) {
  auto const list = parse_list(ListKind::ip,
                               "10.0.0.0/8\n10.1.0.0/16\n192.0.2.1\n"
                               "198.51.100.1..198.51.100.9\n2001:db8::/32\n"
                               "192.0.2.2\n255.255.255.255\n")
                        .value();
  EXPECT_EQ(list->size(), 5u);  // what overlaps or touches is one
  for (auto const* in :
       {"10.0.0.0", "10.255.255.255", "192.0.2.1", "192.0.2.2", "198.51.100.9",
        "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "255.255.255.255"}) {
    EXPECT_TRUE(has_address(list, in)) << in;
  }
  for (auto const* out : {"9.255.255.255", "11.0.0.0", "192.0.2.3", "198.51.100.0",
                          "::", "2001:db9::", "::ffff:10.0.0.1", "0.0.0.0"}) {
    EXPECT_FALSE(has_address(list, out)) << out;
  }
}

TEST(ParseList, many_addresses_use_the_table) {
  std::string text;
  for (int i = 0; i < 3000; ++i) {
    text += "10." + std::to_string(i / 200) + "." + std::to_string(i % 200) + ".7\n";
    text += "2001:" + std::to_string(i) + "::/48\n";
  }
  auto const list = parse_list(ListKind::ip, text).value();
  EXPECT_EQ(list->size(), 6000u);
  for (int i = 0; i < 3000; ++i) {
    auto const start = "10." + std::to_string(i / 200) + "." + std::to_string(i % 200);
    ASSERT_TRUE(has_address(list, start + ".7"));
    ASSERT_FALSE(has_address(list, start + ".8"));
    ASSERT_TRUE(has_address(list, "2001:" + std::to_string(i) + "::1"));
    ASSERT_FALSE(has_address(list, "2001:" + std::to_string(i) + ":1::1"));
  }
}

TEST(ParseList, integers) {
  std::string text = "-9223372036854775808\n0x10\n5..9\n7..12\n9223372036854775807\n";
  for (int i = 0; i < 100; ++i) text += std::to_string(1000 + 3 * i) + "\n";
  auto const list = parse_list(ListKind::integer, text).value();
  auto const has = [&](std::int64_t number) { return list->contains(ValueView::integer(number)); };
  for (auto const in : {INT64_MIN, INT64_MAX, std::int64_t{16}, std::int64_t{5}, std::int64_t{12},
                        std::int64_t{1000}, std::int64_t{1297}}) {
    EXPECT_TRUE(has(in)) << in;
  }
  for (auto const out : {std::int64_t{4}, std::int64_t{13}, std::int64_t{0}, std::int64_t{1001}}) {
    EXPECT_FALSE(has(out)) << out;
  }
}

TEST(ParseList, hosts) {
  auto const list = parse_list(ListKind::host, "Api.Example.com.\n*.b.example\n").value();
  auto const has = [&](std::string_view name) { return list->contains(ValueView::bytes(name)); };
  for (auto const* in :
       {"api.example.com", "API.EXAMPLE.COM", "api.example.com.", "a.b.example", "x.y.b.example"}) {
    EXPECT_TRUE(has(in)) << in;
  }
  for (auto const* out :
       {"b.example", ".b.example", "xb.example", "www.api.example.com", "", "."}) {
    EXPECT_FALSE(has(out)) << out;
  }
}

struct BadEntry {
  char const* name;
  ListKind kind;
  char const* entry;
  char const* message;
};
void PrintTo(BadEntry const& each, std::ostream* out) { *out << each.entry; }
class ParseListRefuses : public testing::TestWithParam<BadEntry> {};

TEST_P(ParseListRefuses, with_the_place) {
  auto const text = std::string("# x\n  ") + GetParam().entry + "  # why\n";
  auto const list = parse_list(GetParam().kind, text);
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error()[0].message, GetParam().message);
  EXPECT_EQ(text.substr(list.error()[0].span.offset, list.error()[0].span.length),
            GetParam().entry);
}

INSTANTIATE_TEST_SUITE_P(
    Entries, ParseListRefuses,
    testing::Values(
        BadEntry{"host_bits", ListKind::ip, "10.0.0.1/8",
                 "the network `10.0.0.1/8` has bits set behind its prefix"},
        BadEntry{"long_prefix", ListKind::ip, "10.0.0.0/33", "`10.0.0.0/33` is not a network"},
        BadEntry{"short_address", ListKind::ip, "10.0.0", "`10.0.0` is not an IP address"},
        BadEntry{"reversed_range", ListKind::ip, "10.0.0.2..10.0.0.1",
                 "the range `10.0.0.2..10.0.0.1` starts after its end"},
        BadEntry{"mixed_range", ListKind::ip, "10.0.0.2..::1",
                 "the range `10.0.0.2..::1` mixes IPv4 and IPv6"},
        BadEntry{"name_for_address", ListKind::ip, "localhost", "`localhost` is not an IP address"},
        BadEntry{"word_for_number", ListKind::integer, "ten", "`ten` is not an integer"},
        BadEntry{"reversed_numbers", ListKind::integer, "5..1",
                 "the range `5..1` starts after its end"},
        BadEntry{"too_large", ListKind::integer, "9223372036854775808",
                 "`9223372036854775808` is not an integer"},
        BadEntry{"url_for_host", ListKind::host, "https://a.example/",
                 "`https://a.example/` is not a host name"},
        BadEntry{"port", ListKind::host, "a.example:443", "`a.example:443` is not a host name"},
        BadEntry{"inner_star", ListKind::host, "a.*.example", "`a.*.example` is not a host name"},
        BadEntry{"empty_label", ListKind::host, "a..example", "`a..example` is not a host name"}),
    name_of_row);

TEST(ParseList, reports_many_but_not_all_mistakes) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "x\n";
  EXPECT_EQ(parse_list(ListKind::integer, text).error().size(), 20u);
  EXPECT_EQ(parse_list(ListKind::integer, text, 3).error().size(), 3u);
}

TEST(BuildList, points_at_the_entry) {
  std::vector<std::string> const entries{"1", "x", "3", "yy"};
  auto const list = build_list(ListKind::integer, entries);
  ASSERT_FALSE(list);
  ASSERT_EQ(list.error().size(), 2u);
  EXPECT_EQ(list.error()[1].span, (Span{3, 2}));
}

}  // namespace
}  // namespace certgate::rules
