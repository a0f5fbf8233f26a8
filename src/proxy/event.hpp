// Lets one coroutine wait until another says so, on the same worker.
#pragma once

#include <coroutine>
#include <utility>

namespace certgate::proxy {

// Set once; at most one waiter.
class Event {
 public:
  bool is_set() const { return set_; }
  // Resumes the waiter from here.
  void set() {
    set_ = true;
    if (auto const waiter = std::exchange(waiter_, nullptr)) waiter.resume();
  }

  bool await_ready() const noexcept { return set_; }
  void await_suspend(std::coroutine_handle<> waiter) noexcept { waiter_ = waiter; }
  void await_resume() const noexcept {}

 private:
  std::coroutine_handle<> waiter_;
  bool set_ = false;
};

}  // namespace certgate::proxy
