// Names that get other addresses, cannot be resolved, or are asked for by too many at once.
#include "certgate/upstream/name_watch.hpp"

#include <condition_variable>
#include <map>
#include <set>

#include "loopback.hpp"

namespace certgate::upstream {
namespace {

using Kind = NameNews::Kind;
constexpr std::chrono::milliseconds often{1};

// A resolver whose answers a test sets. Look-ups come on any thread; those of a name that is held
// back wait.
class Resolver {
 public:
  void set(std::string const& name, Result<std::vector<IpAddress>> answer) {
    std::lock_guard const lock(mutex_);
    answers_.insert_or_assign(name, std::move(answer));
  }
  void set(std::string const& name, std::string const& address) {
    set(name, std::vector<IpAddress>{*IpAddress::parse(address)});
  }
  void hold_back(bool on) {
    std::lock_guard const lock(mutex_);
    held_ = on;
    changed_.notify_all();
  }
  int count(std::string const& name) {
    std::lock_guard const lock(mutex_);
    return counts_[name];
  }
  std::size_t most_at_once() {
    std::lock_guard const lock(mutex_);
    return most_;
  }
  std::size_t asking() {
    std::lock_guard const lock(mutex_);
    return asking_;
  }
  Result<std::vector<IpAddress>> answer(std::string const& name) {
    std::unique_lock lock(mutex_);
    ++counts_[name];
    most_ = std::max(most_, ++asking_);
    changed_.wait(lock, [&] { return !held_; });
    --asking_;
    auto const known = answers_.find(name);
    if (known == answers_.end()) return fail(ErrorCode::not_found, "Name or service not known");
    return known->second;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Result<std::vector<IpAddress>>> answers_;
  std::map<std::string, int> counts_;
  std::size_t asking_ = 0, most_ = 0;
  bool held_ = false;
};

std::shared_ptr<Origin> origin_at(std::string const& name, std::string const& address,
                                  std::chrono::milliseconds every = often) {
  OriginSettings settings;
  settings.name = "origin of " + name;
  settings.resolve_every = every;
  ServerSettings server;
  server.written = "http://" + name;
  server.name = name;
  server.address.ip = IpEndpoint{*IpAddress::parse(address), 80};
  settings.servers.push_back(std::move(server));
  return std::make_shared<Origin>(std::move(settings));
}

struct Rig : World {
  // Threads that nobody waits for may outlive the test.
  std::shared_ptr<Resolver> resolver = std::make_shared<Resolver>();
  std::vector<NameNews> news;
  NameWatch watch{loop, deadlines,
                  [resolver = resolver](std::string const& name) { return resolver->answer(name); },
                  [this](NameNews const& told) { news.push_back(told); }};

