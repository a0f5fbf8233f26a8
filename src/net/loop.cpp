#include "certgate/net/loop.hpp"

#include <time.h>

#include <algorithm>
#include <utility>

#include "loop_inside.hpp"

namespace certgate::net {

Alarm::Alarm(Loop& loop) : loop_(loop) { loop.inside().alarms.push_back(this); }
Alarm::~Alarm() { std::erase(loop_.inside().alarms, this); }

Loop::Loop() : inside_(std::make_unique<Inside>()) {}
Loop::~Loop() = default;

void Loop::run() {
  while (!inside_->stopped.load(std::memory_order_acquire)) turn(forever);
  inside_->stopped.store(false, std::memory_order_relaxed);
  // What stop() left ready still runs: coroutines whose waits were cancelled just before it end.
  do {
    turn(std::chrono::milliseconds{0});
  } while (inside_->is_busy());
}

bool Loop::run_until(std::function<bool()> const& done, std::chrono::milliseconds at_most) {
  auto const end = std::chrono::steady_clock::now() + at_most;
  while (!done()) {
    auto const left = end - std::chrono::steady_clock::now();
    if (left.count() <= 0) return done();
    turn(std::chrono::ceil<std::chrono::milliseconds>(left));
  }
  return true;
}

void Loop::stop() {
  inside_->stopped.store(true, std::memory_order_release);
  inside_->readiness.wake();
}

void Loop::post(std::function<void()> work) {
  {
    std::lock_guard const lock(inside_->mutex);
    inside_->posted.push_back(std::move(work));
    inside_->has_posted.store(true);
  }
  // It says that it sleeps before it looks for work the last time: one of the two sees the other.
  if (inside_->asleep.load()) inside_->readiness.wake();
}

void Loop::turn(std::chrono::milliseconds at_most) {
  auto& inside = *inside_;
  auto wait = at_most;
  for (auto const* const alarm : inside.alarms) {
    if (alarm->at == never) continue;
    auto const left = std::max<std::int64_t>(0, alarm->at - coarse_milliseconds());
    if (wait < wait.zero() || left < wait.count()) wait = std::chrono::milliseconds{left};
  }
  inside.asleep.store(true);
  if (inside.first_over != nullptr || inside.has_posted.load() || inside.stopped.load()) {
    wait = std::chrono::milliseconds{0};
  }
  inside.readiness.wait(wait);
  inside.asleep.store(false, std::memory_order_relaxed);
  resume_waiters();
  ring_alarms();
  run_posted();
  resume_waiters();
}

void Loop::ring_alarms() {
  // By index: ringing may make or remove others.
  for (std::size_t i = 0; i < inside_->alarms.size(); ++i) {
    auto& alarm = *inside_->alarms[i];
    if (alarm.at == never || alarm.at > coarse_milliseconds()) continue;
    alarm.at = never;
    alarm.ring();
  }
}

// What it posts itself has its turn after the next look at the sockets.
void Loop::run_posted() {
  if (!inside_->has_posted.load(std::memory_order_acquire)) return;
  std::vector<std::function<void()>> work;
  {
    std::lock_guard const lock(inside_->mutex);
    work.swap(inside_->posted);
    inside_->has_posted.store(false);
  }
  for (auto& one : work) one();
}

void Loop::resume_waiters() {
  auto* wait = std::exchange(inside_->first_over, nullptr);
  inside_->last_over = nullptr;
  while (wait != nullptr) wait = wait->resume();
}

std::int64_t Loop::coarse_milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

std::int64_t Loop::nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace certgate::net
