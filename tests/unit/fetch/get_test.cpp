// Fetching against a server that says anything: bodies, limits, redirects, validators, addresses.
#include "certgate/fetch/get.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <thread>

namespace certgate::fetch {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

// Answers each connection with the next of its texts, and closes; then it waits for the peer to go.
class ScriptedServer {
 public:
  enum class Then { close, stall };
  explicit ScriptedServer(std::vector<std::string> answers, Then then = Then::close)
      : answers_(std::move(answers)), then_(then) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(at);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(::listen(fd_, 16), 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~ScriptedServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  std::string url(std::string const& target = "/x.crl") const {
    return "http://127.0.0.1:" + std::to_string(port_) + target;
  }
  std::uint16_t port() const { return port_; }
  std::vector<std::string> requests() const {
    std::lock_guard const lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    for (auto const& answer : answers_) {
      int const peer = ::accept(fd_, nullptr, nullptr);
      if (peer < 0) return;
      std::string request;
      char piece[4096];
      while (request.find("\r\n\r\n") == request.npos) {
        auto const got = ::recv(peer, piece, sizeof(piece), 0);
        if (got <= 0) break;
        request.append(piece, static_cast<std::size_t>(got));
      }
      {
        std::lock_guard const lock(mutex_);
        requests_.push_back(request);
      }
      std::size_t sent = 0;
      while (sent < answer.size()) {
        auto const put = ::send(peer, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
        if (put <= 0) break;
        sent += static_cast<std::size_t>(put);
      }
      if (then_ == Then::close) ::shutdown(peer, SHUT_WR);
      while (::recv(peer, piece, sizeof(piece), 0) > 0) {
      }
      ::close(peer);
    }
  }

  std::vector<std::string> answers_;
  Then then_;
  int fd_ = -1;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

Request request_for(std::string const& url) {
  Request request;
  request.url = *Url::parse(url);
  request.addresses.allowed = {*IpNetwork::parse("127.0.0.1/32")};
  request.time = 60s;
  return request;
}

net::Task<void> run_one(Get& get, Request const& request, Result<Answer>& answer, bool& done) {
  answer = co_await get.run(request);
  done = true;
}

Result<Answer> fetch(Request const& request, net::Lookup lookup = net::resolve) {
  net::Loop loop;
  net::Deadlines deadlines(loop);
  Get get(loop, deadlines, std::move(lookup));
  Result<Answer> answer = fail(ErrorCode::internal, "not done");
  bool done = false;
  net::start(run_one(get, request, answer, done));
  EXPECT_TRUE(loop.run_until([&] { return done; }, 120s));
  return answer;
}

Result<Answer> fetch_from(std::string const& answer) {
  ScriptedServer const server({answer});
  return fetch(request_for(server.url()));
}

std::string error_of(std::string const& answer) {
  auto const got = fetch_from(answer);
  return got ? "no error: " + got->body : got.error().detail;
}

TEST(FetchGet, TakesABodyHoweverItIsFramed) {
  for (auto const& answer :
       {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"s,
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more that does not count"s,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"s,
        "HTTP/1.0 200 OK\r\n\r\nhello"s,
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"s}) {
    auto const got = fetch_from(answer);
    ASSERT_TRUE(got) << got.error().detail;
    EXPECT_EQ(got->body, "hello");
    EXPECT_FALSE(got->is_unchanged);
  }
}

TEST(FetchGet, SaysWhatIsWrongWithAnAnswer) {
  EXPECT_EQ(error_of("HTTP/1.1 500 Whatever\r\nContent-Length: 0\r\n\r\n"),
            "the server answered 500 Internal Server Error");
  EXPECT_EQ(error_of("HTTP/1.1 204 No Content\r\n\r\n"), "the server answered 204 No Content");
  EXPECT_EQ(error_of("HTTP/1.1 304 Not Modified\r\n\r\n"), "the server answered 304 Not Modified");
  EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhello"),
            "the body ended after 5 of 20 bytes");
  EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
            "the body ended after 5 bytes");
  EXPECT_NE(error_of("garbage\r\n\r\n").find("not HTTP"), std::string::npos);
  EXPECT_NE(error_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello")
                .find("not HTTP"),
            std::string::npos);
  EXPECT_NE(error_of("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx")
                .find("compressed"),
            std::string::npos);
  EXPECT_EQ(error_of(""), "the server closed the connection without an answer");
  EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nX: "), "the server closed the connection within the head");
  EXPECT_NE(error_of("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x')).find("not HTTP"),
            std::string::npos);
}

TEST(FetchGet, TakesExactlyWhatIsAllowed) {
  for (auto const& head : {"Content-Length: 1000\r\n\r\n"s, "\r\n"s}) {
    auto const answer = "HTTP/1.1 200 OK\r\n" + head + std::string(1000, 'x');
    ScriptedServer const server({answer, answer});
    auto request = request_for(server.url());
    request.max_bytes = 1000;
    EXPECT_TRUE(fetch(request));
    request.max_bytes = 999;
    auto const got = fetch(request);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().detail, "the body is longer than 999 bytes (crl_refresh.max_bytes)");
  }
}

TEST(FetchGet, AsksWhetherACopyIsStillGood) {
  ScriptedServer const server(
      {"HTTP/1.1 200 OK\r\nETag: \"one\"\r\nLast-Modified: Mon, 30 Nov 2026 10:00:00 GMT\r\n"
       "Content-Length: 1\r\n\r\nx",
       "HTTP/1.1 304 Not Modified\r\nETag: \"one\"\r\n\r\n"});
  auto request = request_for(server.url());
  auto const first = fetch(request);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->validators.etag, "\"one\"");
  request.known = first->validators;
  auto const second = fetch(request);
  ASSERT_TRUE(second) << second.error().detail;
  EXPECT_TRUE(second->is_unchanged);
  auto const requests = server.requests();
  EXPECT_EQ(requests[0].find("If-"), std::string::npos);
  EXPECT_NE(requests[1].find("If-None-Match: \"one\"\r\n"), std::string::npos);
  EXPECT_NE(requests[1].find("If-Modified-Since: Mon, 30 Nov 2026 10:00:00 GMT\r\n"),
            std::string::npos);
}

TEST(FetchGet, FollowsAFewRedirects) {
  auto const to = [](std::string const& place) {
    return "HTTP/1.1 302 Found\r\nLocation: " + place + "\r\nContent-Length: 0\r\n\r\n";
  };
  auto const good = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"s;
  {
    ScriptedServer const server({to("/b"), to("c"), to("?d"), good});
    auto const got = fetch(request_for(server.url("/a")));
    ASSERT_TRUE(got) << got.error().detail;
    EXPECT_NE(server.requests()[3].find("GET /c?d HTTP/1.1"), std::string::npos);
  }
  ScriptedServer const server({to("/b"), to("/c"), to("/d"), to("/e")});
  auto const got = fetch(request_for(server.url("/a")));
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().detail.find("more than 3 redirects"), std::string::npos);
}

TEST(FetchGet, IsNotLedToWhereItMustNotGo) {
  struct Row {
    char const* location;
    char const* wanted;
  };
  for (auto const& [location, wanted] :
       {Row{"http://127.0.0.2/", "127.0.0.2 (loopback)"},
        Row{"http://169.254.169.254/latest/", "169.254.169.254 (link-local)"},
        Row{"http://[::ffff:10.0.0.1]/", "private"}, Row{"http://[::1]/", "::1 (loopback)"},
        Row{"file:///etc/passwd", "is not an http:// or https:// address"},
        Row{"ldap://127.0.0.1/", "is not an http:// or https:// address"},
        Row{"http://a@127.0.0.1/", "user name"}}) {
    ScriptedServer const server({"HTTP/1.1 301 Moved\r\nLocation: "s + location + "\r\n\r\n"});
    auto const got = fetch(request_for(server.url()));
    ASSERT_FALSE(got) << location;
    EXPECT_NE(got.error().detail.find(wanted), std::string::npos) << got.error().detail;
  }
}

TEST(FetchGet, JudgesTheAddressThatANameLeadsTo) {
  auto const request = request_for("http://crl.example.com/x");
  auto const leads_to = [](char const* text) {
    return [text](std::string const&) -> Result<std::vector<IpAddress>> {
      return std::vector<IpAddress>{*IpAddress::parse(text)};
    };
  };
  for (auto const* text : {"169.254.169.254", "10.0.0.1", "::1", "64:ff9b::7f00:2", "127.0.0.2"}) {
    auto const got = fetch(request, leads_to(text));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, ErrorCode::permission) << text;
    EXPECT_NE(got.error().detail.find("`crl.example.com` leads to"), std::string::npos);
  }
}

