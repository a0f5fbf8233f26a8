// What a Loop consists of, for this layer's sources.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <vector>

#include "certgate/net/loop.hpp"
#include "certgate/net/socket.hpp"
#include "readiness.hpp"

namespace certgate::net {

inline constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

// Rings once when its time has come.
class Alarm {
 public:
  explicit Alarm(Loop& loop);
  Alarm(Alarm const&) = delete;
  Alarm& operator=(Alarm const&) = delete;
  virtual ~Alarm();
  std::int64_t at = never;  // of Loop::coarse_milliseconds()

 protected:
  virtual void ring() = 0;

 private:
  friend class Loop;
  Loop& loop_;
};

struct Loop::Inside {
  Readiness readiness;
  std::vector<Alarm*> alarms;  // of each Deadlines one

  // Coroutines whose waits are over, in the order in which they ended.
  Socket::Wait* first_over = nullptr;
  Socket::Wait* last_over = nullptr;

  std::mutex mutex;
  std::vector<std::function<void()>> posted;  // guarded
  std::atomic<bool> has_posted{false};
  std::atomic<bool> asleep{false};  // a post has to wake it
  std::atomic<bool> stopped{false};

  bool is_busy() const {
    return first_over != nullptr || has_posted.load(std::memory_order_relaxed);
  }
};

}  // namespace certgate::net
