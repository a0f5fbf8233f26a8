#include "crl_fetcher.hpp"

#include <algorithm>
#include <limits>
#include <set>

#include "kept_list.hpp"
#include "list_fetch.hpp"

namespace certgate::gateway {
namespace {

using telemetry::LogLevel;

// A wait is made of few different pieces: each duration of a Deadlines is a list that stays.
constexpr std::chrono::milliseconds sleep_pieces[] = {
    std::chrono::minutes{10}, std::chrono::minutes{1}, std::chrono::seconds{10},
    std::chrono::seconds{1}, std::chrono::milliseconds{100}};

std::string in_seconds(std::chrono::milliseconds wait) {
  return wait < std::chrono::seconds{10}
             ? std::to_string(wait.count()) + " ms"
             : std::to_string(std::chrono::round<std::chrono::seconds>(wait).count()) + " s";
}

// The first, the second, the fourth, …: a server that stays away does not fill the log.
bool is_worth_a_line(unsigned failures) { return (failures & (failures - 1)) == 0; }

}  // namespace

// One address: sleeps, asks, judges, and sleeps again. On the fetcher's thread.
class CrlFetcher::Source final : private net::Deadline {
 public:
  Source(CrlFetcher& owner, CrlUrl url, CrlFetchSettings settings)
      : owner_(owner),
        url_(std::move(url)),
        settings_(std::move(settings)),
        fetch_(owner.loop_, owner.deadlines_, owner.target_.lookup) {}

  void begin() { net::start(run()); }
  void set(CrlUrl url, CrlFetchSettings settings);
  // Afterwards it may be deleted once it is idle.
  void stop() {
    is_stopped_ = true;
    disarm();
    fetch_.cancel();
  }
  bool is_idle() const { return !is_busy_; }

 private:
  void on_expired() override;
  void sleep();
  void plan(std::chrono::milliseconds wait);
  net::Task<void> run();
  void take(ListFetched fetched);
  void note_delta(std::string const& delta_url, std::string const& problem);
  void note_good(FetchedList const& list, std::string const& sentence);
  void note_failure(std::string const& why);
  UnixSeconds now() const { return owner_.target_.clock->unix_seconds(); }
  double random() { return std::uniform_real_distribution<double>(0, 1)(owner_.random_); }

