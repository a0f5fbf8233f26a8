// A Stream over one end of a socket pair whose reads and writes can be made small, and its peer.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <string>

#include "certgate/net/deadlines.hpp"
#include "certgate/net/loop.hpp"
#include "certgate/net/stream.hpp"

namespace certgate::proxy {

inline constexpr std::chrono::milliseconds patience{60'000};

inline int pair_of_sockets(int& peer) {
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
  peer = ends[1];
  return ends[0];
}

// What the other side of a stream does, by hand.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  ~Peer() { close(); }
  Peer(Peer const&) = delete;
  Peer& operator=(Peer const&) = delete;

  // As much as the socket takes.
  std::size_t write(std::string_view bytes) {
    auto const n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  // What is there.
  std::string read() {
    std::string all;
    char bytes[65536];
    for (;;) {
      auto const n = ::recv(fd_, bytes, sizeof(bytes), 0);
      if (n <= 0) {
        ended_ = ended_ || n == 0;
        return all;
      }
      all.append(bytes, static_cast<std::size_t>(n));
    }
  }
  // After a read() that found the end.
  bool ended() const { return ended_; }
  void finish() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
  bool ended_ = false;
};

class SmallStream final : public net::Stream {
 public:
  SmallStream(net::Loop& loop, int fd) : Stream(loop, fd) {}
  std::size_t most = SIZE_MAX;  // bytes per read and write

  net::IoResult try_read(std::span<char> into) override {
    auto const n = ::recv(socket().fd(), into.data(), std::min(most, into.size()), 0);
    if (n > 0) return {net::IoStatus::done, static_cast<std::size_t>(n)};
    if (n == 0) return {net::IoStatus::closed, 0};
    return {errno == EAGAIN ? net::IoStatus::want_read : net::IoStatus::failed, 0};
  }
  net::IoResult try_write(std::span<char const> from) override {
    auto const n =
        ::send(socket().fd(), from.data(), std::min(most, from.size()), MSG_NOSIGNAL);
    if (n >= 0) return {net::IoStatus::done, static_cast<std::size_t>(n)};
    return {errno == EAGAIN ? net::IoStatus::want_write : net::IoStatus::failed, 0};
  }
  net::IoStatus flush() override { return net::IoStatus::done; }
  bool has_unsent() const override { return false; }
  bool has_buffered() const override { return false; }
  void finish() override { ::shutdown(socket().fd(), SHUT_WR); }
};

}  // namespace certgate::proxy
