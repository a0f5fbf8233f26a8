// Waits for a name's addresses without blocking the loop.
//
// The look-up runs on a thread of its own that nobody waits for: getaddrinfo() cannot be
// interrupted, and a name server that never answers must hold up neither the others nor the end of
// the process. Whoever stops waiting leaves the thread with a shared state of its own.
#pragma once

#include <coroutine>
#include <memory>
#include <string>
#include <vector>

#include "certgate/base/result.hpp"
#include "certgate/net/loop.hpp"
#include "certgate/net/resolve.hpp"

namespace certgate::net {

class Resolving {
 public:
  Resolving(Loop& loop, Lookup const& lookup, std::string host);
  ~Resolving();
  Resolving(Resolving const&) = delete;
  Resolving& operator=(Resolving const&) = delete;

  // Resumes the waiter with ErrorCode::timed_out.
  void cancel();

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting);
  Result<std::vector<IpAddress>> await_resume();

 private:
  struct Shared;
  void finish(Result<std::vector<IpAddress>> found);

  Loop& loop_;
  Lookup const& lookup_;
  std::string host_;
  std::shared_ptr<Shared> shared_;
  std::coroutine_handle<> awaiting_;
  Result<std::vector<IpAddress>> result_;
};

}  // namespace certgate::net
