#include "kept_memory.hpp"

#include <malloc.h>
#include <openssl/crypto.h>

#include <cstdlib>
#include <new>

#include "certgate/tls/library.hpp"

namespace certgate::tls {

void* KeptMemory::take(std::size_t bytes) {
  if (bytes > max_block_bytes) return std::malloc(bytes);
  auto const at = bytes <= smallest ? 0 : (bytes - smallest + step - 1) / step;
  auto& list = lists_[at];
  auto const size = smallest + at * step;
  if (list.first == nullptr) return std::malloc(size);
  auto* const block = list.first;
  list.first = block->next;
  --list.count;
  bytes_ -= size;
  return block;
}

void KeptMemory::put(void* block) {
  if (block == nullptr) return;
  auto const usable = ::malloc_usable_size(block);
  auto const at = usable < smallest ? lists_.size() : (usable - smallest) / step;
  if (at >= lists_.size()) {
    std::free(block);
    return;
  }
  auto& list = lists_[at];
  auto const size = smallest + at * step;
  if (list.count >= max_blocks || list.count * size > max_bytes_of_size) {
    std::free(block);
    return;
  }
  list.first = new (block) Free{list.first};
  ++list.count;
  bytes_ += size;
  if (bytes_ > max_bytes) release();
}

void KeptMemory::release() {
  if (bytes_ == 0) return;
  for (auto& list : lists_) {
    while (list.first != nullptr) {
      auto* const block = list.first;
      list.first = block->next;
      std::free(block);
    }
    list.count = 0;
  }
  bytes_ = 0;
}

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool keep_memory = false;
#else
constexpr bool keep_memory = true;
#endif

// OpenSSL frees what a thread had after the thread's own objects have gone: then nothing is kept.
enum class ThreadPhase : char { not_begun, running, over };

// Apart from it, because that has no destructor and can be asked at any time.
constinit thread_local ThreadPhase phase = ThreadPhase::not_begun;

struct KeptByThread {
  KeptMemory memory;
  KeptByThread() { phase = ThreadPhase::running; }
  ~KeptByThread() { phase = ThreadPhase::over; }
};

KeptMemory* memory_of_thread() {
  if (phase == ThreadPhase::over) return nullptr;
  static thread_local KeptByThread kept;
  return &kept.memory;
}

void* take_for_openssl(std::size_t bytes, char const*, int) {
  auto* const memory = memory_of_thread();
  return memory != nullptr ? memory->take(bytes) : std::malloc(bytes);
}

void* resize_for_openssl(void* block, std::size_t bytes, char const*, int) {
  return std::realloc(block, bytes);
}

void put_for_openssl(void* block, char const*, int) {
  auto* const memory = memory_of_thread();
  if (memory != nullptr) {
    memory->put(block);
  } else {
    std::free(block);
  }
}

}  // namespace

bool keep_freed_memory() {
  return keep_memory &&
         CRYPTO_set_mem_functions(take_for_openssl, resize_for_openssl, put_for_openssl) == 1;
}

void release_kept_memory() {
  if (auto* const memory = memory_of_thread()) memory->release();
}

}  // namespace certgate::tls
