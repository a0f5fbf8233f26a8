#include "certgate/net/loop.hpp"

#include <time.h>

#include <boost/asio/post.hpp>

#include "asio_loop.hpp"

namespace certgate::net {

Loop::Loop() : inside_(std::make_unique<Inside>()) {}
Loop::~Loop() = default;

void Loop::run() {
  auto const stay = boost::asio::make_work_guard(inside_->context);
  inside_->context.run();
  // What stop() left ready still runs: coroutines whose waits were cancelled just before it end.
  inside_->context.restart();
  inside_->context.poll();
}

bool Loop::run_until(std::function<bool()> const& done, std::chrono::milliseconds at_most) {
  auto const stay = boost::asio::make_work_guard(inside_->context);
  auto const end = std::chrono::steady_clock::now() + at_most;
  inside_->context.restart();
  while (!done()) {
    auto const now = std::chrono::steady_clock::now();
    if (now >= end) return done();
    inside_->context.run_one_until(end);
  }
  return true;
}

void Loop::stop() { inside_->context.stop(); }

void Loop::post(std::function<void()> work) {
  boost::asio::post(inside_->context, std::move(work));
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
