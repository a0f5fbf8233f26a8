#include "certgate/net/block_pool.hpp"

namespace certgate::net {
namespace {
#if defined(__SANITIZE_ADDRESS__)
constexpr bool keep_blocks = false;
#else
constexpr bool keep_blocks = true;
#endif
}  // namespace

void Block::give_back() {
  if (data_ == nullptr) return;
  pool_->put(std::exchange(data_, nullptr), size_);
  pool_ = nullptr;
  size_ = 0;
}

BlockPool::~BlockPool() { release_spare(); }

void BlockPool::release_spare() {
  for (auto* const data : free_) delete[] data;
  free_.clear();
}

Block BlockPool::take() {
  ++in_use_;
  if (free_.empty()) return {this, new char[block_size_], block_size_};
  auto* const data = free_.back();
  free_.pop_back();
  return {this, data, block_size_};
}

Block BlockPool::take(std::size_t bytes) {
  if (bytes <= block_size_) return take();
  ++in_use_;
  return {this, new char[bytes], bytes};
}

void BlockPool::put(char* data, std::size_t size) {
  --in_use_;
  if (keep_blocks && size == block_size_ && free_.size() < keep_) {
    free_.push_back(data);
    return;
  }
  delete[] data;
}

}  // namespace certgate::net