// A name server that answers differently each time is asked once for a connection.
TEST(FetchGet, ConnectsToTheAddressThatWasJudged) {
  ScriptedServer const server({"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"});
  auto request = request_for("http://crl.example.com:" + std::to_string(server.port()) + "/x");
  std::atomic<int> asked{0};
  auto const got = fetch(request, [&](std::string const&) -> Result<std::vector<IpAddress>> {
    // The first is refused, the second is taken; a second question would lead elsewhere.
    auto const* const good = asked++ == 0 ? "127.0.0.1" : "127.0.0.3";
    return std::vector<IpAddress>{*IpAddress::parse("10.0.0.1"), *IpAddress::parse(good)};
  });
  ASSERT_TRUE(got) << got.error().detail;
  EXPECT_EQ(asked, 1);
  EXPECT_NE(server.requests()[0].find("Host: crl.example.com:"), std::string::npos);
}

TEST(FetchGet, EndsWhenTimeIsUp) {
  ScriptedServer const server({"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"},
                              ScriptedServer::Then::stall);
  auto request = request_for(server.url());
  request.time = 300ms;
  auto const got = fetch(request);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::timed_out);
  EXPECT_EQ(got.error().detail, "not done within 300 ms");
}

TEST(FetchGet, ANameServerThatNeverAnswersHoldsNothingUp) {
  auto request = request_for("http://crl.example.com/");
  request.time = 200ms;
  struct Gate {
    std::mutex mutex;
    bool entered = false;
  };
  auto const gate = std::make_shared<Gate>();
  auto const hold = std::make_shared<std::unique_lock<std::mutex>>(gate->mutex);
  auto const got = fetch(request, [gate](std::string const&) -> Result<std::vector<IpAddress>> {
    std::lock_guard const lock(gate->mutex);  // held until the fetch has given up
    gate->entered = true;
    return std::vector<IpAddress>{*IpAddress::parse("127.0.0.1")};
  });
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::timed_out);
  hold->unlock();
}

TEST(FetchGet, AClosedPortIsToldByItsAddress) {
  std::uint16_t port = 0;
  { port = ScriptedServer({}).port(); }
  auto const got = fetch(request_for("http://127.0.0.1:" + std::to_string(port) + "/"));
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().detail.find("cannot connect to 127.0.0.1:"), std::string::npos);
}

}  // namespace
}  // namespace certgate::fetch
