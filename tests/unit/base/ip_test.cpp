// Addresses, networks and endpoints: strict in, canonical out.
#include "certgate/base/ip.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <random>

namespace certgate {
namespace {

std::string canonical(std::string_view text) {
  auto const address = IpAddress::parse(text);
  return address ? address->to_string() : "refused";
}

struct Case {
  char const* text;
  char const* canonical;
};
void PrintTo(Case const& row, std::ostream* out) { *out << '"' << row.text << '"'; }

class IpText : public testing::TestWithParam<Case> {};
TEST_P(IpText, is_read_strictly_and_written_canonically) {
  EXPECT_EQ(canonical(GetParam().text), GetParam().canonical);
}
INSTANTIATE_TEST_SUITE_P(V4, IpText,
                         testing::Values(Case{"0.0.0.0", "0.0.0.0"},
                                         Case{"255.255.255.255", "255.255.255.255"},
                                         Case{"192.0.2.1", "192.0.2.1"},
                                         Case{"01.2.3.4", "refused"}, Case{"1.2.3", "refused"},
                                         Case{"1.2.3.4.5", "refused"}, Case{"256.1.1.1", "refused"},
                                         Case{"1.2.3.4 ", "refused"}, Case{"1..3.4", "refused"},
                                         Case{"0x1.2.3.4", "refused"}, Case{"-1.2.3.4", "refused"},
                                         Case{"1.2.3.4/32", "refused"}, Case{"", "refused"},
                                         Case{"16909060", "refused"}));
// RFC 5952 §4 and RFC 4291 §2.2.
INSTANTIATE_TEST_SUITE_P(
    V6, IpText,
    testing::Values(
        Case{"::", "::"}, Case{"::1", "::1"}, Case{"1::", "1::"},
        Case{"2001:DB8::1", "2001:db8::1"}, Case{"2001:0db8::0001", "2001:db8::1"},
        Case{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        Case{"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        Case{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        Case{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        Case{"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"}, Case{"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        Case{"0:0:0:0:0:0:0:0", "::"}, Case{"1:0:0:0:0:0:0:0", "1::"},
        Case{"::ffff:1.2.3.4", "::ffff:1.2.3.4"}, Case{"::ffff:102:304", "::ffff:1.2.3.4"},
        Case{"64:ff9b::1.2.3.4", "64:ff9b::102:304"}, Case{":", "refused"}, Case{":::", "refused"},
        Case{"1::2::3", "refused"}, Case{"1:2:3:4:5:6:7", "refused"},
        Case{"1:2:3:4:5:6:7:8:9", "refused"}, Case{"1:2:3:4:5:6:7:8::", "refused"},
        Case{"::1:2:3:4:5:6:7:8", "refused"}, Case{"12345::", "refused"}, Case{"g::", "refused"},
        Case{"fe80::1%eth0", "refused"}, Case{"[::1]", "refused"}, Case{"1.2.3.4::", "refused"},
        Case{"::1.2.3.4:5", "refused"}, Case{"::1.2.3", "refused"},
        Case{":1:2:3:4:5:6:7", "refused"}, Case{"1:2:3:4:5:6:7:", "refused"},
        Case{"::+1", "refused"}, Case{"::-1", "refused"}));

TEST(IpAddress, agrees_with_inet_ntop_and_comes_back) {
  std::mt19937 random{7};
  for (int i = 0; i < 2000; ++i) {
    std::array<std::uint8_t, 16> bytes{};
    for (auto& byte : bytes) byte = random() % 3 == 0 ? static_cast<std::uint8_t>(random()) : 0;
    // inet_ntop writes ::1.2.3.4 for deprecated IPv4-compatible addresses; RFC 5952 does not.
    bytes[0] = static_cast<std::uint8_t>(bytes[0] | 0x20);
    char expected[INET6_ADDRSTRLEN];
    ASSERT_NE(inet_ntop(AF_INET6, bytes.data(), expected, sizeof(expected)), nullptr);
    auto const address = IpAddress::v6(bytes);
    EXPECT_EQ(address.to_string(), expected);
    EXPECT_EQ(IpAddress::parse(expected), address);
  }
}

TEST(IpAddress, orders_v4_before_v6_and_by_number) {
  auto const at = [](char const* text) { return *IpAddress::parse(text); };
  EXPECT_LT(at("9.0.0.0"), at("10.0.0.0"));
  EXPECT_LT(at("255.255.255.255"), at("::"));
  EXPECT_LT(at("::1"), at("::2"));
  EXPECT_NE(at("::ffff:1.2.3.4"), at("1.2.3.4"));
  EXPECT_EQ(at("::ffff:1.2.3.4").unmapped(), at("1.2.3.4"));
  EXPECT_EQ(at("::1").unmapped(), at("::1"));
  EXPECT_EQ(at("1.2.3.4").v4_number(), 0x01020304u);
  EXPECT_EQ(IpAddress::v4(0x01020304u), at("1.2.3.4"));
  EXPECT_EQ(IpAddress{}.to_string(), "0.0.0.0");
}

TEST(IpAddress, knows_loopback_and_private_ranges) {
  for (auto const* text : {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(IpAddress::parse(text)->is_loopback()) << text;
    EXPECT_TRUE(IpAddress::parse(text)->is_private()) << text;
  }
  for (auto const* text :
       {"10.1.2.3", "172.16.0.0", "172.31.255.255", "192.168.9.9", "169.254.1.1", "100.64.0.0",
        "100.127.255.255", "0.0.0.0", "224.0.0.1", "239.1.1.1", "::", "fc00::1", "fdff::1",
        "fe80::1", "febf::1", "ff02::1", "::ffff:10.0.0.1"}) {
    EXPECT_TRUE(IpAddress::parse(text)->is_private()) << text;
    EXPECT_FALSE(IpAddress::parse(text)->is_loopback()) << text;
  }
  for (auto const* text :
       {"9.255.255.255", "11.0.0.0", "172.15.0.1", "172.32.0.1", "192.169.0.1", "100.63.0.1",
        "100.128.0.1", "223.255.255.255", "2001:db8::1", "fec0::1", "::2", "::ffff:8.8.8.8"}) {
    EXPECT_FALSE(IpAddress::parse(text)->is_private()) << text;
  }
}

TEST(IpNetwork, is_strict_about_host_bits_and_length) {
  EXPECT_EQ(IpNetwork::parse("10.0.0.0/8")->to_string(), "10.0.0.0/8");
  EXPECT_EQ(IpNetwork::parse("10.0.0.1")->to_string(), "10.0.0.1/32");
  EXPECT_EQ(IpNetwork::parse("::1")->to_string(), "::1/128");
  EXPECT_EQ(IpNetwork::parse("0.0.0.0/0")->to_string(), "0.0.0.0/0");
  for (auto const* text : {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1",
                           "::/129", "2001:db8::1/64", "/8", "10.0.0.0/8/8", "10/8"}) {
    EXPECT_EQ(IpNetwork::parse(text), std::nullopt) << text;
  }
}

TEST(IpNetwork, contains_exactly_first_to_last) {
  auto const network = *IpNetwork::parse("192.0.2.64/27");
  EXPECT_EQ(network.first().to_string(), "192.0.2.64");
  EXPECT_EQ(network.last().to_string(), "192.0.2.95");
  for (unsigned i = 0; i < 256; ++i) {
    EXPECT_EQ(network.contains(IpAddress::v4(0xC0000200u + i)), i >= 64 && i <= 95) << i;
  }
  auto const six = *IpNetwork::parse("2001:db8::/45");
  EXPECT_EQ(six.last().to_string(), "2001:db8:7:ffff:ffff:ffff:ffff:ffff");
  EXPECT_TRUE(six.contains(six.last()));
  EXPECT_FALSE(six.contains(*IpAddress::parse("2001:db8:8::")));
  EXPECT_FALSE(IpNetwork::parse("::/0")->contains(*IpAddress::parse("1.2.3.4")));
  EXPECT_TRUE(IpNetwork::parse("0.0.0.0/0")->contains(*IpAddress::parse("1.2.3.4")));
}

TEST(IpEndpoint, wants_brackets_around_v6_only) {
  EXPECT_EQ(IpEndpoint::parse("127.0.0.1:8443")->to_string(), "127.0.0.1:8443");
  EXPECT_EQ(IpEndpoint::parse("[::1]:0")->to_string(), "[::1]:0");
  EXPECT_EQ(IpEndpoint::parse("[::1]:65535")->port, 65535);
  for (auto const* text :
       {"127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:080", "::1:80", "[127.0.0.1]:80",
        "[::1]", "[::1:80", ":80", "localhost:80", "[]:80", "127.0.0.1:8 0"}) {
    EXPECT_EQ(IpEndpoint::parse(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace certgate
