#include "certgate/upstream/name_watch.hpp"

#include <algorithm>

namespace certgate::upstream {

// One name: sleeps, asks, tells, and sleeps again. Its deadline ends the sleep or, while it asks,
// the patience.
class NameWatch::Name final : private net::Deadline {
 public:
  Name(NameWatch& owner, std::string name, std::chrono::milliseconds every)
      : owner_(owner), every_(every) {
    state_.name = std::move(name);
  }

  std::string const& name() const { return state_.name; }
  NameState const& state() const { return state_; }
  bool is_busy() const { return resolving_ != nullptr; }

  // A look-up that is planned comes no later than a new period would have it.
  void set(std::chrono::milliseconds every) {
    if (every == every_) return;
    every_ = every;
    if (is_armed() && !is_busy()) sleep();
  }
  void sleep() { arm(owner_.deadlines_.list(every_)); }
  void begin() { net::start(run()); }
  // Afterwards nothing runs.
  void stop() {
    is_stopped_ = true;
    disarm();
    if (resolving_ != nullptr) resolving_->cancel();
  }

 private:
  void on_expired() override {
    if (is_busy()) return note_failure("looking the name up takes too long");
    owner_.ask(*this);
  }
  net::Task<void> run();
  void note_answer(std::vector<IpAddress> const& addresses);
  void note_failure(std::string const& why);

  NameWatch& owner_;
  std::chrono::milliseconds every_;
  NameState state_;
  net::Resolving* resolving_ = nullptr;
  bool is_stopped_ = false;
};

net::Task<void> NameWatch::Name::run() {
  net::Resolving resolving(owner_.loop_, owner_.lookup_, name());
  resolving_ = &resolving;
  arm(owner_.deadlines_.list(longest_lookup));
  auto const found = co_await resolving;
  resolving_ = nullptr;
  disarm();
  if (is_stopped_) co_return;
  if (found) {
    note_answer(*found);
  } else {
    note_failure(found.error().detail);
  }
  sleep();
  owner_.has_answered();
}

void NameWatch::Name::note_answer(std::vector<IpAddress> const& addresses) {
  bool const was_away = !state_.last_failure.empty();
  state_.last_failure.clear();
  owner_.publish(state_);
  if (was_away) owner_.tell_({NameNews::Kind::well_again, name(), addresses, {}});
  if (owner_.differs(name(), addresses)) {
    owner_.tell_({NameNews::Kind::changed, name(), addresses, {}});
  }
}

void NameWatch::Name::note_failure(std::string const& why) {
  bool const is_news = why != state_.last_failure;
  state_.last_failure = why;
  ++state_.failures;
  owner_.publish(state_);
  if (is_news) {
    owner_.tell_({NameNews::Kind::failed, name(), owner_.addresses_of(name()), why});
  }
}

NameWatch::NameWatch(net::Loop& loop, net::Deadlines& deadlines, net::Lookup lookup,
                     std::function<void(NameNews const&)> tell)
    : loop_(loop), deadlines_(deadlines), lookup_(std::move(lookup)), tell_(std::move(tell)) {}

NameWatch::~NameWatch() { stop(); }

void NameWatch::watch(std::vector<std::shared_ptr<Origin>> const& origins) {
  origins_.clear();
  std::vector<std::pair<std::string, std::chrono::milliseconds>> wanted;
  for (auto const& origin : origins) {
    auto const every = origin->settings().resolve_every;
    if (every.count() == 0) continue;
    origins_.push_back(origin);
    for (auto& name : origin->names()) {
      auto const known = std::find_if(wanted.begin(), wanted.end(),
                                      [&](auto const& other) { return other.first == name; });
      if (known == wanted.end()) {
        wanted.emplace_back(std::move(name), every);
      } else {
        known->second = std::min(known->second, every);
      }
    }
  }
  std::vector<std::unique_ptr<Name>> names;
  for (auto const& [text, every] : wanted) {
    auto const known = std::find_if(names_.begin(), names_.end(), [&](auto const& name) {
      return name != nullptr && name->name() == text;
    });
    if (known != names_.end()) {
      names.push_back(std::move(*known));
      names.back()->set(every);
    } else {
      names.push_back(std::make_unique<Name>(*this, text, every));
      names.back()->sleep();
    }
  }
  names_.swap(names);
  for (auto const& name : names) {
    if (name == nullptr) continue;
    std::erase(waiting_, name.get());
    asking_ -= name->is_busy();
    name->stop();
  }
  while (asking_ < max_lookups_at_once && !waiting_.empty()) has_room();
  std::vector<NameState> states;
  for (auto const& name : names_) {
    states.push_back(name->state());
    states.back().addresses = addresses_of(name->name()).size();
  }
  std::lock_guard const lock(mutex_);
  states_.swap(states);
}

void NameWatch::stop() { watch({}); }

void NameWatch::ask(Name& name) {
  waiting_.push_back(&name);
  if (asking_ < max_lookups_at_once) has_room();
}

void NameWatch::has_room() {
  auto& next = *waiting_.front();
  waiting_.pop_front();
  ++asking_;
  next.begin();
}

void NameWatch::has_answered() {
  --asking_;
  if (!waiting_.empty()) has_room();
}

bool NameWatch::differs(std::string const& name, std::vector<IpAddress> const& addresses) const {
  return std::any_of(origins_.begin(), origins_.end(), [&](auto const& origin) {
    return origin->with_addresses(name, addresses) != nullptr;
  });
}

std::vector<IpAddress> NameWatch::addresses_of(std::string const& name) const {
  for (auto const& origin : origins_) {
    auto addresses = origin->addresses_of(name);
    if (!addresses.empty()) return addresses;
  }
  return {};
}

void NameWatch::publish(NameState const& state) {
  std::lock_guard const lock(mutex_);
  for (auto& known : states_) {
    if (known.name != state.name) continue;
    known.failures = state.failures;
    known.last_failure = state.last_failure;
  }
}

std::vector<NameState> NameWatch::states() const {
  std::lock_guard const lock(mutex_);
  return states_;
}

}  // namespace certgate::upstream
