// Buffers of one size, handed out and taken back without the allocator.
//
// Per worker, not thread-safe. Last in, first out, so that a busy worker keeps touching the same
// warm memory. At most `keep` free blocks are kept; the rest goes back to the system. Under
// AddressSanitizer nothing is kept, so that stale pointers into a returned block are found.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace certgate::net {

inline constexpr std::size_t block_bytes = 16 * 1024;

class BlockPool;

// Owns one buffer; empty after being moved from.
class Block {
 public:
  Block() = default;
  Block(Block&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Block& operator=(Block&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Block() { give_back(); }

  explicit operator bool() const { return data_ != nullptr; }
  char* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::span<char> span() const { return {data_, size_}; }
  void give_back();

 private:
  friend class BlockPool;
  Block(BlockPool* pool, char* data, std::size_t size) : pool_(pool), data_(data), size_(size) {}
  BlockPool* pool_ = nullptr;
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

class BlockPool {
 public:
  explicit BlockPool(std::size_t keep = 256, std::size_t block_size = block_bytes)
      : keep_(keep), block_size_(block_size) {
    free_.reserve(keep);
  }
  ~BlockPool();
  // A block of this pool's size, not cleared.
  Block take();
  // A buffer of any size: from the pool when it fits into a block, from the allocator otherwise.
  Block take(std::size_t bytes);
  std::size_t in_use() const { return in_use_; }
  // What is kept for the next take(), and giving all of it back to the allocator.
  std::size_t spare_bytes() const { return free_.size() * block_size_; }
  void release_spare();

 private:
  friend class Block;
  void put(char* data, std::size_t size);
  std::size_t keep_;
  std::size_t block_size_;
  std::size_t in_use_ = 0;
  std::vector<char*> free_;
};

}  // namespace certgate::net
