// Towards upstreams: names are verified, reasons are told, and much data passes unharmed.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>

#include "certgate/tls/connector.hpp"
#include "rig.hpp"

namespace certgate::tls {
namespace {

using x509::ClientAuthMode;

// A ClientStream of ours against a ServerStream of ours.
struct Pair {
  std::unique_ptr<Connection> server;
  std::unique_ptr<ClientStream> client;
  std::optional<Result<void>> result;
};

net::Task<void> run(Pair& pair) {
  auto result = co_await pair.client->handshake();
  pair.result.emplace(std::move(result));
}

std::unique_ptr<Pair> dial(Rig& rig, ClientContext::Pointer context) {
  auto pair = std::make_unique<Pair>();
  int fd = -1;
  pair->server = rig.open_raw(fd);
  pair->client = std::make_unique<ClientStream>(rig.loop, std::move(context));
  pair->client->socket().assign(fd);
  net::start(run(*pair));
  EXPECT_TRUE(rig.run_until([&] { return pair->result.has_value(); }));
  if (!pair->result->has_value()) pair->client->socket().close();
  EXPECT_TRUE(rig.run_until([&] { return pair->server->result.has_value(); }));
  return pair;
}

ClientOptions trusting(Issued const& authority, std::string name = "api.example.com") {
  ClientOptions options;
  options.authorities = {authority.facts};
  options.server_name = std::move(name);
  return options;
}

ClientContext::Pointer build(ClientOptions options) {
  auto built = ClientContext::build(std::move(options));
  EXPECT_TRUE(built) << built.error().detail;
  return *built;
}

ServerHosts::Pointer any_host(ClientAuthMode mode = ClientAuthMode::off) {
  return hosts({host({"*"}, policy_of(mode, {&authorities().root}))});
}

TEST(Connector, verifies_the_name_and_resumes_afterwards) {
  Rig rig(any_host());
  auto const context = build(trusting(authorities().server_ca));
  auto const first = dial(rig, context);
  ASSERT_TRUE(*first->result) << first->result->error().detail;
  EXPECT_EQ(first->server->session().server_name, "api.example.com");
  EXPECT_EQ(first->client->version(), "TLSv1.3");
  EXPECT_EQ(first->client->protocol(), "http/1.1");
  EXPECT_FALSE(first->client->resumed());
  char buffer[16];
  first->server->server->try_write(std::string_view("!"));
  EXPECT_EQ(first->client->try_read(buffer).bytes, 1U);
  auto const second = dial(rig, context);
  ASSERT_TRUE(*second->result);
  EXPECT_TRUE(second->client->resumed());
}

TEST(Connector, says_what_is_wrong_with_the_certificate) {
  auto const& all = authorities();
  struct Case {
    ClientOptions options;
    std::string_view words;
  };
  for (auto const& want : {
           Case{trusting(all.server_ca, "www.example.org"),
                "it is not for `www.example.org` but for *.example.com"},
           Case{trusting(all.server_ca, "a.b.example.com"), "it is not for `a.b.example.com`"},
           Case{trusting(all.server_ca, "127.0.0.1"), "it is not for `127.0.0.1`"},
           Case{trusting(all.other_root), "unable to get local issuer certificate"},
       }) {
    Rig rig(any_host());
    auto const pair = dial(rig, build(want.options));
    ASSERT_FALSE(*pair->result);
    auto const& detail = pair->result->error().detail;
    EXPECT_NE(detail.find(want.words), std::string::npos) << detail;
  }
}

TEST(Connector, accepts_anything_only_when_told_to) {
  Rig rig(any_host());
  auto options = trusting(authorities().other_root, "www.example.org");
  options.verify = VerifyPeer::no;
  EXPECT_TRUE(*dial(rig, build(options))->result);
  options.verify = VerifyPeer::yes;
  options.server_name = "";
  EXPECT_FALSE(ClientContext::build(options));
}

TEST(Connector, shows_its_own_certificate) {
  auto const& all = authorities();
  Rig rig(any_host(ClientAuthMode::require));
  auto options = trusting(all.server_ca);
  auto const none = dial(rig, build(options));
  EXPECT_FALSE(none->server->ok());
  auto identity = ServerIdentity::parse(all.client.pem(), all.client.key.pem(),
                                        IdentityUse::client);
  ASSERT_TRUE(identity);
  options.identity = *identity;
  auto const shown = dial(rig, build(options));
  ASSERT_TRUE(*shown->result) << shown->result->error().detail;
  ASSERT_TRUE(shown->server->ok());
  EXPECT_EQ(shown->server->session().chain->leaf().subject_common_name(), "device-1");
}

TEST(Connector, threat_69_bytes_before_the_server_hello_are_no_answer) {
  Rig rig(any_host());
  for (std::string_view const sent : {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""}) {
    Pair pair;
    int fd = -1;
    pair.client = std::make_unique<ClientStream>(rig.loop, build(trusting(authorities().server_ca)));
    pair.client->socket().assign(socket_pair(fd));
    ASSERT_EQ(::send(fd, sent.data(), sent.size(), 0), static_cast<ssize_t>(sent.size()));
    net::start(run(pair));
    ::shutdown(fd, SHUT_WR);
    EXPECT_TRUE(rig.run_until([&] { return pair.result.has_value(); }));
    EXPECT_FALSE(*pair.result);
    EXPECT_FALSE(pair.result->error().detail.empty());
    ::close(fd);
  }
}

TEST(Connector, a_cancelled_socket_ends_the_handshake) {
  Rig rig(any_host());
  Pair pair;
  int fd = -1;
  pair.client = std::make_unique<ClientStream>(rig.loop, build(trusting(authorities().server_ca)));
  pair.client->socket().assign(socket_pair(fd));
  net::start(run(pair));
  pair.client->socket().cancel();
  EXPECT_TRUE(rig.run_until([&] { return pair.result.has_value(); }));
  EXPECT_EQ(pair.result->error().code, ErrorCode::timed_out);
  ::close(fd);
}

net::Task<void> write_everything(net::Stream& stream, std::string const& text, bool& done) {
  auto const status = co_await net::write_all(stream, text);
  EXPECT_EQ(status, net::IoStatus::done);
  stream.finish();
  while (stream.has_unsent()) {
    auto const ready = co_await stream.socket().writable();
    if (ready == net::Ready::cancelled || stream.flush() == net::IoStatus::failed) break;
  }
  done = true;
}

net::Task<void> read_everything(net::Stream& stream, std::size_t room, std::string& text,
                                bool& done) {
  std::vector<char> buffer(room);
  for (;;) {
    auto const got = co_await net::read_some(stream, buffer);
    if (got.status != net::IoStatus::done) {
      EXPECT_EQ(got.status, net::IoStatus::closed);
      break;
    }
    text.append(buffer.data(), got.bytes);
  }
  done = true;
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + i / 251);
  return text;
}

void pass_megabytes_both_ways(std::size_t room, bool tiny_buffers) {
  SCOPED_TRACE(std::to_string(room) + (tiny_buffers ? ", tiny buffers" : ""));
  Rig rig(any_host());
  auto const pair = dial(rig, build(trusting(authorities().server_ca)));
  ASSERT_TRUE(*pair->result);
  for (int const fd : {pair->client->socket().fd(), pair->server->server->socket().fd()}) {
    int const size = 2048;
    if (!tiny_buffers) continue;
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
  }
  auto const sent = pattern(3'000'001);
  std::string down, up;
  bool done[4] = {};
  net::start(write_everything(*pair->server->server, sent, done[0]));
  net::start(read_everything(*pair->client, room, down, done[1]));
  net::start(write_everything(*pair->client, sent, done[2]));
  net::start(read_everything(*pair->server->server, room, up, done[3]));
  EXPECT_TRUE(rig.run_until([&] { return done[0] && done[1] && done[2] && done[3]; }));
  EXPECT_TRUE(down == sent);
  EXPECT_TRUE(up == sent);
}

TEST(TlsStream, megabytes_pass_both_ways_whatever_the_room_and_the_socket_buffers) {
  for (std::size_t const room : {10'000, 64 * 1024, 256 * 1024}) {
    pass_megabytes_both_ways(room, true);
    pass_megabytes_both_ways(room, false);
  }
}

// Whether what is on its way to `stream` can still be noticed: OpenSSL says that it holds some of it, or
// the socket does.
bool is_noticed(net::Stream& stream) {
  char byte = 0;
  return stream.has_buffered() || ::recv(stream.socket().fd(), &byte, 1, MSG_PEEK) > 0;
}

TEST(TlsStream, large_and_small_reads_take_turns_on_records_of_any_size) {
  Rig rig(any_host());
  auto const c = rig.connect({});
  ASSERT_TRUE(c->ok());
  auto const sent = pattern(4'000'000);
  std::string got;
  std::vector<char> buffer(256 * 1024);
  std::minstd_rand random;
  std::size_t written = 0;
  std::size_t most_at_once = 0;
  while (got.size() < sent.size()) {
    // Little enough for any socket pair.
    while (written < sent.size() && written - got.size() < 64 * 1024) {
      std::size_t const most[] = {100, 5'000, 16'384};
      auto const size = std::min<std::size_t>(1 + random() % most[random() % 3], sent.size() - written);
      ASSERT_EQ(c->client->write(std::string_view(sent).substr(written, size)), "");
      written += size;
      if (random() % 8 != 0) continue;
      SSL_key_update(c->client->ssl(), static_cast<int>(random() % 2));  // answered, or not
    }
    std::size_t const rooms[] = {1, 100, 17'000, 60 * 1024, 64 * 1024, 256 * 1024};
    auto const room = std::span(buffer).first(rooms[random() % 6]);
    ASSERT_TRUE(is_noticed(*c->server));
    auto const result = c->server->try_read(room);
    ASSERT_EQ(result.status, net::IoStatus::done);
    got.append(buffer.data(), result.bytes);
    most_at_once = std::max(most_at_once, result.bytes);
    ASSERT_EQ(c->client->read(), "");  // the answers
  }
  EXPECT_TRUE(got == sent);
  EXPECT_GT(most_at_once, std::size_t{32 * 1024});
  EXPECT_EQ(c->server->try_read(buffer).status, net::IoStatus::want_read);
}

// A client that speaks last in the handshake has its first request on the way already.
void send_with_the_end_of_the_handshake(int version, bool resume, std::size_t size) {
  SCOPED_TRACE(size);
  Rig rig(any_host());
  ClientConfig config;
  config.version = version;
  auto const session = rig.session_after(config);
  if (resume) config.resume = session.get();
  auto const c = rig.open(config);
  ASSERT_TRUE(rig.run_until([&] { return c->client->step(); }));
  ASSERT_FALSE(c->result.has_value());
  ASSERT_EQ(c->client->resumed(), resume);
  auto const sent = pattern(size);
  ASSERT_EQ(c->client->write(sent), "");
  ASSERT_TRUE(rig.run_until([&] { return c->result.has_value(); }));
  ASSERT_TRUE(c->ok());
  std::vector<char> buffer(70'000);
  std::string got;
  while (got.size() < sent.size()) {
    ASSERT_TRUE(is_noticed(*c->server)) << got.size();
    auto const result = c->server->try_read(buffer);
    ASSERT_EQ(result.status, net::IoStatus::done);
    got.append(buffer.data(), result.bytes);
  }
  EXPECT_TRUE(got == sent);
  EXPECT_FALSE(is_noticed(*c->server));
}

TEST(TlsStream, what_came_with_the_end_of_the_handshake_is_noticed_and_read) {
  for (std::size_t const size : {7, 8'000, 40'000}) {
    send_with_the_end_of_the_handshake(TLS1_3_VERSION, false, size);
    send_with_the_end_of_the_handshake(TLS1_3_VERSION, true, size);
    send_with_the_end_of_the_handshake(TLS1_2_VERSION, true, size);
  }
}

TEST(TlsStream, what_came_with_a_key_update_is_noticed_whatever_the_room) {
  std::vector<char> buffer(80 * 1024);
  for (std::size_t room = 56 * 1024; room <= buffer.size(); room += 512) {
    SCOPED_TRACE(room);
    Rig rig(any_host());
    auto const c = rig.connect({});
    ASSERT_TRUE(c->ok());
    // All of it fits into OpenSSL's buffer, which a small read fills.
    std::size_t sent = 0;
    for (std::size_t const size : {10, 10, 7'000, 3'000}) {
      ASSERT_EQ(c->client->write(std::string(size, 'x')), "");
      sent += size;
      SSL_key_update(c->client->ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
    }
    auto got = c->server->try_read(std::span(buffer).first(10)).bytes;
    while (got < sent) {
      ASSERT_TRUE(is_noticed(*c->server)) << got;
      auto const result = c->server->try_read(std::span(buffer).first(room));
      ASSERT_EQ(result.status, net::IoStatus::done);
      got += result.bytes;
    }
    EXPECT_FALSE(is_noticed(*c->server));
  }
}

TEST(TlsStream, several_records_leave_in_one_send) {
  Rig rig(any_host());
  auto const pair = dial(rig, build(trusting(authorities().server_ca)));
  ASSERT_TRUE(*pair->result);
  std::string const text(max_write_bytes + 1, 'x');
  auto const taken = pair->server->server->try_write(text);
  EXPECT_EQ(taken.status, net::IoStatus::done);
  EXPECT_EQ(taken.bytes, max_write_bytes);
  std::vector<char> buffer(max_write_bytes);
  std::size_t got = 0;
  int refills = 0;  // a socket pair may hold less than that
  while (got < max_write_bytes) {
    auto const piece = pair->client->try_read(std::span(buffer).subspan(got));
    got += piece.bytes;
    if (piece.status == net::IoStatus::done) continue;
    ASSERT_EQ(piece.status, net::IoStatus::want_read);
    ASSERT_TRUE(pair->server->server->has_unsent());
    pair->server->server->flush();
    ASSERT_LT(++refills, 8);
  }
  EXPECT_EQ(pair->client->try_read(buffer).status, net::IoStatus::want_read);
}

void ask_for_key_updates(std::size_t room) {
  SCOPED_TRACE(room);
  Rig rig(any_host());
  auto const c = rig.connect({});
  ASSERT_TRUE(c->ok());
  auto& server = *c->server;
  std::vector<char> buffer(room);
  auto status = net::IoStatus::want_read;
  for (int i = 0; i < 200'000 && status == net::IoStatus::want_read; ++i) {
    SSL_key_update(c->client->ssl(), SSL_KEY_UPDATE_REQUESTED);
    if (!c->client->write("x").empty()) break;  // our side no longer reads
    auto const got = server.try_read(buffer);
    status = got.status == net::IoStatus::done ? net::IoStatus::want_read : got.status;
  }
  EXPECT_EQ(status, net::IoStatus::want_write);
  EXPECT_TRUE(server.has_unsent());
}

TEST(TlsStream, a_peer_that_asks_for_key_updates_and_never_reads_is_bounded) {
  ask_for_key_updates(64);
  ask_for_key_updates(256 * 1024);
}

TEST(TlsStream, truncation_is_an_end_for_clients_and_a_failure_for_upstreams) {
  Rig rig(any_host());
  char buffer[16];
  auto const one = dial(rig, build(trusting(authorities().server_ca)));
  EXPECT_EQ(one->client->try_read(buffer).status, net::IoStatus::want_read);  // takes its ticket
  one->client->socket().close();
  EXPECT_EQ(one->server->server->try_read(buffer).status, net::IoStatus::closed);
  auto const two = dial(rig, build(trusting(authorities().server_ca)));
  EXPECT_EQ(two->client->try_read(buffer).status, net::IoStatus::want_read);
  two->server->server->socket().close();
  EXPECT_EQ(two->client->try_read(buffer).status, net::IoStatus::failed);
  EXPECT_NE(two->client->error(), "");
  auto const three = dial(rig, build(trusting(authorities().server_ca)));
  three->server->server->finish();
  three->server->server->socket().close();
  EXPECT_EQ(three->client->try_read(buffer).status, net::IoStatus::closed);
}

}  // namespace
}  // namespace certgate::tls
