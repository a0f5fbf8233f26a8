#include "certgate/net/resolving.hpp"

#include <mutex>
#include <system_error>
#include <thread>

namespace certgate::net {

// What the thread and the waiter have in common. `loop` is null once nobody waits.
struct Resolving::Shared {
  std::mutex mutex;
  Loop* loop = nullptr;
  Resolving* waiter = nullptr;  // on the loop's thread only
};

Resolving::Resolving(Loop& loop, Lookup const& lookup, std::string host)
    : loop_(loop),
      lookup_(lookup),
      host_(std::move(host)),
      result_(fail(ErrorCode::timed_out, "looking the name up took too long")) {}

Resolving::~Resolving() {
  if (shared_ == nullptr) return;
  shared_->waiter = nullptr;
  std::lock_guard const lock(shared_->mutex);
  shared_->loop = nullptr;
}

void Resolving::await_suspend(std::coroutine_handle<> awaiting) {
  awaiting_ = awaiting;
  shared_ = std::make_shared<Shared>();
  shared_->loop = &loop_;
  shared_->waiter = this;
  try {
    std::thread([shared = shared_, lookup = lookup_, host = host_] {
      auto found = std::make_shared<Result<std::vector<IpAddress>>>(lookup(host));
      std::lock_guard const lock(shared->mutex);
      if (shared->loop == nullptr) return;
      shared->loop->post([shared, found] {
        if (shared->waiter != nullptr) shared->waiter->finish(std::move(*found));
      });
    }).detach();
  } catch (std::system_error const&) {
    auto const shared = shared_;
    loop_.post([shared] {
      if (shared->waiter == nullptr) return;
      shared->waiter->finish(fail(ErrorCode::exhausted, "no thread can be made to look the name up"));
    });
  }
}

void Resolving::cancel() {
  finish(fail(ErrorCode::timed_out, "looking the name up took too long"));
}

void Resolving::finish(Result<std::vector<IpAddress>> found) {
  if (!awaiting_) return;
  shared_->waiter = nullptr;
  result_ = std::move(found);
  std::exchange(awaiting_, nullptr).resume();  // may delete this
}

Result<std::vector<IpAddress>> Resolving::await_resume() { return std::move(result_); }

}  // namespace certgate::net
