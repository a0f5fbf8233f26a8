// A watched socket tells its observer what nobody waits for, and whether its peer has ended.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certgate/net/stream.hpp"

namespace certgate::net {
namespace {

constexpr std::chrono::milliseconds patience{60'000};

// Reads what there is and watches again, as one does who wants to know of the end.
struct Observing final : ReadableObserver {
  explicit Observing(Socket& watched) : socket(watched) { socket.observe_readable(this); }
  ~Observing() { socket.observe_readable(nullptr); }
  void on_readable() override {
    ++calls;
    if (socket.peer_has_ended()) {
      ended = true;
      return;
    }
    char bytes[64];
    for (;;) {
      auto const n = ::recv(socket.fd(), bytes, sizeof(bytes), 0);
      if (n <= 0) break;
      seen.append(bytes, static_cast<std::size_t>(n));
    }
    socket.watch_readable_again();
  }
  Socket& socket;
  int calls = 0;
  bool ended = false;
  std::string seen;
};

struct Rig {
  Loop loop;
  int far = -1;
  std::unique_ptr<PlainStream> stream;
  Rig() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    stream = std::make_unique<PlainStream>(loop, ends[0]);
    far = ends[1];
  }
  ~Rig() { close(); }
  Socket& socket() { return stream->socket(); }
  void send(std::string_view bytes) {
    EXPECT_EQ(::send(far, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }
  void close() {
    if (far >= 0) ::close(far);
    far = -1;
  }
  bool until(std::function<bool()> const& done) { return loop.run_until(done, patience); }
};

Task<void> read_once(Stream& stream, std::string& out) {
  char bytes[64];
  auto const room = std::span<char>(bytes);
  auto const result = co_await read_some(stream, room);
  out.assign(bytes, result.bytes);
}

TEST(Observer, is_told_of_bytes_again_and_again) {
  Rig rig;
  Observing observing(rig.socket());
  rig.socket().watch_readable();
  for (std::string const piece : {"a", "b", "c"}) {
    auto const before = observing.seen.size();
    rig.send(piece);
    EXPECT_TRUE(rig.until([&] { return observing.seen.size() > before; }));
  }
  EXPECT_EQ(observing.seen, "abc");
  EXPECT_FALSE(observing.ended);
  EXPECT_FALSE(rig.socket().became_readable());
}

TEST(Observer, is_told_of_the_end) {
  Rig rig;
  Observing observing(rig.socket());
  rig.socket().watch_readable();
  rig.send("last words");
  EXPECT_TRUE(rig.until([&] { return observing.calls == 1; }));
  rig.close();
  EXPECT_TRUE(rig.until([&] { return observing.ended; }));
}

TEST(Observer, is_not_told_what_somebody_waits_for) {
  Rig rig;
  Observing observing(rig.socket());
  rig.socket().watch_readable();
  std::string out;
  start(read_once(*rig.stream, out));
  rig.send("hello");
  EXPECT_TRUE(rig.until([&] { return !out.empty(); }));
  EXPECT_EQ(out, "hello");
  EXPECT_EQ(observing.calls, 0);
}

TEST(Observer, a_later_wait_takes_the_watch_over) {
  Rig rig;
  {
    Observing observing(rig.socket());
    rig.socket().watch_readable();
  }
  std::string out;
  start(read_once(*rig.stream, out));
  rig.send("next");
  EXPECT_TRUE(rig.until([&] { return !out.empty(); }));
  EXPECT_EQ(out, "next");
}

TEST(Observer, is_not_told_of_a_cancelled_watch) {
  Rig rig;
  Observing observing(rig.socket());
  rig.socket().watch_readable();
  rig.socket().cancel();
  rig.loop.run_until([] { return false; }, std::chrono::milliseconds{1});
  EXPECT_EQ(observing.calls, 0);
  EXPECT_FALSE(rig.socket().became_readable());
}

TEST(Observer, may_close_the_socket) {
  struct Closing final : ReadableObserver {
    explicit Closing(Socket& watched) : socket(watched) {}
    void on_readable() override { socket.close(); }
    Socket& socket;
  };
  Rig rig;
  Closing closing(rig.socket());
  rig.socket().observe_readable(&closing);
  rig.socket().watch_readable();
  rig.send("x");
  EXPECT_TRUE(rig.until([&] { return !rig.socket().is_open(); }));
  rig.socket().watch_readable();  // harmless
}

TEST(PeerHasEnded, at_its_fin_whatever_is_still_to_read) {
  Rig rig;
  EXPECT_FALSE(rig.socket().peer_has_ended());
  rig.send("unread");
  EXPECT_FALSE(rig.socket().peer_has_ended());
  ::shutdown(rig.far, SHUT_WR);
  EXPECT_TRUE(rig.socket().peer_has_ended());
}

TEST(PeerHasEnded, not_at_our_own_fin) {
  Rig rig;
  rig.stream->finish();
  EXPECT_FALSE(rig.socket().peer_has_ended());
  rig.close();
  EXPECT_TRUE(rig.socket().peer_has_ended());
}

}  // namespace
}  // namespace certgate::net
