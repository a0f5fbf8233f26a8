// Sockets hear of everything that poll(2) would have said, once, and of nothing else.
#include <gtest/gtest.h>
#include <poll.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "certgate/net/deadlines.hpp"
#include "certgate/net/stream.hpp"

namespace certgate::net {
namespace {

constexpr std::chrono::milliseconds long_enough{60'000};

// A few looks at the sockets and what follows from them.
void look(Loop& loop) {
  int looks = 0;
  loop.run_until(
      [&] {
        loop.post([] {});  // with work to do it does not sleep
        return ++looks > 3;
      },
      long_enough);
}

// A stream with the other end of it, and at most one coroutine that waits to read.
struct Wired {
  Loop& loop;
  int far = -1;
  std::unique_ptr<PlainStream> stream;
  bool waiting = false;
  int woken = 0;
  Ready last = Ready::cancelled;

  explicit Wired(Loop& its_loop) : loop(its_loop) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    stream = std::make_unique<PlainStream>(loop, ends[0]);
    far = ends[1];
  }
  ~Wired() {
    if (waiting) {  // its frame goes when it has run to its end
      stream->socket().cancel();
      look(loop);
    }
    close_far();
  }
  Socket& socket() { return stream->socket(); }
  void send(std::size_t bytes) {
    std::string const text(bytes, 'x');
    EXPECT_EQ(::send(far, text.data(), bytes, 0), static_cast<ssize_t>(bytes));
  }
  void close_far() {
    if (far >= 0) ::close(far);
    far = -1;
  }
  Task<void> wait() {
    waiting = true;
    auto const ready = co_await stream->socket().readable();
    last = ready;
    waiting = false;
    ++woken;
  }
};

bool poll_says_readable(int fd) {
  pollfd about{fd, POLLIN | POLLRDHUP, 0};
  return ::poll(&about, 1, 0) == 1;
}

TEST(Readiness, agrees_with_poll) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    Loop loop;
    std::vector<std::unique_ptr<Wired>> all;
    for (int i = 0; i < 5; ++i) all.push_back(std::make_unique<Wired>(loop));
    for (int step = 0; step < 60; ++step) {
      auto& one = *all[random() % all.size()];
      switch (random() % 6) {
        case 0:
          if (one.far >= 0) one.send(1 + random() % 40);
          break;
        case 1:
          if (!one.waiting) start(one.wait());
          break;
        case 2: {
          char bytes[16];  // sometimes all of it, sometimes not
          one.stream->try_read(bytes);
          break;
        }
        case 3:
          if (random() % 8 == 0) one.close_far();
          break;
        case 4:
          if (one.waiting) break;
          one.socket().watch_readable_again();
          break;
        case 5:
          if (random() % 4 == 0) one.socket().cancel();
          break;
      }
      if (random() % 2 == 0) continue;
      std::vector<bool> readable;
      for (auto const& each : all) readable.push_back(poll_says_readable(each->socket().fd()));
      look(loop);
      for (std::size_t i = 0; i < all.size(); ++i) {
        ASSERT_FALSE(all[i]->waiting && readable[i]) << "missed: seed " << seed << " step " << step;
      }
    }
  }
}

TEST(Readiness, wakes_nobody_when_nothing_is_there) {
  Loop loop;
  Wired one(loop);
  for (int round = 0; round < 3; ++round) {
    one.send(10);
    start(one.wait());
    look(loop);
    EXPECT_EQ(one.woken, 2 * round + 1);
    char bytes[64];
    EXPECT_EQ(one.stream->try_read(bytes).bytes, 10u);
    start(one.wait());
    look(loop);
    EXPECT_EQ(one.woken, 2 * round + 1);
    one.send(1);
    look(loop);
    EXPECT_EQ(one.woken, 2 * round + 2);
    EXPECT_EQ(one.stream->try_read(bytes).bytes, 1u);
  }
}

