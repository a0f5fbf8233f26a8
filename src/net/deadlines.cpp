#include "certgate/net/deadlines.hpp"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <limits>

#include "asio_loop.hpp"
#include "certgate/net/socket.hpp"

namespace certgate::net {
namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
// The coarse clock lags by up to one tick of the kernel; waking this much later covers it and
// gathers deadlines that lie close together.
constexpr std::int64_t slack_ms = 50;

}  // namespace

struct Deadlines::Timer {
  explicit Timer(Loop& loop) : timer(loop.inside().context) {}
  boost::asio::steady_timer timer;
};

void Deadline::arm(DeadlineList& list) {
  disarm();
  expires_ = Loop::coarse_milliseconds() + list.duration_.count();
  list_ = &list;
  previous_ = list.last_;
  next_ = nullptr;
  if (list.last_ != nullptr) {
    list.last_->next_ = this;
    list.last_ = this;
    return;
  }
  list.first_ = list.last_ = this;
  list.owner_.wake_at(expires_);
}

void Deadline::disarm() {
  if (list_ == nullptr) return;
  (previous_ != nullptr ? previous_->next_ : list_->first_) = next_;
  (next_ != nullptr ? next_->previous_ : list_->last_) = previous_;
  list_ = nullptr;
}

Deadlines::Deadlines(Loop& loop)
    : loop_(loop), timer_(std::make_unique<Timer>(loop)), armed_for_(never) {}

Deadlines::~Deadlines() = default;

DeadlineList& Deadlines::list(std::chrono::milliseconds duration) {
  for (auto const& list : lists_) {
    if (list->duration_ == duration) return *list;
  }
  lists_.push_back(std::unique_ptr<DeadlineList>(new DeadlineList(*this, duration)));
  return *lists_.back();
}

void Deadlines::wake_at(std::int64_t when) {
  // Armed for earlier, or close enough: the expiry of that one looks at every list again.
  if (armed_for_ <= when + slack_ms) return;
  armed_for_ = when + slack_ms;
  auto const in = std::max<std::int64_t>(1, armed_for_ - Loop::coarse_milliseconds());
  timer_->timer.expires_after(std::chrono::milliseconds(in));
  timer_->timer.async_wait([this](boost::system::error_code const& error) {
    if (!error) expire();
  });
}

void Deadlines::expire() {
  armed_for_ = never;
  auto const now = Loop::coarse_milliseconds();
  auto earliest = never;
  // on_expired() may arm deadlines and so make new lists: by index, and what it arms lies later.
  for (std::size_t i = 0; i < lists_.size(); ++i) {
    while (lists_[i]->first_ != nullptr && lists_[i]->first_->expires_ <= now) {
      auto* const due = lists_[i]->first_;
      due->disarm();
      due->on_expired();
    }
    if (lists_[i]->first_ != nullptr) earliest = std::min(earliest, lists_[i]->first_->expires_);
  }
  if (earliest != never) wake_at(earliest);
}

void SocketDeadline::on_expired() {
  expired_ = true;
  socket_->cancel();
}

void Sleep::await_suspend(std::coroutine_handle<> awaiting) {
  awaiting_ = awaiting;
  arm(list_);
}

void Sleep::on_expired() { awaiting_.resume(); }

}  // namespace certgate::net
