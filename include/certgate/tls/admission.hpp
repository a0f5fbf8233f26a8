// Who may compute now: handshakes take turns so that established connections keep their latency.
//
// One per worker, on its loop's thread. Two limits: how many handshakes are in progress (a place is
// held from the first byte to the end; others wait in order), and how long handshakes compute within
// one turn of the event loop. Beyond that budget they queue: those that have been begun first, and
// hellos, since only a hello tells who resumes a session; new full handshakes after them. A resumed
// session has no further turn to wait for.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "certgate/net/loop.hpp"

namespace certgate::tls {

struct AdmissionLimits {
  std::size_t in_progress = 1024;                // handshakes of this worker
  std::chrono::microseconds turn_budget{1'000};  // spent on handshakes per turn of the loop
};

class Admission {
 public:
  Admission(net::Loop& loop, AdmissionLimits limits);
  ~Admission();
  Admission(Admission const&) = delete;
  Admission& operator=(Admission const&) = delete;

  enum class Lane { place, begun, fresh };

  // One coroutine that waits; lives in its frame. cancel() lets it go at once with `cancelled`.
  class Waiter {
   public:
    explicit Waiter(Admission& admission) : admission_(admission) {}
    ~Waiter();
    Waiter(Waiter const&) = delete;
    Waiter& operator=(Waiter const&) = delete;

    // `auto const granted = co_await waiter.wait(lane);` False: cancelled.
    Waiter& wait(Lane lane) { return lane_ = lane, *this; }
    bool await_ready();
    void await_suspend(std::coroutine_handle<> awaiting);
    bool await_resume() const { return granted_; }
    void cancel();
    void leave();  // gives the place back, if it has one; the destructor does as well

   private:
    friend class Admission;
    Admission& admission_;
    Lane lane_ = Lane::place;
    bool granted_ = false;
    bool has_place_ = false;
    std::int8_t list_ = -1;  // that it stands in; -1: none
    Waiter* previous_ = nullptr;
    Waiter* next_ = nullptr;
    std::coroutine_handle<> awaiting_;
  };

  // Whether a handshake may compute right now without queueing.
  bool may_compute() const;
  // Accounts for time that a handshake has computed.
  void charge(std::int64_t nanoseconds);

  void set_limits(AdmissionLimits limits);
  std::size_t in_progress() const;
  std::size_t waiting() const;  // for a place or a turn

 private:
  struct Queues;
  std::shared_ptr<Queues> queues_;
};

}  // namespace certgate::tls
