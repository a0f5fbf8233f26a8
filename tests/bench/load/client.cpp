#include "client.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

namespace certgate::load {

std::uint64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(time.tv_nsec);
}

Client::Client(Options const& options, SSL_CTX* context, std::string const& request, int epoll)
    : options_(options), context_(context), request_(request), epoll_(epoll) {}

Client::~Client() {
  close(false);
  SSL_SESSION_free(session_);
}

void Client::watch(std::uint32_t events) {
  if (events == events_) return;
  epoll_event event{};
  event.events = events;
  event.data.ptr = this;
  ::epoll_ctl(epoll_, events_ == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd_, &event);
  events_ = events;
}

void Client::open() {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int const on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  // Many short connections: the end that closes first would keep its port for a minute.
  linger const at_once{1, 0};
  if (options_.mode == Options::Mode::handshake || options_.mode == Options::Mode::resume) {
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }
  state_ = State::connecting;
  ::connect(fd_, reinterpret_cast<sockaddr const*>(&options_.target), sizeof(options_.target));
  events_ = 0;
  watch(EPOLLOUT);
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, fd_);
  SSL_set_tlsext_host_name(ssl_, options_.server_name.c_str());
  if (session_ != nullptr) SSL_set_session(ssl_, session_);
  SSL_set_connect_state(ssl_);
}

void Client::close(bool keep_session) {
  if (ssl_ != nullptr) {
    if (keep_session) {
      SSL_SESSION_free(session_);
      session_ = SSL_get1_session(ssl_);
      SSL_shutdown(ssl_);  // close_notify, so that the server keeps the session
    }
    SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl_);
    ssl_ = nullptr;
  }
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  state_ = State::closed;
}

Progress Client::fail(char const* why) {
  error_ = why;
  was_refused_ = state_ == State::connecting;
  close(false);
  busy_ = false;
  return Progress::failed;
}

void Client::begin(std::uint64_t intended) {
  busy_ = true;
  intended_ = intended;
  written_ = 0;
  head_.clear();
  tail_.clear();
  has_head_ = chunked_ = closes_ = false;
  status_ = 0;
  if (state_ == State::closed) {
    open();
    return;
  }
  state_ = State::writing;
  ERR_clear_error();
}

void Client::finish() {
  busy_ = false;
  if (options_.mode == Options::Mode::handshake || closes_) close(false);
  if (options_.mode == Options::Mode::resume) close(true);
}

bool Client::parse_head() {
  auto const end = head_.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  std::string_view const text(head_.data(), end + 2);
  if (text.size() > 12) std::from_chars(text.data() + 9, text.data() + 12, status_);
  body_left_ = 0;
  auto const find = [&](std::string_view lower) {
    for (std::size_t at = 0; at + lower.size() < text.size(); ++at) {
      if (text[at] != '\n') continue;
      bool const same = std::equal(lower.begin(), lower.end(), text.begin() + at + 1,
                                   [](char a, char b) { return a == (b | 0x20) || a == b; });
      if (same) return at + 1 + lower.size();
    }
    return std::string_view::npos;
  };
  if (auto const at = find("content-length:"); at != std::string_view::npos) {
    auto begin = at;
    while (text[begin] == ' ') ++begin;
    std::from_chars(text.data() + begin, text.data() + text.size(), body_left_);
  }
  chunked_ = find("transfer-encoding: chunked") != std::string_view::npos;
  closes_ = find("connection: close") != std::string_view::npos;
  auto const rest = head_.size() - end - 4;
  if (chunked_) tail_.assign(head_, end + 4, rest);
  body_left_ -= std::min<std::uint64_t>(body_left_, rest);
  has_head_ = true;
  return true;
}

Progress Client::advance() {
  if (state_ == State::connecting) {
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return fail("connect");
    state_ = State::handshaking;
    ERR_clear_error();
  }
  if (state_ == State::handshaking) {
    auto const result = SSL_do_handshake(ssl_);
    if (result != 1) {
      switch (SSL_get_error(ssl_, result)) {
        case SSL_ERROR_WANT_READ: watch(EPOLLIN); return Progress::working;
        case SSL_ERROR_WANT_WRITE: watch(EPOLLOUT); return Progress::working;
        default: return fail("handshake");
      }
    }
    resumed_ = SSL_session_reused(ssl_) == 1;
    state_ = busy_ ? State::writing : State::idle;
  }
  if (state_ == State::writing) {
    while (written_ < request_.size()) {
      auto const n = SSL_write(ssl_, request_.data() + written_,
                               static_cast<int>(std::min<std::size_t>(request_.size() - written_,
                                                                      64 * 1024)));
      if (n > 0) {
        written_ += static_cast<std::size_t>(n);
        continue;
      }
      if (SSL_get_error(ssl_, n) == SSL_ERROR_WANT_WRITE) {
        watch(EPOLLOUT);
        return Progress::working;
      }
      return fail("write");
    }
    state_ = State::reading;
    watch(EPOLLIN);
    return Progress::working;  // the answer takes a while: reading now would find nothing
  }
  static char buffer[256 * 1024];
  while (state_ == State::reading || state_ == State::idle) {
    auto const n = SSL_read(ssl_, buffer, sizeof(buffer));
    if (n <= 0) {
      if (SSL_get_error(ssl_, n) == SSL_ERROR_WANT_READ) return Progress::working;
      return fail(state_ == State::idle ? "closed while idle" : "read");
    }
    if (state_ == State::idle) return fail("unasked bytes");
    auto const size = static_cast<std::size_t>(n);
    bytes_received_ += size;
    if (!has_head_) {
      head_.append(buffer, size);
      if (!parse_head()) continue;
    } else if (chunked_) {
      tail_.append(buffer, size);
    } else {
      body_left_ -= std::min<std::uint64_t>(body_left_, size);
    }
    if (chunked_) {
      if (tail_.size() > 5) tail_.erase(0, tail_.size() - 5);
      if (tail_ != "0\r\n\r\n") continue;
    }
    if (!chunked_ && body_left_ > 0) continue;
    state_ = State::idle;
    return Progress::done;
  }
  return Progress::working;
}

}  // namespace certgate::load
