// Connections to an origin: made, kept, found stale, closed when idle, refused with the reason.
#include "certgate/upstream/pool.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <thread>

#include "loopback.hpp"
#include "support/epoll_interest.hpp"

namespace certgate::upstream {
namespace {

struct Rig : World {
  Listener listener;
  OriginSettings settings;
  std::unique_ptr<Pool> pool;

  Rig() {
    settings.name = "api";
    settings.servers.push_back(server_at(listener.endpoint()));
    settings.idle_timeout = patience;
  }

  void build() {
    pool = std::make_unique<Pool>(loop, deadlines, std::make_shared<Origin>(settings));
  }
  Server& server(std::size_t index = 0) { return *pool->origin().servers()[index]; }
  std::unique_ptr<Connection> open_one() {
    auto opened = open(*pool, server());
    EXPECT_TRUE(opened);
    return opened ? std::move(*opened) : nullptr;
  }
};

TEST(Pool, a_new_connection_has_carried_nothing_yet) {
  Rig rig;
  rig.build();
  EXPECT_EQ(rig.pool->take_idle(rig.server()), nullptr);
  auto const connection = rig.open_one();
  ASSERT_NE(connection, nullptr);
  EXPECT_FALSE(connection->is_reused());
  EXPECT_EQ(&connection->server(), &rig.server());
  EXPECT_EQ(connection->error(), "");
}

TEST(Pool, gives_out_the_connection_used_last) {
  Rig rig;
  rig.build();
  auto first = rig.open_one();
  auto second = rig.open_one();
  auto* const last = second.get();
  rig.pool->put_back(std::move(first));
  rig.pool->put_back(std::move(second));
  EXPECT_EQ(rig.pool->idle(), 2u);
  auto const taken = rig.pool->take_idle(rig.server());
  EXPECT_EQ(taken.get(), last);
  EXPECT_TRUE(taken->is_reused());
  EXPECT_EQ(rig.pool->idle(), 1u);
}

// A name of the origin got another address.
struct MovedRig : Rig {
  Listener other;
  std::shared_ptr<Pool> before, after;

