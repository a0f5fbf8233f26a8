// The admin server and its client over real sockets: unix and loopback TCP.
#include "certgate/admin/server.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "certgate/admin/client.hpp"
#include "socket_address.hpp"

namespace certgate::admin {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class FakeGateway final : public Control {
 public:
  bool ready() override { return is_ready; }
  std::string status() override { return "{\"version\":7}"; }
  std::string metrics() override { return "certgate_up 1\n"; }
  void reload(std::string_view, Done done) override {
    std::lock_guard const lock{mutex};
    if (hold) {
      held.push_back(std::move(done));
    } else {
      std::thread{[done = std::move(done), outcome = outcome] { done(outcome); }}.detach();
    }
  }
  bool command(std::string_view name, std::string_view body, Done done) override {
    if (name != "deny") return false;
    done({true, "denied " + std::string(body)});
    return true;
  }

  std::atomic<bool> is_ready{true};
  std::mutex mutex;
  bool hold = false;
  Outcome outcome{true, "reloaded: version 8"};
  std::vector<Done> held;
};

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    std::string name = (fs::temp_directory_path() / "certgate-admin-XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~ServerTest() override {
    server_.reset();
    fs::remove_all(directory_);
  }
  Address unix_address() const {
    return *Address::parse("unix:" + (directory_ / "admin.sock").string());
  }
  Address start(ServerOptions options) {
    auto server = Server::start(std::move(options), gateway_);
    EXPECT_TRUE(server) << (server ? "" : server.error().detail);
    server_ = std::move(*server);
    return server_->address();
  }
  // Sends raw bytes and returns everything that comes back until the server hangs up.
  static std::string exchange(Address const& address, std::string_view request) {
    int const descriptor = connected(address);
    EXPECT_EQ(send(descriptor, request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    std::string answer;
    char buffer[4096];
    for (ssize_t got; (got = recv(descriptor, buffer, sizeof(buffer), 0)) > 0;) {
      answer.append(buffer, static_cast<std::size_t>(got));
    }
    close(descriptor);
    return answer;
  }
  static int connected(Address const& address) {
    SocketAddress const where{address};
    int const descriptor = socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(descriptor, where.get(), where.size), 0);
    return descriptor;
  }

  fs::path directory_;
  FakeGateway gateway_;
  std::unique_ptr<Server> server_;
};

Answer asked(Result<Answer> answer) {
  EXPECT_TRUE(answer) << (answer ? "" : answer.error().detail);
  return answer ? *answer : Answer{};
}

class EveryTransport : public ServerTest, public testing::WithParamInterface<bool> {
 protected:
  Address listen() {
    return start({.address = GetParam() ? unix_address() : *Address::parse("127.0.0.1:0")});
  }
};

TEST_P(EveryTransport, answers_every_route) {
  Client const client{listen()};
  EXPECT_EQ(asked(client.get("/metrics")).body, "certgate_up 1\n");
  EXPECT_EQ(asked(client.get("/status")).body, "{\"version\":7}");
  EXPECT_EQ(asked(client.get("/healthz")).body, "ok\n");
  EXPECT_EQ(asked(client.get("/readyz")).status, 200u);
  gateway_.is_ready = false;
  EXPECT_EQ(asked(client.get("/readyz")).status, 503u);
  EXPECT_EQ(asked(client.get("/healthz")).status, 200u);
  EXPECT_EQ(asked(client.get("/nothing")).status, 404u);
  EXPECT_EQ(asked(client.get("/reload")).status, 405u);
}

TEST_P(EveryTransport, reload_answers_with_the_verdict) {
  Client const client{listen()};
  auto const good = asked(client.post("/reload"));
  EXPECT_EQ(good.status, 200u);
  EXPECT_EQ(good.body, "reloaded: version 8\n");
  gateway_.outcome = {false, "certgate.yaml:3:1: unknown key\n"};
  auto const bad = asked(client.post("/reload"));
  EXPECT_EQ(bad.status, 422u);
  EXPECT_EQ(bad.body, "certgate.yaml:3:1: unknown key\n");
}

TEST_P(EveryTransport, commands_work_where_the_caller_is_known) {
  Client const client{listen()};
  EXPECT_EQ(asked(client.post("/deny", "0A1B")).status, GetParam() ? 200u : 404u);
  EXPECT_EQ(asked(client.post("/unknown")).status, 404u);
  if (GetParam()) {
    EXPECT_EQ(asked(client.post("/deny", std::string(max_body_bytes, 'x'))).status, 200u);
  }
  EXPECT_EQ(asked(client.post("/deny", std::string(max_body_bytes + 1, 'x'))).status, 413u);
}

INSTANTIATE_TEST_SUITE_P(Transports, EveryTransport, testing::Bool(),
                         [](auto const& row) { return std::string(row.param ? "unix" : "tcp"); });

TEST_F(ServerTest, other_requests_are_answered_while_a_reload_runs) {
  gateway_.hold = true;
  auto const address = start({.address = unix_address()});
  Result<Answer> answer = fail(ErrorCode::internal, "not asked");
  std::thread reloading{[&] { answer = Client{address, 20s}.post("/reload"); }};
  while (true) {
    std::lock_guard const lock{gateway_.mutex};
    if (!gateway_.held.empty()) break;
    std::this_thread::yield();
  }
  EXPECT_EQ(asked(Client{address}.get("/healthz")).status, 200u);
  gateway_.held[0]({true, "done"});
  reloading.join();
  EXPECT_EQ(asked(answer).body, "done\n");
}

TEST_F(ServerTest, a_verdict_may_come_after_the_server_has_gone) {
  gateway_.hold = true;
  auto const address = start({.address = unix_address()});
  int const caller = connected(address);
  std::string_view const request = "POST /reload HTTP/1.1\r\n\r\n";
  EXPECT_GT(send(caller, request.data(), request.size(), MSG_NOSIGNAL), 0);
  while (true) {
    std::lock_guard const lock{gateway_.mutex};
    if (!gateway_.held.empty()) break;
    std::this_thread::yield();
  }
  server_.reset();
  gateway_.held[0]({true, "too late"});
  gateway_.held.clear();
  close(caller);
}

TEST_F(ServerTest, a_command_that_never_answers_is_a_504) {
  gateway_.hold = true;
  auto const address = start({.address = unix_address(), .command_timeout = 10ms});
  EXPECT_EQ(asked(Client{address, 20s}.post("/reload")).status, 504u);
  gateway_.held[0]({true, "late"});
  EXPECT_EQ(asked(Client{address}.get("/healthz")).status, 200u);
}

TEST_F(ServerTest, the_unix_socket_is_for_its_owner_and_goes_with_the_server) {
  auto const address = start({.address = unix_address()});
  struct stat status {};
  ASSERT_EQ(stat(address.unix_path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  server_.reset();
  EXPECT_FALSE(fs::exists(address.unix_path));
}

TEST_F(ServerTest, a_dead_processs_socket_is_replaced_a_live_one_is_not) {
  auto const address = unix_address();
  {
    SocketAddress const where{address};
    int const dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(bind(dead, where.get(), where.size), 0);
    close(dead);
  }
  start({.address = address});
  auto const second = Server::start({.address = address}, gateway_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::conflict);
  EXPECT_EQ(asked(Client{address}.get("/healthz")).status, 200u);
}

TEST_F(ServerTest, a_file_that_is_not_a_socket_is_left_alone) {
  std::ofstream{unix_address().unix_path} << "precious";
  auto const server = Server::start({.address = unix_address()}, gateway_);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::conflict);
  EXPECT_TRUE(fs::is_regular_file(unix_address().unix_path));
}

TEST_F(ServerTest, a_socket_that_somebody_else_put_there_stays) {
  auto const address = start({.address = unix_address()});
  fs::remove(address.unix_path);
  std::ofstream{address.unix_path} << "newer";
  server_.reset();
  EXPECT_TRUE(fs::exists(address.unix_path));
}

TEST_F(ServerTest, remote_addresses_need_permission) {
  auto const anywhere = *Address::parse("0.0.0.0:0");
  auto const refused = Server::start({.address = anywhere}, gateway_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::permission);
  auto const allowed = start({.address = anywhere, .allow_remote = true});
  auto const here = *Address::parse("127.0.0.1:" + std::to_string(allowed.tcp.port));
  EXPECT_EQ(asked(Client{here}.get("/healthz")).status, 200u);
}

TEST_F(ServerTest, a_port_in_use_is_a_conflict) {
  auto const address = start({.address = *Address::parse("127.0.0.1:0")});
  auto const second = Server::start({.address = address}, gateway_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::conflict);
}

TEST_F(ServerTest, hostile_requests_are_refused) {
  auto const address = start({.address = *Address::parse("127.0.0.1:0")});
  EXPECT_TRUE(exchange(address, "GET /status HTTP/1.1\r\nHost: evil.example\r\n\r\n")
                  .starts_with("HTTP/1.1 421 "));
  EXPECT_TRUE(exchange(address, "\x16\x03\x01\r\n\r\n").starts_with("HTTP/1.1 400 "));
  std::string const endless = "GET /" + std::string(max_head_bytes, 'a');
  EXPECT_TRUE(exchange(address, endless).starts_with("HTTP/1.1 431 "));
  EXPECT_TRUE(
      exchange(address, "HEAD /status HTTP/1.1\r\nHost: localhost\r\n\r\n").ends_with("\r\n\r\n"));
}

TEST_F(ServerTest, slow_requests_are_cut_off) {
  auto const address = start({.address = unix_address(), .request_timeout = 10ms});
  EXPECT_EQ(exchange(address, "GET /status HT"), "");
  EXPECT_EQ(exchange(address, "POST /reload HTTP/1.1\r\nContent-Length: 9\r\n\r\n"), "");
}

TEST_F(ServerTest, idle_connections_are_bounded_and_do_not_last) {
  auto const address = start({.address = unix_address(), .request_timeout = 300ms});
  std::vector<int> idle;
  for (std::size_t i = 0; i < max_connections; ++i) idle.push_back(connected(address));
  char byte;
  int const surplus = connected(address);
  EXPECT_EQ(recv(surplus, &byte, 1, 0), 0) << "closed unanswered";
  close(surplus);
  for (int const descriptor : idle) {
    EXPECT_EQ(recv(descriptor, &byte, 1, 0), 0);
    close(descriptor);
  }
  EXPECT_EQ(asked(Client{address}.get("/healthz")).status, 200u);
}

TEST_F(ServerTest, stops_with_connections_open) {
  auto const address = start({.address = unix_address()});
  int const open = connected(address);
  EXPECT_EQ(asked(Client{address}.get("/healthz")).status, 200u);
  server_.reset();
  char byte;
  EXPECT_EQ(recv(open, &byte, 1, 0), 0);
  close(open);
}

TEST_F(ServerTest, the_client_says_what_is_wrong) {
  auto const nobody = Client{unix_address()}.get("/status");
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, ErrorCode::unavailable);

  SocketAddress const where{unix_address()};
  int const listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(bind(listener, where.get(), where.size), 0);
  ASSERT_EQ(listen(listener, 4), 0);
  auto const silent = Client(unix_address(), 20ms).get("/status");
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().code, ErrorCode::timed_out);
  close(accept(listener, nullptr, nullptr));

  auto const answer_of = [&](std::string_view text) {
    std::thread server{[&] {
      int const peer = accept(listener, nullptr, nullptr);
      char buffer[512];
      EXPECT_GT(recv(peer, buffer, sizeof(buffer), 0), 0);
      send(peer, text.data(), text.size(), MSG_NOSIGNAL);
      close(peer);
    }};
    auto answer = Client{unix_address()}.get("/status");
    server.join();
    return answer ? ErrorCode::internal : answer.error().code;
  };
  EXPECT_EQ(answer_of(""), ErrorCode::closed);
  EXPECT_EQ(answer_of("SSH-2.0-hello\r\n"), ErrorCode::invalid);
  EXPECT_EQ(answer_of("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), ErrorCode::closed);
  EXPECT_EQ(answer_of("HTTP/1.1 200 OK\r\n\r\nno length"), ErrorCode::closed);
  close(listener);
}

}  // namespace
}  // namespace certgate::admin
