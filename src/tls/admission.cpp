#include "certgate/tls/admission.hpp"

#include <array>

namespace certgate::tls {
namespace {

// After this many handshakes that have been begun, a fresh one has its turn all the same.
constexpr unsigned begun_in_a_row = 3;

constexpr std::int8_t cancelled_lane = 3;

}  // namespace

struct Admission::Queues : std::enable_shared_from_this<Admission::Queues> {
  Queues(net::Loop& its_loop, AdmissionLimits its_limits) : loop(its_loop), limits(its_limits) {}

  struct List {
    Waiter* first = nullptr;
    Waiter* last = nullptr;
    std::size_t size = 0;
  };

  net::Loop& loop;
  AdmissionLimits limits;
  std::array<List, 4> lists;  // by lane, then the cancelled
  std::size_t in_progress = 0;
  std::int64_t spent = 0;  // nanoseconds, in this turn of the loop
  unsigned row = 0;
  bool turn_posted = false;
  bool over = false;

  void push(Waiter& waiter, std::size_t lane) {
    auto& list = lists[lane];
    waiter.previous_ = list.last;
    waiter.next_ = nullptr;
    (list.last != nullptr ? list.last->next_ : list.first) = &waiter;
    list.last = &waiter;
    ++list.size;
    waiter.list_ = static_cast<std::int8_t>(lane);
  }

  void remove(Waiter& waiter) {
    auto& list = lists[static_cast<std::size_t>(waiter.list_)];
    (waiter.previous_ != nullptr ? waiter.previous_->next_ : list.first) = waiter.next_;
    (waiter.next_ != nullptr ? waiter.next_->previous_ : list.last) = waiter.previous_;
    --list.size;
    waiter.list_ = -1;
  }

  Waiter* pop(std::size_t lane) {
    auto* const waiter = lists[lane].first;
    if (waiter != nullptr) remove(*waiter);
    return waiter;
  }

  std::int64_t budget() const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(limits.turn_budget).count();
  }

  bool may_compute() const {
    return spent < budget() && lists[1].first == nullptr && lists[2].first == nullptr;
  }

  bool has_place() const { return in_progress < limits.in_progress; }

  void post_turn() {
    if (turn_posted || over) return;
    turn_posted = true;
    loop.post([self = shared_from_this()] {
      if (!self->over) self->take_turn();
    });
  }

  void take_turn() {
    turn_posted = false;
    spent = 0;
    while (auto* const waiter = pop(cancelled_lane)) waiter->awaiting_.resume();
    while (!over && has_place()) {
      auto* const waiter = pop(0);
      if (waiter == nullptr) break;
      ++in_progress;
      waiter->has_place_ = waiter->granted_ = true;
      waiter->awaiting_.resume();
    }
    while (!over && spent < budget()) {
      auto* const waiter = next();
      if (waiter == nullptr) break;
      waiter->granted_ = true;
      waiter->awaiting_.resume();
    }
    bool const more = lists[1].first != nullptr || lists[2].first != nullptr ||
                      lists[cancelled_lane].first != nullptr ||
                      (lists[0].first != nullptr && has_place());
    if (!over && (more || spent > 0)) post_turn();
  }

  Waiter* next() {
    bool const fresh_is_due = row >= begun_in_a_row && lists[2].first != nullptr;
    if (lists[1].first != nullptr && !fresh_is_due) {
      ++row;
      return pop(1);
    }
    row = 0;
    return pop(2);
  }
};

Admission::Admission(net::Loop& loop, AdmissionLimits limits)
    : queues_(std::make_shared<Queues>(loop, limits)) {}

Admission::~Admission() { queues_->over = true; }

Admission::Waiter::~Waiter() {
  if (list_ >= 0) admission_.queues_->remove(*this);
  leave();
}

bool Admission::Waiter::await_ready() {
  auto& queues = *admission_.queues_;
  granted_ = false;
  if (lane_ == Lane::place) {
    if (queues.lists[0].first != nullptr || !queues.has_place()) return false;
    ++queues.in_progress;
    return has_place_ = granted_ = true;
  }
  return granted_ = queues.may_compute();
}

void Admission::Waiter::await_suspend(std::coroutine_handle<> awaiting) {
  awaiting_ = awaiting;
  admission_.queues_->push(*this, static_cast<std::size_t>(lane_));
  // Turns come by themselves while somebody computes or leaves; this one may be the first.
  if (lane_ != Lane::place) admission_.queues_->post_turn();
}

void Admission::Waiter::cancel() {
  if (list_ < 0 || list_ == cancelled_lane) return;
  auto& queues = *admission_.queues_;
  queues.remove(*this);
  queues.push(*this, cancelled_lane);
  queues.post_turn();
}

void Admission::Waiter::leave() {
  if (!has_place_) return;
  has_place_ = false;
  auto& queues = *admission_.queues_;
  --queues.in_progress;
  if (queues.lists[0].first != nullptr) queues.post_turn();
}

bool Admission::may_compute() const { return queues_->may_compute(); }

void Admission::charge(std::int64_t nanoseconds) {
  queues_->spent += nanoseconds;
  queues_->post_turn();
}

void Admission::set_limits(AdmissionLimits limits) {
  queues_->limits = limits;
  queues_->post_turn();
}

std::size_t Admission::in_progress() const { return queues_->in_progress; }

std::size_t Admission::waiting() const {
  return queues_->lists[0].size + queues_->lists[1].size + queues_->lists[2].size;
}

}  // namespace certgate::tls
