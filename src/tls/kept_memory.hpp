// Freed blocks of one thread, by size, for the next who asks for as much.
//
// Each is a block of malloc(), so that it may have come from another thread and go back to the
// allocator at any time. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace certgate::tls {

class KeptMemory {
 public:
  // More than a record of TLS with its head, which is the largest that a handshake frees.
  static constexpr std::size_t max_block_bytes = 20 * 1024;
  // As many blocks of each size, fewer of large ones: what a handshake frees at once.
  static constexpr std::size_t max_blocks = 64;
  static constexpr std::size_t max_bytes_of_size = 32 * 1024;
  // Beyond this, sizes are kept that nobody asks for any more: all goes back.
  static constexpr std::size_t max_bytes = 512 * 1024;

  constexpr KeptMemory() = default;
  ~KeptMemory() { release(); }
  KeptMemory(KeptMemory const&) = delete;
  KeptMemory& operator=(KeptMemory const&) = delete;

  // Not cleared; null when there is no memory.
  void* take(std::size_t bytes);
  void put(void* block);
  void release();
  std::size_t bytes() const { return bytes_; }

 private:
  struct Free {
    Free* next;
  };
  struct List {
    Free* first = nullptr;
    std::uint32_t count = 0;
  };
  // The allocator's blocks have 24, 40, 56 ... bytes.
  static constexpr std::size_t step = 16;
  static constexpr std::size_t smallest = 24;

  std::array<List, (max_block_bytes - smallest) / step + 2> lists_{};
  std::size_t bytes_ = 0;
};

}  // namespace certgate::tls
