#include "certgate/net/stream.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace certgate::net {

IoResult PlainStream::try_read(std::span<char> into) {
  for (;;) {
    auto const n = ::recv(socket().fd(), into.data(), into.size(), 0);
    if (n > 0) {
      auto const bytes = static_cast<std::size_t>(n);
      if (bytes < into.size()) socket().mark_drained();
      return {IoStatus::done, bytes};
    }
    if (n == 0) return {IoStatus::closed, 0};
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return {IoStatus::failed, 0};
    socket().mark_drained();
    return {IoStatus::want_read, 0};
  }
}

IoResult PlainStream::try_write(std::span<char const> from) {
  for (;;) {
    auto const n = ::send(socket().fd(), from.data(), from.size(), MSG_NOSIGNAL);
    if (n >= 0) return {IoStatus::done, static_cast<std::size_t>(n)};
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {IoStatus::want_write, 0};
    return {IoStatus::failed, 0};
  }
}

void PlainStream::finish() {
  if (socket().is_open()) ::shutdown(socket().fd(), SHUT_WR);
}

Task<Ready> wait_for(Stream& stream, IoStatus status) {
  if (status == IoStatus::want_write) {
    auto const ready = co_await stream.socket().writable();
    co_return ready;
  }
  auto const ready = co_await stream.socket().readable();
  co_return ready;
}

Task<IoStatus> write_all(Stream& stream, std::span<char const> from) {
  auto rest = from;
  while (!rest.empty()) {
    auto const result = stream.try_write(rest);
    if (result.status == IoStatus::done) {
      rest = rest.subspan(result.bytes);
      continue;
    }
    if (result.status != IoStatus::want_read && result.status != IoStatus::want_write) {
      co_return IoStatus::failed;
    }
    auto const ready = co_await wait_for(stream, result.status);
    if (ready == Ready::cancelled) co_return IoStatus::failed;
  }
  while (stream.has_unsent()) {
    auto const status = stream.flush();
    if (status == IoStatus::done) break;
    if (status != IoStatus::want_read && status != IoStatus::want_write) {
      co_return IoStatus::failed;
    }
    auto const ready = co_await wait_for(stream, status);
    if (ready == Ready::cancelled) co_return IoStatus::failed;
  }
  co_return IoStatus::done;
}

Task<IoResult> read_some(Stream& stream, std::span<char> into) {
  for (;;) {
    auto const result = stream.try_read(into);
    if (result.status != IoStatus::want_read && result.status != IoStatus::want_write) {
      co_return result;
    }
    auto const ready = co_await wait_for(stream, result.status);
    if (ready == Ready::cancelled) co_return IoResult{IoStatus::failed, 0};
  }
}

}  // namespace certgate::net
