// What is freed is what the next gets; nothing grows without end; threads end cleanly.
#include "kept_memory.hpp"

#include <gtest/gtest.h>
#include <malloc.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "certgate/tls/library.hpp"

namespace certgate::tls {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool under_sanitizer = true;
#else
constexpr bool under_sanitizer = false;
#endif

// Before anything in this program asks OpenSSL for something, so that all tests of the layer run on it.
bool installed = false;
__attribute__((constructor(101))) void install() { installed = keep_freed_memory(); }

TEST(KeptMemory, gives_back_what_was_freed_last_for_as_much) {
  KeptMemory memory;
  for (std::size_t const size : {std::size_t{1}, std::size_t{24}, std::size_t{25}, std::size_t{100},
                                 std::size_t{1000}, std::size_t{16'709},
                                 KeptMemory::max_block_bytes - 100}) {
    SCOPED_TRACE(size);
    auto* const first = memory.take(size);
    auto* const second = memory.take(size);
    // The allocator may have given more than was asked for.
    auto const size_of_first = ::malloc_usable_size(first);
    auto const size_of_second = ::malloc_usable_size(second);
    ASSERT_GE(size_of_first, size);
    ASSERT_GE(size_of_second, size);
    std::memset(first, 0xa5, size);
    std::memset(second, 0x5a, size);
    memory.put(first);
    memory.put(second);
    EXPECT_GT(memory.bytes(), 0U);
    EXPECT_EQ(memory.take(size_of_second), second);
    EXPECT_EQ(memory.take(size_of_first), first);
    EXPECT_EQ(memory.bytes(), 0U);
    memory.put(first);
    memory.put(second);
    memory.release();
    EXPECT_EQ(memory.bytes(), 0U);
  }
}

TEST(KeptMemory, every_block_has_room_for_what_was_asked) {
  KeptMemory memory;
  std::mt19937 random(4);
  struct Live {
    unsigned char* block;
    std::size_t size;
    unsigned char mark;
  };
  std::vector<Live> live;
  std::size_t again = 0;
  for (int i = 0; i < 50'000; ++i) {
    if (live.size() < 40 || random() % 2 == 0) {
      std::size_t const size = 1 + random() % (random() % 8 == 0 ? 40'000 : 700);
      auto const before = memory.bytes();
      auto* const block = static_cast<unsigned char*>(memory.take(size));
      again += memory.bytes() < before ? 1 : 0;
      ASSERT_GE(::malloc_usable_size(block), size);
      auto const mark = static_cast<unsigned char>(random());
      std::memset(block, mark, size);
      live.push_back({block, size, mark});
    } else {
      auto const at = random() % live.size();
      auto const one = live[at];
      ASSERT_EQ(one.block[0], one.mark);
      ASSERT_EQ(one.block[one.size - 1], one.mark);
      memory.put(one.block);
      live[at] = live.back();
      live.pop_back();
    }
    ASSERT_LE(memory.bytes(), KeptMemory::max_bytes);
  }
  EXPECT_GT(again, 10'000U);
  for (auto const& one : live) memory.put(one.block);
}

TEST(KeptMemory, keeps_a_few_of_each_size_and_none_that_is_larger) {
  KeptMemory memory;
  auto const kept_of = [&](std::size_t size, std::size_t count) {
    std::vector<void*> blocks;
    for (std::size_t i = 0; i < count; ++i) blocks.push_back(std::malloc(size));
    for (auto* const block : blocks) memory.put(block);
    auto const kept = memory.bytes();
    memory.release();
    return kept;
  };
  auto const kept = kept_of(24, 20 * KeptMemory::max_blocks);
  EXPECT_GE(kept, 24 * KeptMemory::max_blocks);
  EXPECT_LE(kept, (24 + 40) * KeptMemory::max_blocks);  // the allocator gives some of them 40
  EXPECT_LE(kept_of(10'000, 100), KeptMemory::max_bytes_of_size + 10'016);
  EXPECT_EQ(kept_of(KeptMemory::max_block_bytes + 64, 10), 0U);
  memory.put(nullptr);
  EXPECT_EQ(memory.bytes(), 0U);
}

TEST(KeptMemory, gives_all_back_when_sizes_pile_up) {
  KeptMemory memory;
  std::size_t most = 0, times = 0, before = 0;
  for (std::size_t size = 24; size <= KeptMemory::max_block_bytes; size += 16) {
    memory.put(std::malloc(size));
    most = std::max(most, memory.bytes());
    times += memory.bytes() < before ? 1 : 0;
    before = memory.bytes();
  }
  EXPECT_LE(most, KeptMemory::max_bytes);
  EXPECT_GT(most, KeptMemory::max_bytes - KeptMemory::max_block_bytes);
  EXPECT_GT(times, 5U);
}

TEST(KeptMemory, takes_what_another_thread_has_allocated) {
  KeptMemory memory;
  void* block = nullptr;
  std::thread([&] {
    KeptMemory of_thread;
    block = of_thread.take(500);
  }).join();
  memory.put(block);
  EXPECT_EQ(memory.take(::malloc_usable_size(block)), block);
  std::free(block);
}

TEST(KeptMemory, serves_openssl_on_every_thread) {
  if (under_sanitizer) GTEST_SKIP() << "nothing is kept under a sanitizer";
  ASSERT_TRUE(installed);
  CRYPTO_malloc_fn take = nullptr;
  CRYPTO_realloc_fn resize = nullptr;
  CRYPTO_free_fn put = nullptr;
  CRYPTO_get_mem_functions(&take, &resize, &put);
  EXPECT_NE(take, &CRYPTO_malloc);
  EXPECT_NE(put, &CRYPTO_free);
  // As many as the allocator's own lists for a thread (seven) would never give back in this order.
  constexpr std::size_t count = 30;
  std::size_t in_order = 0;
  bool resized = false;
  std::thread([&] {
    std::vector<void*> first(count), second(count);
    for (auto& block : first) block = OPENSSL_malloc(1'000);
    for (auto* const block : first) OPENSSL_free(block);
    for (auto& block : second) block = OPENSSL_malloc(1'000);
    for (std::size_t i = 0; i < count; ++i) in_order += second[i] == first[count - 1 - i] ? 1 : 0;
    for (auto* const block : second) OPENSSL_free(block);
    auto* const grown = static_cast<char*>(OPENSSL_realloc(OPENSSL_strdup("x"), 5'000));
    resized = grown != nullptr && grown[0] == 'x' && ::malloc_usable_size(grown) >= 5'000;
    OPENSSL_free(grown);
    release_kept_memory();
  }).join();
  EXPECT_GE(in_order, count / 2);  // the allocator may have given some a little more
  EXPECT_TRUE(resized);
}

}  // namespace
}  // namespace certgate::tls
