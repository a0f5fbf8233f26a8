// Tasks, sockets, streams, deadlines and blocks on a real loop over socket pairs.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "certgate/net/block_pool.hpp"
#include "certgate/net/deadlines.hpp"
#include "certgate/net/stream.hpp"

namespace certgate::net {
namespace {

using std::chrono::milliseconds;

struct Pair {
  int ends[2];
  Pair() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0); }
};

Task<int> three() { co_return 3; }

Task<int> twice_three() {
  auto const first = co_await three();
  auto const second = co_await three();
  co_return first + second;
}

Task<void> store(int& out) {
  auto const value = co_await twice_three();
  out = value;
}

TEST(Task, returns_what_it_awaited) {
  int out = 0;
  start(store(out));
  EXPECT_EQ(out, 6);
}

Task<void> throws() {
  throw std::runtime_error("broken");
  co_return;
}

Task<void> catches(std::string& out) {
  try {
    co_await throws();
  } catch (std::runtime_error const& error) {
    out = error.what();
  }
}

TEST(Task, hands_an_exception_to_its_awaiter) {
  std::string out;
  start(catches(out));
  EXPECT_EQ(out, "broken");
}

Task<int> deep(int levels) {
  if (levels == 0) co_return 0;
  auto const below = co_await deep(levels - 1);
  co_return below + 1;
}

Task<void> measure_deep(int& out) {
  for (int i = 0; i < 10; ++i) {
    auto const depth = co_await deep(1000);
    out += depth;
  }
}

