#include "certgate/net/task.hpp"

#include <array>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define CERTGATE_RECYCLE_FRAMES 0
#else
#define CERTGATE_RECYCLE_FRAMES 1
#endif

namespace certgate::net {
namespace {

constexpr std::size_t class_bytes = 64;
constexpr std::size_t classes = 128;  // up to 8 KiB

struct FreeFrame {
  FreeFrame* next;
};

// Frames of this thread that are not in use, by size class.
struct FreeLists {
  std::array<FreeFrame*, classes> first{};
  ~FreeLists() {
    for (auto*& head : first) {
      while (head != nullptr) {
        auto* const frame = head;
        head = frame->next;
        ::operator delete(static_cast<void*>(frame));
      }
    }
  }
};

thread_local FreeLists free_lists;

constexpr std::size_t class_of(std::size_t size) { return (size + class_bytes - 1) / class_bytes; }

}  // namespace

void* allocate_frame(std::size_t size) {
  auto const size_class = class_of(size);
  if (CERTGATE_RECYCLE_FRAMES && size_class < classes) {
    auto*& head = free_lists.first[size_class];
    if (head != nullptr) {
      auto* const frame = head;
      head = frame->next;
      return frame;
    }
    return ::operator new(size_class * class_bytes);
  }
  return ::operator new(size);
}

void free_frame(void* frame, std::size_t size) noexcept {
  auto const size_class = class_of(size);
  if (CERTGATE_RECYCLE_FRAMES && size_class < classes) {
    auto* const free = static_cast<FreeFrame*>(frame);
    free->next = free_lists.first[size_class];
    free_lists.first[size_class] = free;
    return;
  }
  ::operator delete(frame);
}

namespace {
Detached run_detached(Task<void> task) { co_await task; }
}  // namespace

void start(Task<void> task) { run_detached(std::move(task)); }

}  // namespace certgate::net