  // What the threads of look-ups do wakes no loop.
  bool look_until(std::function<bool()> const& done) {
    auto const end = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < end) {
      if (loop.run_until(done, std::chrono::milliseconds{10})) return true;
    }
    return false;
  }
};

TEST(NameWatch, other_addresses_are_told_until_they_are_in_use) {
  Rig rig;
  auto const before = origin_at("api", "10.0.0.1");
  rig.resolver->set("api", "10.0.0.2");
  rig.watch.watch({before});
  ASSERT_TRUE(rig.run_until([&] { return rig.news.size() >= 2; }));
  for (auto const& told : rig.news) {
    EXPECT_EQ(told.kind, Kind::changed);
    EXPECT_EQ(told.name, "api");
    ASSERT_EQ(told.addresses.size(), 1u);
    EXPECT_EQ(told.addresses[0].to_string(), "10.0.0.2");
  }
  rig.watch.watch({before->with_addresses("api", rig.news[0].addresses)});
  rig.news.clear();
  auto const count = rig.resolver->count("api");
  ASSERT_TRUE(rig.run_until([&] { return rig.resolver->count("api") >= count + 3; }));
  EXPECT_TRUE(rig.news.empty());
}

TEST(NameWatch, a_failure_is_told_once_and_so_is_the_recovery) {
  Rig rig;
  rig.watch.watch({origin_at("api", "10.0.0.1")});
  ASSERT_TRUE(rig.run_until([&] { return rig.resolver->count("api") >= 4; }));
  ASSERT_EQ(rig.news.size(), 1u);
  EXPECT_EQ(rig.news[0].kind, Kind::failed);
  EXPECT_EQ(rig.news[0].reason, "Name or service not known");
  ASSERT_EQ(rig.news[0].addresses.size(), 1u);
  EXPECT_EQ(rig.news[0].addresses[0].to_string(), "10.0.0.1");
  auto const states = rig.watch.states();
  ASSERT_EQ(states.size(), 1u);
  EXPECT_GE(states[0].failures, 3u);
  EXPECT_EQ(states[0].addresses, 1u);
  EXPECT_EQ(states[0].last_failure, "Name or service not known");

  rig.resolver->set("api", fail(ErrorCode::not_found, "Temporary failure in name resolution"));
  ASSERT_TRUE(rig.run_until([&] { return rig.news.size() == 2; }));  // another reason is news
  rig.resolver->set("api", "10.0.0.1");
  ASSERT_TRUE(rig.run_until([&] { return rig.news.size() == 3; }));
  EXPECT_EQ(rig.news[2].kind, Kind::well_again);
  EXPECT_EQ(rig.watch.states()[0].last_failure, "");
}

TEST(NameWatch, origins_that_want_it_only_at_load_are_left_alone) {
  Rig rig;
  rig.watch.watch({origin_at("fixed", "10.0.0.1", std::chrono::milliseconds{0}),
                   origin_at("api", "10.0.0.1")});
  ASSERT_TRUE(rig.run_until([&] { return rig.resolver->count("api") >= 3; }));
  EXPECT_EQ(rig.resolver->count("fixed"), 0);
}

TEST(NameWatch, the_shortest_period_of_a_name_counts) {
  Rig rig;
  rig.watch.watch({origin_at("api", "10.0.0.1", std::chrono::hours{1}), origin_at("api", "10.0.0.1"),
                   origin_at("api", "10.0.0.1", std::chrono::hours{2})});
  EXPECT_TRUE(rig.run_until([&] { return rig.resolver->count("api") >= 2; }));
  EXPECT_EQ(rig.watch.states().size(), 1u);
}

TEST(NameWatch, a_new_period_holds_at_once) {
  Rig rig;
  rig.resolver->set("api", "10.0.0.1");
  rig.watch.watch({origin_at("api", "10.0.0.1", std::chrono::hours{1})});
  rig.watch.watch({origin_at("api", "10.0.0.1")});
  EXPECT_TRUE(rig.run_until([&] { return rig.resolver->count("api") >= 1; }));
}

TEST(NameWatch, asks_for_a_few_names_at_once_and_for_all_in_the_end) {
  Rig rig;
  std::vector<std::shared_ptr<Origin>> origins;
  std::set<std::string> names;
  for (std::size_t i = 0; i < 3 * max_lookups_at_once; ++i) {
    auto const name = "n" + std::to_string(i);
    names.insert(name);
    origins.push_back(origin_at(name, "10.0.0.1"));
  }
  rig.resolver->hold_back(true);
  rig.watch.watch(origins);
  ASSERT_TRUE(rig.look_until([&] { return rig.resolver->asking() == max_lookups_at_once; }));
  rig.resolver->hold_back(false);
  ASSERT_TRUE(rig.run_until([&] {
    return std::all_of(names.begin(), names.end(),
                       [&](auto const& name) { return rig.resolver->count(name) >= 2; });
  }));
  EXPECT_EQ(rig.resolver->most_at_once(), max_lookups_at_once);
}

TEST(NameWatch, names_that_go_while_they_are_looked_up_make_room_for_others) {
  Rig rig;
  std::vector<std::shared_ptr<Origin>> origins;
  for (std::size_t i = 0; i < 2 * max_lookups_at_once; ++i) {
    origins.push_back(origin_at("n" + std::to_string(i), "10.0.0.1"));
  }
  rig.resolver->hold_back(true);
  rig.watch.watch(origins);
  ASSERT_TRUE(rig.look_until([&] { return rig.resolver->asking() == max_lookups_at_once; }));
  rig.watch.watch({origin_at("api", "10.0.0.1")});
  EXPECT_TRUE(rig.look_until([&] { return rig.resolver->count("api") == 1; }));
  rig.watch.stop();
  EXPECT_TRUE(rig.watch.states().empty());
  rig.resolver->hold_back(false);
  EXPECT_TRUE(rig.news.empty());
}

}  // namespace
}  // namespace certgate::upstream