TEST(Task, symmetric_transfer_keeps_deep_chains_working) {
  int out = 0;
  start(measure_deep(out));
  EXPECT_EQ(out, 10'000);
}

Task<void> read_into(Stream& stream, std::string& out, IoStatus& status) {
  char buffer[64];
  auto const room = std::span<char>(buffer);
  auto const result = co_await read_some(stream, room);
  status = result.status;
  out.assign(buffer, result.bytes);
}

TEST(PlainStream, reads_what_arrives_later) {
  Loop loop;
  Pair pair;
  PlainStream stream(loop, pair.ends[0]);
  std::string out;
  auto status = IoStatus::failed;
  start(read_into(stream, out, status));
  EXPECT_EQ(::write(pair.ends[1], "hello", 5), 5);
  loop.run_until([&] { return !out.empty(); }, milliseconds(5000));
  EXPECT_EQ(out, "hello");
  EXPECT_EQ(status, IoStatus::done);
  ::close(pair.ends[1]);
}

TEST(PlainStream, the_end_of_the_peer_is_closed) {
  Loop loop;
  Pair pair;
  PlainStream stream(loop, pair.ends[0]);
  ::close(pair.ends[1]);
  std::string out;
  auto status = IoStatus::failed;
  start(read_into(stream, out, status));
  loop.run_until([&] { return status == IoStatus::closed; }, milliseconds(5000));
  EXPECT_EQ(status, IoStatus::closed);
}

Task<void> write_it(Stream& stream, std::string const& text, IoStatus& status, bool& done) {
  auto const bytes = std::span<char const>(text);
  status = co_await write_all(stream, bytes);
  done = true;
}

TEST(PlainStream, writes_more_than_the_socket_holds) {
  Loop loop;
  Pair pair;
  PlainStream stream(loop, pair.ends[0]);
  std::string const text(8 * 1024 * 1024, 'x');
  std::size_t received = 0;
  std::thread reader([&] {
    std::string buffer(65536, 0);
    for (ssize_t n; received < text.size() && (n = ::read(pair.ends[1], buffer.data(), buffer.size())) > 0;) {
      received += static_cast<std::size_t>(n);
    }
  });
  auto status = IoStatus::failed;
  bool done = false;
  start(write_it(stream, text, status, done));
  loop.run_until([&] { return done; }, milliseconds(10'000));
  reader.join();
  EXPECT_EQ(status, IoStatus::done);
  EXPECT_EQ(received, text.size());
  ::close(pair.ends[1]);
}

TEST(Socket, cancel_ends_a_wait) {
  Loop loop;
  Pair pair;
  PlainStream stream(loop, pair.ends[0]);
  std::string out;
  auto status = IoStatus::done;
  start(read_into(stream, out, status));
  stream.socket().cancel();
  loop.run_until([&] { return status == IoStatus::failed; }, milliseconds(5000));
  EXPECT_EQ(status, IoStatus::failed);
  ::close(pair.ends[1]);
}

Task<void> wait_for_one(Socket& socket, Direction direction, std::vector<Ready>& over) {
  Socket::Wait wait(socket, direction);
  auto const ready = co_await wait;
  over.push_back(ready);
}

TEST(Socket, everybody_who_waits_for_one_direction_goes_on) {
  Loop loop;
  Pair pair;
  Socket socket(loop, pair.ends[0]);
  std::vector<Ready> over;
  for (auto const direction : {Direction::read, Direction::write, Direction::read, Direction::write}) {
    start(wait_for_one(socket, direction, over));
  }
  loop.run_until([&] { return over.size() == 2; }, milliseconds(5000));
  EXPECT_EQ(over, std::vector(2, Ready::ready));  // it can be written to
  EXPECT_EQ(::write(pair.ends[1], "x", 1), 1);
  loop.run_until([&] { return over.size() == 4; }, milliseconds(5000));
  EXPECT_EQ(over, std::vector(4, Ready::ready));
  ::close(pair.ends[1]);
}

TEST(Socket, cancel_ends_the_waits_of_everybody) {
  Loop loop;
  Pair pair;
  Socket socket(loop, pair.ends[0]);
  std::vector<Ready> over;
  for (int i = 0; i < 3; ++i) start(wait_for_one(socket, Direction::read, over));
  socket.cancel();
  loop.run_until([&] { return over.size() == 3; }, milliseconds(5000));
  EXPECT_EQ(over, std::vector(3, Ready::cancelled));
  ::close(pair.ends[1]);
}

TEST(Socket, a_watched_socket_tells_that_its_peer_went_away) {
  Loop loop;
  Pair pair;
  Socket socket(loop, pair.ends[0]);
  socket.watch_readable();
  EXPECT_FALSE(socket.became_readable());
  ::close(pair.ends[1]);
  loop.run_until([&] { return socket.became_readable(); }, milliseconds(5000));
  EXPECT_TRUE(socket.became_readable());
}

TEST(Socket, a_watch_serves_the_next_wait) {
  Loop loop;
  Pair pair;
  PlainStream stream(loop, pair.ends[0]);
  for (int round = 0; round < 3; ++round) {
    stream.socket().watch_readable();
    std::string out;
    auto status = IoStatus::failed;
    start(read_into(stream, out, status));
    EXPECT_EQ(::write(pair.ends[1], "again", 5), 5);
    loop.run_until([&] { return !out.empty(); }, milliseconds(5000));
    EXPECT_EQ(out, "again");
  }
  ::close(pair.ends[1]);
}

TEST(Socket, may_die_while_it_is_watched) {
  Loop loop;
  Pair pair;
  {
    Socket socket(loop, pair.ends[0]);
    socket.watch_readable();
  }
  ::close(pair.ends[1]);
  EXPECT_FALSE(loop.run_until([] { return false; }, milliseconds(20)));
}

Task<void> connect_to(Socket& socket, SocketAddress const& address, Result<void>& out, bool& done) {
  out = co_await connect(socket, address);
  done = true;
}

TEST(Socket, connects_and_accepts) {
  Loop loop;
  auto const any = *IpEndpoint::parse("127.0.0.1:0");
  auto const listener = open_listener(any, 16);
  ASSERT_TRUE(listener);
  auto const endpoint = *local_endpoint(*listener);
  EXPECT_FALSE(check_address_free(endpoint));
  Socket socket(loop);
  Result<void> result = fail(ErrorCode::internal, "not run");
  bool done = false;
  SocketAddress const address{endpoint, {}};
  start(connect_to(socket, address, result, done));
  loop.run_until([&] { return done; }, milliseconds(5000));
  ASSERT_TRUE(result) << result.error().detail;
  IpEndpoint peer;
  int const accepted = accept_one(*listener, peer);
  EXPECT_GE(accepted, 0);
  EXPECT_EQ(peer.to_string(), local_endpoint(socket.fd())->to_string());
  ::close(accepted);
  ::close(*listener);
}

TEST(Socket, a_refused_connection_says_so) {
  Loop loop;
  auto const listener = open_listener(*IpEndpoint::parse("127.0.0.1:0"), 16);
  auto const endpoint = *local_endpoint(*listener);
  ::close(*listener);
  Socket socket(loop);
  Result<void> result;
  bool done = false;
  SocketAddress const address{endpoint, {}};
  start(connect_to(socket, address, result, done));
  loop.run_until([&] { return done; }, milliseconds(5000));
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().detail.find("Connection refused"), std::string::npos);
}

struct Noted final : Deadline {
  explicit Noted(std::string& order, char name) : order_(order), name_(name) {}
  void on_expired() override { order_ += name_; }
  std::string& order_;
  char name_;
};

TEST(Deadlines, expire_in_order_and_not_when_disarmed) {
  Loop loop;
  Deadlines deadlines(loop);
  std::string order;
  Noted a(order, 'a'), b(order, 'b'), c(order, 'c');
  auto& longer = deadlines.list(milliseconds(120));
  auto& shorter = deadlines.list(milliseconds(10));
  a.arm(longer);
  b.arm(shorter);
  c.arm(shorter);
  c.disarm();
  loop.run_until([&] { return order.size() == 2; }, milliseconds(5000));
  EXPECT_EQ(order, "ba");
  EXPECT_TRUE(longer.empty());
}

TEST(Deadlines, arming_again_moves_the_end) {
  Loop loop;
  Deadlines deadlines(loop);
  std::string order;
  Noted a(order, 'a'), b(order, 'b');
  auto& list = deadlines.list(milliseconds(60));
  a.arm(list);
  b.arm(list);
  a.arm(list);
  loop.run_until([&] { return order.size() == 2; }, milliseconds(5000));
  EXPECT_EQ(order, "ba");
}

TEST(Deadlines, one_may_destroy_another_that_is_due) {
  Loop loop;
  Deadlines deadlines(loop);
  struct Destroys final : Deadline {
    std::unique_ptr<Deadline> victim;
    bool ran = false;
    void on_expired() override { victim.reset(), ran = true; }
  } first;
  std::string order;
  auto& list = deadlines.list(milliseconds(5));
  first.arm(list);
  first.victim = std::make_unique<Noted>(order, 'v');
  first.victim->arm(list);
  loop.run_until([&] { return first.ran; }, milliseconds(5000));
  EXPECT_EQ(order, "");
}

TEST(BlockPool, gives_back_the_block_used_last) {
  BlockPool pool(2);
  auto first = pool.take();
  auto second = pool.take();
  EXPECT_EQ(pool.in_use(), 2U);
  second.give_back();
  EXPECT_EQ(pool.in_use(), 1U);
  EXPECT_FALSE(second);
  auto large = pool.take(block_bytes + 1);
  EXPECT_EQ(large.size(), block_bytes + 1);
  auto moved = std::move(first);
  EXPECT_TRUE(moved);
  EXPECT_FALSE(first);  // NOLINT: moved-from is empty by contract
}

TEST(BlockPool, gives_spare_blocks_back_when_asked) {
  BlockPool pool(4);
  auto kept = pool.take();
  { auto const spare = pool.take(); }
#if !defined(__SANITIZE_ADDRESS__)
  EXPECT_EQ(pool.spare_bytes(), block_bytes);
#endif
  pool.release_spare();
  EXPECT_EQ(pool.spare_bytes(), 0U);
  EXPECT_EQ(pool.in_use(), 1U);
  kept.give_back();
  EXPECT_TRUE(pool.take());
}

TEST(BlockPool, hands_out_blocks_of_the_size_it_was_made_for) {
  BlockPool pool(2, 2 * block_bytes);
  auto const first = pool.take();
  auto const small = pool.take(1);
  EXPECT_EQ(first.size(), 2 * block_bytes);
  EXPECT_EQ(small.size(), 2 * block_bytes);
}

TEST(Loop, post_reaches_it_from_another_thread) {
  Loop loop;
  std::thread::id where;
  std::thread other([&] { loop.post([&] { where = std::this_thread::get_id(); }); });
  other.join();
  loop.run_until([&] { return where != std::thread::id{}; }, milliseconds(5000));
  EXPECT_EQ(where, std::this_thread::get_id());
}

}  // namespace
}  // namespace certgate::net
