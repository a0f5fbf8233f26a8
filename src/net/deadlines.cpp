#include "certgate/net/deadlines.hpp"

#include <algorithm>

#include "certgate/net/socket.hpp"
#include "loop_inside.hpp"

namespace certgate::net {
namespace {

// The coarse clock lags by up to one tick of the kernel; waking this much later covers it and
// gathers deadlines that lie close together.
constexpr std::int64_t slack_ms = 50;

}  // namespace

struct Deadlines::Timer final : Alarm {
  Timer(Loop& loop, Deadlines& its_owner) : Alarm(loop), owner(its_owner) {}
  void ring() override { owner.expire(); }
  Deadlines& owner;
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
    : timer_(std::make_unique<Timer>(loop, *this)) {}

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
  timer_->at = std::min(timer_->at, when + slack_ms);
}

void Deadlines::expire() {
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
