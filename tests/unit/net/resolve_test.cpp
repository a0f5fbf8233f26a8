// Names and addresses as the operating system resolves them, and what it says of those it cannot.
#include "certgate/net/resolve.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

namespace certgate::net {
namespace {

using Addresses = std::vector<IpAddress>;

TEST(Resolve, an_address_is_its_own) {
  for (auto const* text : {"192.0.2.7", "2001:db8::7"}) {
    auto const found = resolve(text);
    ASSERT_TRUE(found) << text;
    EXPECT_EQ(*found, Addresses{*IpAddress::parse(text)}) << text;
  }
}

TEST(Resolve, gives_each_address_of_a_name_once) {
  auto const found = resolve("localhost");
  if (!found && ::access("/etc/hosts", R_OK) != 0) GTEST_SKIP() << "there is no /etc/hosts";
  ASSERT_TRUE(found) << found.error().detail;
  EXPECT_FALSE(found->empty());
  for (auto const& address : *found) {
    EXPECT_EQ(std::count(found->begin(), found->end(), address), 1);
    auto const text = address.to_string();
    EXPECT_TRUE(text == "::1" || text.starts_with("127.")) << text;
  }
}

// No name server has to be asked: nobody can have such a name.
TEST(Resolve, says_why_there_is_none) {
  auto const found = resolve(std::string(300, 'a'));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::not_found);
  EXPECT_FALSE(found.error().detail.empty());
}

}  // namespace
}  // namespace certgate::net
