// Which addresses are public: every special network at its first and last address, and its neighbours.
#include "certgate/fetch/address_policy.hpp"

#include <gtest/gtest.h>

namespace certgate::fetch {
namespace {

IpAddress address(char const* text) { return *IpAddress::parse(text); }

TEST(AddressPolicy, RefusesSpecialAddresses) {
  for (auto const* text :
       {"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255",
        "127.0.0.1", "127.255.255.255", "169.254.0.1", "169.254.169.254", "172.16.0.0",
        "172.31.255.255", "192.0.0.1", "192.0.2.7", "192.88.99.1", "192.168.0.0",
        "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1",
        "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        // IPv6 of its own
        "::", "::1", "::7f00:1", "100::1", "64:ff9b:1::a00:1", "2001::1", "2001:1ff::1",
        "2001:db8::1", "3fff::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "febf::1",
        "fec0::1", "ff02::1", "4000::1", "1fff::1",
        // IPv4 inside: mapped, NAT64, 6to4
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b::c0a8:1", "2002:7f00:1::", "2002:a00:1::1",
        "2002:a9fe:a9fe::1"}) {
    EXPECT_NE(why_not_public(address(text)), "") << text;
    EXPECT_FALSE(AddressPolicy{}.allows(address(text))) << text;
  }
}

TEST(AddressPolicy, AllowsPublicAddresses) {
  for (auto const* text :
       {"1.0.0.0", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
        "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255",
        "172.32.0.0", "192.0.1.1", "192.167.255.255", "192.169.0.0", "198.17.255.255",
        "198.20.0.0", "223.255.255.255", "2001:200::1", "2606:4700::1111", "2a00:1450::1",
        "3ffe::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"}) {
    EXPECT_EQ(why_not_public(address(text)), "") << text;
    EXPECT_TRUE(AddressPolicy{}.allows(address(text))) << text;
  }
}

TEST(AddressPolicy, SaysWhatAnAddressIs) {
  EXPECT_EQ(why_not_public(address("127.0.0.1")), "loopback");
  EXPECT_EQ(why_not_public(address("169.254.169.254")), "link-local");
  EXPECT_EQ(why_not_public(address("::ffff:192.168.1.1")), "private");
  EXPECT_EQ(why_not_public(address("fe80::1")), "link-local");
}

TEST(AddressPolicy, AllowsWhatIsListedAndNothingBeside) {
  AddressPolicy policy;
  policy.allowed = {*IpNetwork::parse("10.1.0.0/16"), *IpNetwork::parse("fd00::/64")};
  EXPECT_TRUE(policy.allows(address("10.1.255.255")));
  EXPECT_TRUE(policy.allows(address("::ffff:10.1.2.3")));
  EXPECT_TRUE(policy.allows(address("fd00::9")));
  EXPECT_FALSE(policy.allows(address("10.2.0.0")));
  EXPECT_FALSE(policy.allows(address("127.0.0.1")));
  EXPECT_FALSE(policy.allows(address("fd00:0:0:1::9")));
  EXPECT_FALSE(policy.allows(address("64:ff9b::a01:1"))) << "not through a translator";
}

}  // namespace
}  // namespace certgate::fetch
