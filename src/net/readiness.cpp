#include "readiness.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <system_error>

#include "certgate/net/socket.hpp"

namespace certgate::net {
namespace {

[[noreturn]] void give_up(char const* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

epoll_event event_for(Socket& socket, Readiness::Interest interest) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  if (interest == Readiness::Interest::read_and_write) event.events |= EPOLLOUT;
  event.data.ptr = &socket;
  return event;
}

}  // namespace

Readiness::Readiness() {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) give_up("epoll_create1");
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  // Each write is an edge of its own, so nobody has to read it.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  if (wake_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) give_up("eventfd");
}

Readiness::~Readiness() {
  ::close(wake_);
  ::close(epoll_);
}

bool Readiness::add(Socket& socket, int fd) {
  auto event = event_for(socket, Interest::read);
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void Readiness::look_again(Socket& socket, int fd, Interest interest) {
  auto event = event_for(socket, interest);
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
}

void Readiness::remove(Socket& socket, int fd) {
  // Closing would do, unless another process or thread holds the same open socket.
  epoll_event ignored{};
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, &ignored);
  for (int i = next_; i < count_; ++i) {
    auto& event = events_[static_cast<std::size_t>(i)];
    if (event.data.ptr == &socket) event.data.ptr = nullptr;
  }
}

void Readiness::wait(std::chrono::milliseconds at_most) {
  constexpr std::chrono::milliseconds::rep longest = std::numeric_limits<int>::max();
  int const time = at_most.count() < 0 ? -1 : static_cast<int>(std::min(at_most.count(), longest));
  count_ = std::max(0, ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), time));
  for (next_ = 0; next_ < count_;) {
    auto const event = events_[static_cast<std::size_t>(next_++)];
    if (event.data.ptr != nullptr) static_cast<Socket*>(event.data.ptr)->on_event(event.events);
  }
  next_ = count_ = 0;
}

void Readiness::wake() {
  std::uint64_t const one = 1;
  [[maybe_unused]] auto const done = ::write(wake_, &one, sizeof(one));
}

}  // namespace certgate::net