  MovedRig() {
    settings.servers[0].written = "http://stays";
    settings.servers.push_back(server_at(other.endpoint()));
    settings.servers[1].written = "http://goes";
    settings.servers[1].name = "goes";
    auto const origin = std::make_shared<Origin>(settings);
    before = std::make_shared<Pool>(loop, deadlines, origin);
    auto const address = *IpAddress::parse("127.0.0.2");
    after = std::make_shared<Pool>(loop, deadlines, origin->with_addresses("goes", {address}));
  }
  std::unique_ptr<Connection> open_to(std::size_t index) {
    auto opened = open(*before, *before->origin().servers()[index]);
    EXPECT_TRUE(opened);
    return std::move(*opened);
  }
};

TEST(Pool, the_one_that_takes_its_place_gets_what_is_open_to_servers_that_stay) {
  MovedRig rig;
  rig.before->put_back(rig.open_to(0));
  rig.before->put_back(rig.open_to(1));
  rig.before->hand_over(rig.after);
  EXPECT_EQ(rig.before->idle(), 0u);
  EXPECT_EQ(rig.after->idle(), 1u);
  auto const taken = rig.after->take_idle(*rig.after->origin().servers()[0]);
  ASSERT_NE(taken, nullptr);
  EXPECT_TRUE(taken->is_reused());
}

TEST(Pool, what_is_put_back_late_goes_to_the_one_in_its_place) {
  MovedRig rig;
  auto stays = rig.open_to(0), goes = rig.open_to(1);
  rig.before->hand_over(rig.after);
  rig.before->put_back(std::move(stays));
  rig.before->put_back(std::move(goes));
  EXPECT_EQ(rig.before->idle(), 0u);
  EXPECT_EQ(rig.after->idle(), 1u);
  auto last = rig.after->take_idle(*rig.after->origin().servers()[0]);
  ASSERT_NE(last, nullptr);
  rig.after = nullptr;
  rig.before->put_back(std::move(last));  // nobody is left to keep it
  EXPECT_EQ(rig.before->idle(), 0u);
}

TEST(Pool, a_connection_that_was_handed_over_still_idles_out) {
  MovedRig rig;
  rig.settings.idle_timeout = std::chrono::milliseconds{1};
  auto const origin = std::make_shared<Origin>(rig.settings);
  rig.before = std::make_shared<Pool>(rig.loop, rig.deadlines, origin);
  rig.after = std::make_shared<Pool>(
      rig.loop, rig.deadlines, origin->with_addresses("goes", {*IpAddress::parse("127.0.0.2")}));
  rig.before->put_back(rig.open_to(0));
  rig.before->hand_over(rig.after);
  rig.before = nullptr;
  EXPECT_EQ(rig.after->idle(), 1u);
  EXPECT_TRUE(rig.run_until([&] { return rig.after->idle() == 0; }));
}

// Its connecting was waited for with EPOLLOUT, which would wake the loop after every request.
TEST(Pool, a_kept_connection_is_watched_for_reading_only) {
  Rig rig;
  rig.build();
  auto connection = rig.open_one();
  auto const fd = connection->stream().socket().fd();
  rig.pool->put_back(std::move(connection));
  auto const events = testing::epoll_interest(fd);
  EXPECT_NE(events & EPOLLIN, 0u);
  EXPECT_EQ(events & EPOLLOUT, 0u);
}

TEST(Pool, keeps_as_many_as_it_is_told) {
  Rig rig;
  rig.settings.idle_connections = 1;
  rig.build();
  auto first = rig.open_one();
  auto second = rig.open_one();
  rig.pool->put_back(std::move(first));
  rig.pool->put_back(std::move(second));
  EXPECT_EQ(rig.pool->idle(), 1u);

  Rig none;
  none.settings.idle_connections = 0;
  none.build();
  none.pool->put_back(none.open_one());
  EXPECT_EQ(none.pool->idle(), 0u);
}

TEST(Pool, servers_do_not_share_connections) {
  Rig rig;
  Listener other;
  rig.settings.servers.push_back(server_at(other.endpoint()));
  rig.build();
  rig.pool->put_back(rig.open_one());
  EXPECT_EQ(rig.pool->take_idle(rig.server(1)), nullptr);
  EXPECT_NE(rig.pool->take_idle(rig.server(0)), nullptr);
}

TEST(Pool, never_gives_out_what_its_server_closed) {
  Rig rig;
  rig.build();
  auto connection = rig.open_one();
  auto& socket = connection->stream().socket();
  int const peer = rig.listener.accept();
  rig.pool->put_back(std::move(connection));
  ::close(peer);
  EXPECT_TRUE(rig.run_until([&] { return socket.became_readable(); }));
  EXPECT_EQ(rig.pool->take_idle(rig.server()), nullptr);
  EXPECT_EQ(rig.pool->idle(), 0u);
}

TEST(Pool, never_gives_out_what_spoke_without_being_asked) {
  Rig rig;
  rig.build();
  auto stale = rig.open_one();
  auto& socket = stale->stream().socket();
  int const peer = rig.listener.accept();
  auto sound = rig.open_one();
  auto* const wanted = sound.get();
  rig.pool->put_back(std::move(sound));
  rig.pool->put_back(std::move(stale));
  ASSERT_EQ(::send(peer, "x", 1, 0), 1);
  EXPECT_TRUE(rig.run_until([&] { return socket.became_readable(); }));
  EXPECT_EQ(rig.pool->take_idle(rig.server()).get(), wanted);
  ::close(peer);
}

// A slow client and the end of its response are reported in one batch: the client's turn reads that
// end too and puts the connection back, before the report of what it has read gets its turn.
net::Task<void> read_when_the_client_can_write(net::Socket& client, Pool& pool,
                                               std::unique_ptr<Connection> connection,
                                               bool& done) {
  auto const ready = co_await client.readable();
  EXPECT_EQ(ready, net::Ready::ready);
  char rest[16];
  auto const room = std::span<char>(rest);
  EXPECT_EQ(connection->stream().try_read(room).bytes, 8u);
  EXPECT_EQ(connection->stream().try_read(room).status, net::IoStatus::want_read);
  pool.put_back(std::move(connection));
  done = true;
}

TEST(Pool, keeps_a_connection_of_which_only_old_news_comes) {
  Rig rig;
  rig.build();
  rig.pool->put_back(rig.open_one());  // what was waited for when connecting is forgotten
  int const peer = rig.listener.accept();
  auto connection = rig.pool->take_idle(rig.server());
  ASSERT_NE(connection, nullptr);
  auto* const same = connection.get();
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  net::Socket client(rig.loop, ends[0]);
  bool done = false;
  net::start(read_when_the_client_can_write(client, *rig.pool, std::move(connection), done));
  ASSERT_EQ(::send(ends[1], "x", 1, 0), 1);
  ASSERT_EQ(::send(peer, "the rest", 8, 0), 8);
  EXPECT_TRUE(rig.run_until([&] { return done; }));
  bool later = false;
  rig.loop.post([&] { later = true; });
  EXPECT_TRUE(rig.run_until([&] { return later; }));
  auto const taken = rig.pool->take_idle(rig.server());
  EXPECT_EQ(taken.get(), same);
  ::close(ends[1]);
  ::close(peer);
}

TEST(Pool, closes_what_idles_too_long) {
  Rig rig;
  rig.settings.idle_timeout = std::chrono::milliseconds{1};
  rig.build();
  rig.pool->put_back(rig.open_one());
  int const peer = rig.listener.accept();
  EXPECT_TRUE(rig.run_until([&] { return rig.pool->idle() == 0; }));
  char byte;
  EXPECT_EQ(::recv(peer, &byte, 1, 0), 0);
  ::close(peer);
}

TEST(Pool, a_connection_in_use_does_not_idle) {
  Rig rig;
  rig.settings.idle_timeout = std::chrono::milliseconds{1};
  rig.build();
  rig.pool->put_back(rig.open_one());
  auto const taken = rig.pool->take_idle(rig.server());
  ASSERT_NE(taken, nullptr);
  int const peer = rig.listener.accept();
  // Another that idles out shows that the time has come.
  rig.pool->put_back(rig.open_one());
  EXPECT_TRUE(rig.run_until([&] { return rig.pool->idle() == 0; }));
  char byte = 'x';
  EXPECT_EQ(::send(taken->stream().socket().fd(), &byte, 1, MSG_NOSIGNAL), 1);
  EXPECT_EQ(::recv(peer, &byte, 1, 0), 1);
  ::close(peer);
}

// The end has arrived, but the loop has not asked the kernel since.
TEST(Pool, one_that_its_server_closed_this_moment_is_not_given_out) {
  Rig rig;
  rig.build();
  auto connection = rig.open_one();
  int const peer = rig.listener.accept();
  int const fd = connection->stream().socket().fd();
  rig.pool->put_back(std::move(connection));
  auto const since = net::Loop::coarse_milliseconds();
  while (net::Loop::coarse_milliseconds() == since) {  // a tick of a few milliseconds
  }
  ::close(peer);
  pollfd about{fd, POLLRDHUP, 0};
  ASSERT_EQ(::poll(&about, 1, -1), 1);
  EXPECT_EQ(rig.pool->take_idle(rig.server()), nullptr);
  EXPECT_EQ(rig.pool->idle(), 0u);
}

TEST(Pool, close_idle_closes_all) {
  Rig rig;
  rig.build();
  rig.pool->put_back(rig.open_one());
  rig.pool->put_back(rig.open_one());
  rig.pool->close_idle();
  EXPECT_EQ(rig.pool->idle(), 0u);
}

TEST(Connect, nobody_listens) {
  Rig rig;
  rig.build();
  rig.listener.close();
  auto const opened = rig.open(*rig.pool, rig.server());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, ConnectFault::refused);
  EXPECT_NE(opened.error().detail.find("Connection refused"), std::string::npos);
  EXPECT_NE(opened.error().detail.find("127.0.0.1:"), std::string::npos);
}

TEST(Connect, no_such_unix_socket) {
  Rig rig;
  rig.settings.servers[0].address.unix_path = "/nonexistent/origin.sock";
  rig.build();
  auto const opened = rig.open(*rig.pool, rig.server());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, ConnectFault::unreachable);
  EXPECT_NE(opened.error().detail.find("No such file"), std::string::npos);
}

