// Timeouts by the thousand for one timer: a FIFO list per duration.
//
// Arming, re-arming and disarming relink a list node: O(1), no system call, no allocation. One
// timer of the loop, armed only when the earliest head moves closer, expires them; resolution is
// about 50 ms, never early. Used on the loop's thread only; lists outlive their deadlines.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <vector>

#include "certgate/net/loop.hpp"

namespace certgate::net {

class DeadlineList;

// One pending timeout. Derive and say what happens: usually Socket::cancel().
class Deadline {
 public:
  Deadline() = default;
  Deadline(Deadline const&) = delete;
  Deadline& operator=(Deadline const&) = delete;
  virtual ~Deadline() { disarm(); }

  // (Re-)arms: expires one duration of that list from now.
  void arm(DeadlineList& list);
  void disarm();
  bool is_armed() const { return list_ != nullptr; }

 protected:
  // Runs on the loop's thread; the deadline is disarmed already and may be armed again or deleted.
  virtual void on_expired() = 0;

 private:
  friend class DeadlineList;
  friend class Deadlines;
  Deadline* previous_ = nullptr;
  Deadline* next_ = nullptr;
  DeadlineList* list_ = nullptr;
  std::int64_t expires_ = 0;
};

class Deadlines;

// All deadlines of one duration, earliest first.
class DeadlineList {
 public:
  std::chrono::milliseconds duration() const { return duration_; }
  bool empty() const { return first_ == nullptr; }

 private:
  friend class Deadline;
  friend class Deadlines;
  DeadlineList(Deadlines& owner, std::chrono::milliseconds duration)
      : owner_(owner), duration_(duration) {}
  Deadlines& owner_;
  std::chrono::milliseconds duration_;
  Deadline* first_ = nullptr;
  Deadline* last_ = nullptr;
};

class Deadlines {
 public:
  explicit Deadlines(Loop& loop);
  ~Deadlines();
  // The list for a duration, made on first use; lives as long as this object.
  DeadlineList& list(std::chrono::milliseconds duration);

 private:
  friend class Deadline;
  struct Timer;
  void wake_at(std::int64_t when);
  void expire();
  std::unique_ptr<Timer> timer_;
  std::vector<std::unique_ptr<DeadlineList>> lists_;
};

// Cancels a socket when time is up, and remembers that it was time.
class SocketDeadline final : public Deadline {
 public:
  explicit SocketDeadline(class Socket& socket) : socket_(&socket) {}
  bool expired() const { return expired_; }
  void clear() { expired_ = false; }
  void watch(Socket& socket) { socket_ = &socket; }

 protected:
  void on_expired() override;

 private:
  Socket* socket_;
  bool expired_ = false;
};

// Suspends a coroutine for about the duration of a list.
class Sleep final : public Deadline {
 public:
  explicit Sleep(DeadlineList& list) : list_(list) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting);
  void await_resume() const noexcept {}

 protected:
  void on_expired() override;

 private:
  DeadlineList& list_;
  std::coroutine_handle<> awaiting_;
};

}  // namespace certgate::net