  CrlFetcher& owner_;
  CrlUrl url_;
  CrlFetchSettings settings_;
  ListFetch fetch_;
  std::int64_t due_ = 0;  // net::Loop::coarse_milliseconds()
  unsigned failures_in_a_row_ = 0;
  std::string last_failure_;
  unsigned delta_failures_in_a_row_ = 0;
  std::string last_delta_failure_;
  bool is_busy_ = false;
  bool is_stopped_ = false;
};

void CrlFetcher::Source::set(CrlUrl url, CrlFetchSettings settings) {
  url_ = std::move(url);
  settings_ = std::move(settings);
  if (is_busy_) return;  // planned anew when it is done
  auto const latest = net::Loop::coarse_milliseconds() + settings_.pace.interval.count();
  if (due_ > latest) plan(settings_.pace.interval);
}

void CrlFetcher::Source::plan(std::chrono::milliseconds wait) {
  due_ = net::Loop::coarse_milliseconds() + wait.count();
  auto const next_at = now() + std::chrono::ceil<std::chrono::seconds>(wait).count();
  owner_.change_state(url_.key, [&](CrlFetchState& state) { state.next_at = next_at; });
  sleep();
}

void CrlFetcher::Source::sleep() {
  auto const left = due_ - net::Loop::coarse_milliseconds();
  auto piece = std::chrono::milliseconds{100};
  for (auto const candidate : sleep_pieces) {
    if (candidate.count() > left) continue;
    piece = candidate;
    break;
  }
  arm(owner_.deadlines_.list(piece));
}

void CrlFetcher::Source::on_expired() {
  if (net::Loop::coarse_milliseconds() < due_) return sleep();
  begin();
}

net::Task<void> CrlFetcher::Source::run() {
  is_busy_ = true;
  auto const known = owner_.store_->find(url_.key);
  auto fetched = co_await fetch_.run(url_, settings_, known);
  is_busy_ = false;
  if (is_stopped_) {
    owner_.loop_.post([&owner = owner_] { owner.reap(); });
    co_return;
  }
  if (!fetched) {
    note_failure(fetched.error().detail);
  } else {
    take(std::move(*fetched));
  }
}

void CrlFetcher::Source::take(ListFetched fetched) {
  fetched.list.fetched_at = now();
  note_delta(fetched.delta_url, fetched.delta_problem);
  auto const list = std::make_shared<FetchedList const>(std::move(fetched.list));
  auto const& directory = owner_.target_.state_directory;
  if (!fetched.is_unchanged && !directory.empty()) {
    if (auto const kept = write_kept_list(directory, url_, *list, fetched.bytes); !kept) {
      owner_.target_.log(LogLevel::error, "the CRL of " + url_.text() +
                                              " is in force, but a restart would lose it: " +
                                              kept.error().detail);
    }
  }
  owner_.store_->put(url_.key, list);
  if (fetched.is_unchanged) return note_good(*list, "");
  note_good(*list, "CRL fetched: " + url_.text() + ": " + describe(*list));
  owner_.target_.changed();
}

void CrlFetcher::Source::note_delta(std::string const& delta_url, std::string const& problem) {
  bool const was_away = delta_failures_in_a_row_ > 0;
  bool const is_news = problem != last_delta_failure_;
  last_delta_failure_ = problem;
  delta_failures_in_a_row_ = problem.empty() ? 0 : delta_failures_in_a_row_ + 1;
  owner_.change_state(url_.key, [&](CrlFetchState& state) {
    state.delta_url = delta_url;
    state.delta_failure = problem;
    if (!problem.empty()) state.failures += 1;
  });
  auto const whose = "the delta of " + url_.text() + " from " + delta_url;
  if (!problem.empty() && (is_news || is_worth_a_line(delta_failures_in_a_row_))) {
    owner_.target_.log(LogLevel::warning, "CRL not fetched: " + whose + ": " + problem +
                                              "; the list stays in force, with the delta it has; failures in a "
                                              "row: " + std::to_string(delta_failures_in_a_row_));
  } else if (problem.empty() && was_away && !delta_url.empty()) {
    owner_.target_.log(LogLevel::info, "CRL fetched again: " + whose);
  }
}

void CrlFetcher::Source::note_good(FetchedList const& list, std::string const& sentence) {
  bool const was_away = failures_in_a_row_ > 0;
  failures_in_a_row_ = 0;
  last_failure_.clear();
  auto wait = fetch::wait_after_success(settings_.pace, now(), successor_due(list), random());
  if (delta_failures_in_a_row_ > 0) {
    wait = std::min(wait, fetch::wait_after_failure(settings_.pace, delta_failures_in_a_row_, random()));
  }
  plan(wait);
  owner_.change_state(url_.key, [&](CrlFetchState& state) {
    state.was_asked = true;
    state.has_list = true;
    state.good_at = list.fetched_at;
    state.failures_in_a_row = 0;
    state.last_failure.clear();
    state.list = describe(list);
    state.bytes = list.bytes;
  });
  if (!sentence.empty()) {
    owner_.target_.log(LogLevel::info, sentence);
  } else if (was_away) {
    owner_.target_.log(LogLevel::info,
                       "CRL fetched again: " + url_.text() + ": unchanged, " + describe(list));
  }
}

void CrlFetcher::Source::note_failure(std::string const& why) {
  if (failures_in_a_row_ < std::numeric_limits<unsigned>::max()) ++failures_in_a_row_;
  bool const is_news = why != last_failure_;
  last_failure_ = why;
  auto const known = owner_.store_->find(url_.key);
  auto const wait = fetch::wait_after_failure(settings_.pace, failures_in_a_row_, random());
  plan(wait);
  owner_.change_state(url_.key, [&](CrlFetchState& state) {
    state.was_asked = true;
    state.failures += 1;
    state.failures_in_a_row = failures_in_a_row_;
    state.last_failure = why;
  });
  if (is_news || is_worth_a_line(failures_in_a_row_)) {
    auto sentence = "CRL not fetched: " + url_.text() + ": " + why;
    sentence += known != nullptr
                    ? "; the last good one stays in force (" + describe(*known) + ")"
                    : "; there is none of it yet, so clients that it would speak for count as not "
                      "verified";
    sentence += "; next try in " + in_seconds(wait) + ", failures in a row: " +
                std::to_string(failures_in_a_row_);
    owner_.target_.log(known != nullptr ? LogLevel::warning : LogLevel::error, sentence);
  }
}

CrlFetcher::CrlFetcher(CrlFetchTarget target, std::shared_ptr<CrlStore> store)
    : target_(std::move(target)), store_(std::move(store)), thread_([this] { loop_.run(); }) {}

CrlFetcher::~CrlFetcher() {
  loop_.stop();
  thread_.join();
  for (auto& [key, source] : sources_) ending_.push_back(std::move(source));
  sources_.clear();
  for (auto const& source : ending_) source->stop();
  loop_.run_until(
      [this] {
        return std::all_of(ending_.begin(), ending_.end(),
                           [](auto const& source) { return source->is_idle(); });
      },
      std::chrono::seconds{5});
}

template <class Change>
void CrlFetcher::change_state(std::string const& key, Change const& change) {
  {
    std::lock_guard const lock(mutex_);
    auto const at = states_.find(key);
    if (at == states_.end()) return;  // no longer wanted
    change(at->second);
  }
  state_changed_.notify_all();
}

void CrlFetcher::read_kept(CrlUrl const& url) {
  auto kept = read_kept_list(target_.state_directory, url);
  if (!kept) {
    if (kept.error().code == ErrorCode::not_found) return;
    return target_.log(LogLevel::error, "CRL of " + url.text() + ": " + kept.error().detail);
  }
  store_->put(url.key, std::make_shared<FetchedList const>(std::move(*kept)));
}

void CrlFetcher::add(std::vector<CrlUrl> const& urls, CrlFetchSettings const& settings) {
  for (auto const& url : urls) {
    {
      std::lock_guard const lock(mutex_);
      if (states_.contains(url.key)) continue;
    }
    if (store_->find(url.key) == nullptr) read_kept(url);
    CrlFetchState state;
    state.key = url.key;
    state.url = url.text();
    state.host = url.host;
    if (auto const list = store_->find(url.key)) {
      state.has_list = true;
      state.good_at = list->fetched_at;
      state.list = describe(*list);
      state.bytes = list->bytes;
    }
    {
      std::lock_guard const lock(mutex_);
      states_.emplace(url.key, std::move(state));
    }
    loop_.post([this, url, settings] {
      auto& source = sources_[url.key];
      if (source != nullptr) return;
      source = std::make_unique<Source>(*this, url, settings);
      source->begin();
    });
  }
}

void CrlFetcher::keep_only(std::vector<CrlUrl> const& urls, CrlFetchSettings const& settings) {
  add(urls, settings);
  std::set<std::string> wanted;
  for (auto const& url : urls) wanted.insert(url.key);
  {
    std::lock_guard const lock(mutex_);
    for (auto at = states_.begin(); at != states_.end();) {
      if (wanted.contains(at->first)) {
        ++at;
        continue;
      }
      store_->forget(at->first);
      at = states_.erase(at);
    }
  }
  loop_.post([this, urls, settings, wanted] {
    for (auto at = sources_.begin(); at != sources_.end();) {
      if (wanted.contains(at->first)) {
        ++at;
        continue;
      }
      at->second->stop();
      ending_.push_back(std::move(at->second));
      at = sources_.erase(at);
    }
    for (auto const& url : urls) {
      if (auto const at = sources_.find(url.key); at != sources_.end()) {
        at->second->set(url, settings);
      }
    }
    reap();
    remove_kept(urls);
  });
}

void CrlFetcher::remove_kept(std::vector<CrlUrl> const& wanted) {
  for (auto const& removed : remove_unwanted_lists(target_.state_directory, wanted)) {
    auto const whose = removed.url.empty() ? std::string("a CRL") : "the CRL of " + removed.url;
    if (!removed.problem.empty()) {
      target_.log(LogLevel::warning, whose + " is not wanted any more: " + removed.problem);
    } else {
      target_.log(LogLevel::info, "the kept file of " + whose +
                                      " was removed: its address is not configured any more");
    }
  }
}

void CrlFetcher::reap() {
  std::erase_if(ending_, [](auto const& source) { return source->is_idle(); });
}

std::vector<CrlFetchState> CrlFetcher::wait_for(std::vector<CrlUrl> const& urls,
                                                std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  auto const is_settled = [&](CrlUrl const& url) {
    auto const at = states_.find(url.key);
    return at == states_.end() || at->second.has_list || at->second.was_asked;
  };
  state_changed_.wait_for(lock, at_most, [&] {
    return std::all_of(urls.begin(), urls.end(), is_settled);
  });
  std::vector<CrlFetchState> missing;
  for (auto const& url : urls) {
    auto const at = states_.find(url.key);
    if (at != states_.end() && !at->second.has_list) missing.push_back(at->second);
  }
  return missing;
}

std::vector<CrlFetchState> CrlFetcher::states() const {
  std::lock_guard const lock(mutex_);
  std::vector<CrlFetchState> all;
  for (auto const& [key, state] : states_) all.push_back(state);
  return all;
}

}  // namespace certgate::gateway
