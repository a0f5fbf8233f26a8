// A worker gives back what only work needs, once there has been none for a while.
#include "workspace.hpp"

#include <gtest/gtest.h>

namespace certgate::proxy {
namespace {

constexpr std::chrono::milliseconds patience{60'000};

// As many requests at once as leave something that is worth giving back.
void take_many(net::BlockPool& pool) {
  std::vector<net::Block> blocks;
  for (int i = 0; i < 40; ++i) blocks.push_back(pool.take());
}

TEST(Workspace, gives_spare_buffers_back_when_it_is_quiet) {
  Workspace workspace{WorkerOptions{}};
  take_many(workspace.blocks);
  auto const spare = workspace.blocks.spare_bytes();
  workspace.note_exchange();
  bool looked = false;
  EXPECT_TRUE(workspace.loop.run_until(
      [&] {
        looked = looked || workspace.blocks.spare_bytes() == spare;
        return workspace.blocks.spare_bytes() == 0;
      },
      patience));
  EXPECT_TRUE(looked);  // not at once: the next request may come now
}

}  // namespace
}  // namespace certgate::proxy