TEST(Connect, a_path_that_no_socket_can_have) {
  Rig rig;
  rig.settings.servers[0].address.unix_path = std::string(200, 'x');
  rig.build();
  auto const opened = rig.open(*rig.pool, rig.server());
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().detail.find("too long"), std::string::npos);
}

struct TlsRig : Rig {
  tls::ClientContext::Pointer context;
  TlsRig() {
    tls::ClientOptions options;
    options.server_name = "origin.internal";
    options.verify = tls::VerifyPeer::no;
    context = *tls::ClientContext::build(options);
    settings.servers[0].tls = context;
    build();
  }
};

TEST(Connect, a_server_that_speaks_no_tls) {
  TlsRig rig;
  auto connection = rig.pool->make(rig.server());
  // The kernel accepts for the listener; what it will read is written as soon as it is there.
  std::thread speaker([fd = rig.listener.fd()] {
    pollfd about{fd, POLLIN, 0};
    ::poll(&about, 1, -1);
    int const peer = ::accept(fd, nullptr, nullptr);
    std::string_view const words = "HTTP/1.1 400 Bad Request\r\n\r\n";
    ::send(peer, words.data(), words.size(), MSG_NOSIGNAL);
    char bytes[4096];
    while (::recv(peer, bytes, sizeof(bytes), 0) > 0) {
    }
    ::close(peer);
  });
  auto const opened = rig.open(*rig.pool, rig.server());
  speaker.join();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, ConnectFault::tls);
  EXPECT_NE(opened.error().detail.find("wrong version number"), std::string::npos)
      << opened.error().detail;
}

TEST(Connect, a_server_that_says_nothing_runs_out_of_time) {
  TlsRig rig;
  auto const opened = rig.open(*rig.pool, rig.server(), std::chrono::milliseconds{1});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, ConnectFault::timed_out);
}

TEST(Connect, a_server_that_hangs_up) {
  TlsRig rig;
  std::thread other([fd = rig.listener.fd()] {
    pollfd about{fd, POLLIN, 0};
    ::poll(&about, 1, -1);
    ::close(::accept(fd, nullptr, nullptr));
  });
  auto const opened = rig.open(*rig.pool, rig.server());
  other.join();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, ConnectFault::tls);
}

}  // namespace
}  // namespace certgate::upstream
