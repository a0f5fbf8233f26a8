// A socket that was waited for to be writable can be made to report only what is to be read.
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certgate/net/stream.hpp"
#include "support/epoll_interest.hpp"

namespace certgate::net {
namespace {

using testing::epoll_interest;

constexpr std::chrono::milliseconds at_most{60'000};

Task<void> wait_once(Socket& socket, Direction direction, int& done) {
  if (direction == Direction::write) {
    auto const ready = co_await socket.writable();
    EXPECT_EQ(ready, Ready::ready);
  } else {
    auto const ready = co_await socket.readable();
    EXPECT_EQ(ready, Ready::ready);
  }
  ++done;
}

struct Pair {
  Loop loop;
  int ends[2];
  std::unique_ptr<Socket> socket;
  int done = 0;

  Pair() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    socket = std::make_unique<Socket>(loop, ends[0]);
  }
  ~Pair() { ::close(ends[1]); }
  void wait(Direction direction) {
    auto const before = done;
    start(wait_once(*socket, direction, done));
    EXPECT_TRUE(loop.run_until([&] { return done > before; }, at_most));
  }
  bool reports_writable() const { return (epoll_interest(socket->fd()) & EPOLLOUT) != 0; }
};

TEST(ForgetWritable, leaves_reading_alone) {
  Pair pair;
  EXPECT_FALSE(pair.reports_writable());
  pair.wait(Direction::write);
  EXPECT_TRUE(pair.reports_writable());
  pair.socket->forget_writable();
  EXPECT_FALSE(pair.reports_writable());
  EXPECT_NE(epoll_interest(pair.socket->fd()) & EPOLLIN, 0u);

  // It still does all that it did.
  pair.socket->watch_readable();
  EXPECT_EQ(::send(pair.ends[1], "x", 1, 0), 1);
  pair.wait(Direction::read);
  pair.wait(Direction::write);
  EXPECT_TRUE(pair.reports_writable());
  pair.socket->forget_writable();
  EXPECT_FALSE(pair.reports_writable());
}

TEST(ForgetWritable, does_not_end_a_watch_that_is_pending) {
  Pair pair;
  pair.wait(Direction::write);
  pair.socket->watch_readable();
  pair.socket->forget_writable();
  EXPECT_EQ(::send(pair.ends[1], "x", 1, 0), 1);
  pair.wait(Direction::read);
}

TEST(ForgetWritable, keeps_what_has_arrived_meanwhile) {
  Pair pair;
  pair.wait(Direction::write);
  EXPECT_EQ(::send(pair.ends[1], "x", 1, 0), 1);
  pair.socket->forget_writable();
  pair.wait(Direction::read);
}

TEST(ForgetWritable, of_a_closed_socket_does_nothing) {
  Pair pair;
  pair.wait(Direction::write);
  pair.socket->close();
  pair.socket->forget_writable();
  EXPECT_FALSE(pair.socket->is_open());
}

}  // namespace
}  // namespace certgate::net
