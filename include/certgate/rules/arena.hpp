// A fixed block of memory that one evaluation carves its intermediate values from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace certgate::rules {

// Not shared between threads. Never grows: when it is used up, allocate() says null, and the
// evaluation fails (which an embedder answers by refusing).
class Arena {
 public:
  explicit Arena(std::size_t bytes) : block_(new std::byte[bytes]), size_(bytes) {}

  void* allocate(std::size_t bytes, std::size_t alignment) noexcept {
    std::size_t const start = (used_ + alignment - 1) & ~(alignment - 1);
    if (start > size_ || bytes > size_ - start) return nullptr;
    used_ = start + bytes;
    return block_.get() + start;
  }
  // Uninitialised; T must be trivially copyable. Null when used up.
  template <class T>
  T* allocate_array(std::size_t count) noexcept {
    if (count > size_ / sizeof(T)) return nullptr;
    return static_cast<T*>(allocate(count * sizeof(T), alignof(T)));
  }
  // Gives the end of the latest allocation back: REQUIRES `used` came from used() since.
  void rewind(std::size_t used) noexcept { used_ = used; }
  std::size_t used() const { return used_; }
  std::size_t capacity() const { return size_; }

 private:
  std::unique_ptr<std::byte[]> block_;
  std::size_t size_;
  std::size_t used_ = 0;
};

}  // namespace certgate::rules
