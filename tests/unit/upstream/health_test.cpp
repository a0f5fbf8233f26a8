// Probes against scripted servers: what counts as well, what is told when it changes, how it ends.
#include "certgate/upstream/health.hpp"

#include <poll.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "loopback.hpp"

namespace certgate::upstream {
namespace {

// Answers every connection with what it holds just now; counts and keeps the requests.
class Answering {
 public:
  explicit Answering(std::string answer) : answer_(std::move(answer)), thread_([this] { run(); }) {}
  ~Answering() {
    stopped_ = true;
    thread_.join();
  }
  IpEndpoint endpoint() const { return listener_.endpoint(); }
  void answer(std::string text) {
    std::lock_guard const lock(mutex_);
    answer_ = std::move(text);
  }
  std::string last_request() {
    std::lock_guard const lock(mutex_);
    return request_;
  }
  int count() const { return count_; }

 private:
  void run() {
    while (!stopped_) {
      pollfd about{listener_.fd(), POLLIN, 0};
      if (::poll(&about, 1, 10) != 1) continue;
      int const peer = listener_.accept();
      if (peer < 0) continue;
      std::string request;
      char bytes[4096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        // The loop that would send the request may have been left already.
        pollfd more{peer, POLLIN, 0};
        int const ready = ::poll(&more, 1, 10);
        if (ready == 0 && !stopped_) continue;
        auto const n = ready == 1 ? ::recv(peer, bytes, sizeof(bytes), 0) : 0;
        if (n <= 0) break;
        request.append(bytes, static_cast<std::size_t>(n));
      }
      std::lock_guard const lock(mutex_);
      request_ = request;
      ++count_;  // before the answer: who has read it may ask how many there were
      ::send(peer, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      ::close(peer);
    }
  }

  Listener listener_;
  std::mutex mutex_;
  std::string answer_, request_;
  std::atomic<int> count_{0};
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

std::string status(int code) {
  return "HTTP/1.1 " + std::to_string(code) + " X\r\nContent-Length: 0\r\n\r\n";
}

struct Rig : World {
  std::vector<HealthChange> changes;
  HealthChecker checker{loop, deadlines, [this](HealthChange const& change) {
                          changes.push_back(change);
                        }};

  std::shared_ptr<Origin> origin(std::vector<IpEndpoint> const& servers,
                                 std::function<void(HealthSettings&)> const& change = {}) {
    OriginSettings settings;
    settings.name = "api";
    settings.health.path = "/health";
    settings.health.interval = std::chrono::milliseconds{1};
    settings.health.timeout = patience;
    settings.health.healthy_after = 1;
    settings.health.unhealthy_after = 1;
    if (change) change(settings.health);
    for (auto const& server : servers) settings.servers.push_back(server_at(server));
    return std::make_shared<Origin>(std::move(settings));
  }
  ~Rig() {
    run_until([&] { return checker.stop(); });
  }
};

TEST(Health, asks_for_the_path_by_the_servers_own_name) {
  Rig rig;
  Answering server(status(200));
  rig.checker.watch({rig.origin({server.endpoint()})});
  EXPECT_TRUE(rig.run_until([&] { return server.count() >= 2; }));
  auto const request = server.last_request();
  EXPECT_EQ(request.find("GET /health HTTP/1.1\r\n"), 0u) << request;
  EXPECT_NE(request.find("\r\nHost: " + server.endpoint().to_string() + "\r\n"), std::string::npos);
  EXPECT_TRUE(rig.changes.empty());
}

TEST(Health, asks_for_the_host_that_is_configured) {
  Rig rig;
  Answering server(status(200));
  rig.checker.watch({rig.origin({server.endpoint()}, [](auto& h) { h.host = "api.internal"; })});
  EXPECT_TRUE(rig.run_until([&] { return server.count() >= 1; }));
  EXPECT_NE(server.last_request().find("\r\nHost: api.internal\r\n"), std::string::npos);
}

TEST(Health, a_wrong_status_is_told_and_so_is_the_recovery) {
  Rig rig;
  Answering server(status(503));
  auto const origin = rig.origin({server.endpoint()});
  rig.checker.watch({origin});
  ASSERT_TRUE(rig.run_until([&] { return rig.changes.size() == 1; }));
  EXPECT_EQ(rig.changes[0].origin, "api");
  EXPECT_EQ(rig.changes[0].server, origin->servers()[0]->settings().label);
  EXPECT_FALSE(rig.changes[0].is_up);
  EXPECT_EQ(rig.changes[0].reason, "status 503");
  EXPECT_TRUE(origin->servers()[0]->is_probed_down());
  server.answer(status(204));
  ASSERT_TRUE(rig.run_until([&] { return rig.changes.size() == 2; }));
  EXPECT_TRUE(rig.changes[1].is_up);
  EXPECT_FALSE(origin->servers()[0]->is_probed_down());
}

TEST(Health, by_default_200_to_399_are_well) {
  for (auto const& [code, well] : {std::pair{200, true}, {399, true}, {400, false}, {500, false}}) {
    Rig rig;
    Answering server(status(code));
    auto const origin = rig.origin({server.endpoint()});
    rig.checker.watch({origin});
    ASSERT_TRUE(rig.run_until([&] { return server.count() >= 2; }));
    EXPECT_EQ(rig.changes.empty(), well) << code;
  }
}

TEST(Health, only_the_statuses_that_are_listed_are_well) {
  Rig rig;
  Answering server(status(200));
  rig.checker.watch({rig.origin({server.endpoint()}, [](auto& h) { h.status = {418, 299}; })});
  ASSERT_TRUE(rig.run_until([&] { return rig.changes.size() == 1; }));
  server.answer(status(418));
  ASSERT_TRUE(rig.run_until([&] { return rig.changes.size() == 2; }));
}

TEST(Health, needs_as_many_failures_as_are_configured) {
  Rig rig;
  Answering server(status(500));
  rig.checker.watch({rig.origin({server.endpoint()}, [](auto& h) { h.unhealthy_after = 5; })});
  ASSERT_TRUE(rig.run_until([&] { return rig.changes.size() == 1; }));
  EXPECT_GE(server.count(), 5);
}

struct Fault {
  char const* name;
  std::string answer;
  std::string reason;
};
void PrintTo(Fault const& fault, std::ostream* out) { *out << fault.name; }

class HealthFaults : public ::testing::TestWithParam<Fault> {};

TEST_P(HealthFaults, say_what_is_wrong) {
  Rig rig;
  Answering server(GetParam().answer);
  rig.checker.watch({rig.origin({server.endpoint()})});
  ASSERT_TRUE(rig.run_until([&] { return rig.changes.size() == 1; }));
  EXPECT_EQ(rig.changes[0].reason, GetParam().reason);
}

INSTANTIATE_TEST_SUITE_P(
    Answers, HealthFaults,
    ::testing::Values(Fault{"nothing", "", "closed without an answer"},
                      Fault{"half_a_head", "HTTP/1.1 200 OK\r\nConte", "closed without an answer"},
                      Fault{"no_http", "220 mail ready\r\n\r\n", "malformed answer"}),
    [](auto const& row) { return row.param.name; });

TEST(Health, nobody_listens) {
  Rig rig;
  Listener listener;
  auto const endpoint = listener.endpoint();
  listener.close();
  rig.checker.watch({rig.origin({endpoint})});
  ASSERT_TRUE(rig.run_until([&] { return rig.changes.size() == 1; }));
  EXPECT_NE(rig.changes[0].reason.find("Connection refused"), std::string::npos);
}

TEST(Health, a_server_that_never_answers_runs_out_of_time) {
  Rig rig;
  Listener silent;
  rig.checker.watch({rig.origin({silent.endpoint()}, [](auto& h) {
    h.timeout = std::chrono::milliseconds{1};
  })});
  ASSERT_TRUE(rig.run_until([&] { return rig.changes.size() == 1; }));
  EXPECT_EQ(rig.changes[0].reason, "no answer in time");
}

TEST(Health, each_server_is_judged_by_itself) {
  Rig rig;
  Answering well(status(200)), ill(status(500));
  auto const origin = rig.origin({well.endpoint(), ill.endpoint()});
  rig.checker.watch({origin});
  ASSERT_TRUE(rig.run_until([&] { return !rig.changes.empty() && well.count() >= 2; }));
  EXPECT_FALSE(origin->servers()[0]->is_probed_down());
  EXPECT_TRUE(origin->servers()[1]->is_probed_down());
}

TEST(Health, origins_without_a_path_are_left_alone) {
  Rig rig;
  Answering watched(status(200)), other(status(200));
  rig.checker.watch({rig.origin({other.endpoint()}, [](auto& h) { h.path.clear(); }),
                     rig.origin({watched.endpoint()})});
  ASSERT_TRUE(rig.run_until([&] { return watched.count() >= 5; }));
  EXPECT_EQ(other.count(), 0);
}

TEST(Health, one_that_is_no_longer_wanted_is_asked_no_more) {
  Rig rig;
  Answering first(status(200)), second(status(200));
  auto const origin = rig.origin({first.endpoint()});
  rig.checker.watch({origin});
  ASSERT_TRUE(rig.run_until([&] { return first.count() >= 1; }));
  rig.checker.watch({rig.origin({second.endpoint()})});
  ASSERT_TRUE(rig.run_until([&] { return second.count() >= 1; }));
  auto const count = first.count();
  ASSERT_TRUE(rig.run_until([&] { return second.count() >= 10; }));
  EXPECT_LE(first.count(), count + 1);  // the one that was in flight
}

// A name of the origin got another address: the server that stays is not asked anew.
TEST(Health, servers_that_two_origins_share_are_probed_on) {
  Rig rig;
  Answering first(status(200));
  Listener gone;
  auto settings = rig.origin({first.endpoint(), gone.endpoint()})->settings();
  auto stays = server_at(first.endpoint()), goes = server_at(gone.endpoint());
  stays.written = "http://stays";
  goes.written = "http://goes";
  goes.name = "goes";
  settings.servers = {stays, goes};
  settings.health.interval = std::chrono::hours{1};
  auto const before = std::make_shared<Origin>(settings);
  rig.checker.watch({before});
  ASSERT_TRUE(rig.run_until([&] { return first.count() == 1; }));
  auto const address = *IpAddress::parse("127.0.0.2");  // nobody listens there
  auto const after = before->with_addresses("goes", {address});
  ASSERT_NE(after, nullptr);
  rig.checker.watch({after});
  ASSERT_TRUE(rig.run_until([&] { return rig.changes.size() == 1; }));
  EXPECT_EQ(rig.changes[0].server, "http://goes (127.0.0.2)");
  EXPECT_EQ(first.count(), 1);
}

TEST(Health, stop_ends_a_probe_that_waits_for_its_answer) {
  Rig rig;
  Listener silent;
  rig.checker.watch({rig.origin({silent.endpoint()})});
  rig.loop.run_until([] { return false; }, std::chrono::milliseconds{1});
  EXPECT_TRUE(rig.run_until([&] { return rig.checker.stop(); }));
  EXPECT_TRUE(rig.changes.empty());
}

}  // namespace
}  // namespace certgate::upstream