TEST(Readiness, what_was_left_unread_is_reported_again) {
  Loop loop;
  Wired one(loop);
  one.send(40);
  for (int i = 1; i <= 4; ++i) {
    start(one.wait());
    look(loop);
    EXPECT_EQ(one.woken, i);
    char bytes[10];
    EXPECT_EQ(one.stream->try_read(bytes).bytes, 10u);
  }
  start(one.wait());  // the last read was full, so nobody knows that it was the last
  look(loop);
  EXPECT_TRUE(one.waiting);
}

TEST(Readiness, an_end_behind_the_last_bytes_is_not_missed) {
  Loop loop;
  Wired one(loop);
  start(one.wait());
  one.send(5);
  one.close_far();
  look(loop);
  EXPECT_EQ(one.woken, 1);
  char bytes[64];
  EXPECT_EQ(one.stream->try_read(bytes).bytes, 5u);
  start(one.wait());
  look(loop);
  EXPECT_EQ(one.woken, 2);
  EXPECT_EQ(one.stream->try_read(bytes).status, IoStatus::closed);
}

TEST(Readiness, bytes_that_were_only_looked_at_wake_again_when_more_come) {
  Loop loop;
  Wired one(loop);
  one.send(5);
  start(one.wait());
  look(loop);
  char bytes[64];
  EXPECT_EQ(::recv(one.socket().fd(), bytes, sizeof(bytes), MSG_PEEK), 5);
  one.socket().mark_drained();
  start(one.wait());
  look(loop);
  EXPECT_EQ(one.woken, 1);
  one.send(1);
  look(loop);
  EXPECT_EQ(one.woken, 2);
}

TEST(Readiness, a_socket_may_go_while_its_event_is_on_the_way) {
  Loop loop;
  Wired first(loop), second(loop);
  struct Ends final : ReadableObserver {
    Wired* other = nullptr;
    void on_readable() override { other->stream.reset(); }
  } ends_first, ends_second;
  ends_first.other = &second;
  ends_second.other = &first;
  first.socket().observe_readable(&ends_first);
  second.socket().observe_readable(&ends_second);
  first.socket().watch_readable();
  second.socket().watch_readable();
  first.send(1);
  second.send(1);
  look(loop);
  // Whoever was told first has ended the other, which was not told.
  EXPECT_NE(first.stream == nullptr, second.stream == nullptr);
}

TEST(Readiness, a_descriptor_that_cannot_be_watched_is_closed) {
  Loop loop;
  char name[] = "/tmp/certgate-readiness-XXXXXX";
  int const file = ::mkstemp(name);
  ASSERT_GE(file, 0);
  ::unlink(name);
  Wired one(loop);
  Socket socket(loop, file);
  EXPECT_FALSE(socket.is_open());
  EXPECT_EQ(::fcntl(file, F_GETFD), -1);
}

TEST(Loop, stops_from_another_thread_while_it_sleeps) {
  Loop loop;
  std::thread other([&] { loop.stop(); });
  loop.run();
  other.join();
  loop.stop();  // before it runs: it does not begin
  loop.run();
}

TEST(Loop, does_what_is_posted_by_many_threads_in_order) {
  Loop loop;
  constexpr int threads = 4, each = 2000;
  std::vector<int> seen(threads, 0);
  int total = 0;
  bool in_order = true;
  std::vector<std::thread> posters;
  for (int t = 0; t < threads; ++t) {
    posters.emplace_back([&, t] {
      for (int i = 0; i < each; ++i) {
        loop.post([&, t, i] {
          auto& next = seen[static_cast<std::size_t>(t)];
          in_order = in_order && next == i;
          ++next;
          if (++total == threads * each) loop.stop();
        });
      }
    });
  }
  loop.run();
  for (auto& poster : posters) poster.join();
  EXPECT_TRUE(in_order);
  EXPECT_EQ(total, threads * each);
}

TEST(Loop, finishes_what_stopping_made_ready) {
  Loop loop;
  Wired one(loop);
  start(one.wait());
  loop.post([&] {
    one.socket().cancel();
    loop.stop();
  });
  loop.run();
  EXPECT_EQ(one.woken, 1);
  EXPECT_EQ(one.last, Ready::cancelled);
}

}  // namespace
}  // namespace certgate::net
