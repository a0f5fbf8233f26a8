#include "demo_origin.hpp"

#include <unistd.h>

#include <array>
#include <set>
#include <string>

#include "certgate/base/encoding.hpp"
#include "certgate/http1/reader.hpp"
#include "certgate/net/stream.hpp"

namespace certgate::cli {

// The listening socket and every open connection, all on the origin's loop.
struct DemoOrigin::Listener {
  Listener(net::Loop& origin_loop, int fd) : loop(origin_loop), socket(origin_loop, fd) {}
  net::Loop& loop;
  net::Socket socket;
  std::set<net::Stream*> open;
  bool accepting = true;

  static net::Task<void> accept(std::shared_ptr<Listener> self);
  static net::Task<void> answer(std::shared_ptr<Listener> self, int fd);
};

net::Task<void> DemoOrigin::Listener::accept(std::shared_ptr<Listener> self) {
  while (self->socket.is_open()) {
    auto const ready = co_await self->socket.readable();
    if (ready == net::Ready::cancelled) break;
    IpEndpoint peer;
    int const fd = net::accept_one(self->socket.fd(), peer);
    if (fd >= 0) net::start(answer(self, fd));
  }
  self->accepting = false;
}

net::Task<void> DemoOrigin::Listener::answer(std::shared_ptr<Listener> self, int fd) {
  net::PlainStream stream(self->loop, fd);
  self->open.insert(&stream);
  std::string received;
  for (;;) {
    std::array<char, 4096> piece;
    auto const room = std::span<char>(piece);
    auto const result = co_await net::read_some(stream, room);
    if (result.status != net::IoStatus::done) break;
    received.append(piece.data(), result.bytes);
    std::array<http::Field, http1::default_max_fields> slots;
    http1::RequestReader reader(slots);
    auto const fed = reader.feed(received);
    if (fed == http1::Feed::need_more) continue;
    if (fed == http1::Feed::refused) break;
    auto const* const who = http::find(reader.head().fields, "X-Client-DN");
    std::string body = "{\"hello\":\"";
    append_json_escaped(body, who == nullptr ? "nobody I know" : who->value);
    body += "\"}\n";
    auto const answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                        std::to_string(body.size()) + "\r\n\r\n" + body;
    received.erase(0, reader.consumed());
    auto const bytes = std::span<char const>(answer);
    auto const sent = co_await net::write_all(stream, bytes);
    if (sent != net::IoStatus::done) break;
  }
  self->open.erase(&stream);
}

Result<std::unique_ptr<DemoOrigin>> DemoOrigin::start() {
  CERTGATE_TRY(int const fd, net::open_listener({*IpAddress::parse("127.0.0.1"), 0}, 64));
  auto const endpoint = net::local_endpoint(fd);
  if (!endpoint) {
    ::close(fd);
    return fail(endpoint.error());
  }
  std::unique_ptr<DemoOrigin> origin(new DemoOrigin);
  origin->port_ = endpoint->port;
  origin->listener_ = std::make_shared<Listener>(origin->loop_, fd);
  auto& running = *origin;
  origin->thread_ = std::thread([&running] {
    net::start(Listener::accept(running.listener_));
    running.loop_.run();
  });
  return origin;
}

DemoOrigin::~DemoOrigin() {
  loop_.stop();
  thread_.join();
  listener_->socket.close();
  for (auto* const stream : listener_->open) stream->socket().cancel();
  loop_.run_until([this] { return !listener_->accepting && listener_->open.empty(); },
                  std::chrono::seconds{2});
}

}  // namespace certgate::cli
