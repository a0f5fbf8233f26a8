// How many client connections a process with so many descriptors takes.
#include "descriptors.hpp"

#include <gtest/gtest.h>

namespace certgate::gateway {
namespace {

struct DescriptorCase {
  char const* name;
  std::uint64_t descriptors;
  std::size_t wanted, given;
};

class ConnectionsWithin : public ::testing::TestWithParam<DescriptorCase> {};

TEST_P(ConnectionsWithin, leaves_room_for_everything_else) {
  EXPECT_EQ(connections_within(GetParam().descriptors, GetParam().wanted), GetParam().given);
}

INSTANTIATE_TEST_SUITE_P(Edges, ConnectionsWithin,
                         ::testing::Values(DescriptorCase{"plenty", 1'048'576, 65'536, 65'536},
                                         DescriptorCase{"just_enough", 74'898, 65'536, 65'536},
                                         DescriptorCase{"one_too_few", 74'897, 65'536, 65'535},
                                         DescriptorCase{"a_shell", 1'024, 65'536, 896},
                                         DescriptorCase{"few", 65, 65'536, 1},
                                         DescriptorCase{"none_left", 64, 65'536, 1},
                                         DescriptorCase{"fewer_wanted", 1'024, 10, 10}),
                         [](auto const& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace certgate::gateway
