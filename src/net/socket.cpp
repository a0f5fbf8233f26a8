#include "certgate/net/socket.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include "loop_inside.hpp"

namespace certgate::net {

namespace {

void set_flag(int fd, int level, int name) {
  int const on = 1;
  ::setsockopt(fd, level, name, &on, sizeof(on));
}

std::string reason(int error) { return std::strerror(error); }

socklen_t fill(sockaddr_storage& storage, IpEndpoint const& endpoint) {
  std::memset(&storage, 0, sizeof(storage));
  auto const& bytes = endpoint.address.bytes();
  if (endpoint.address.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, bytes.data(), 4);
    return sizeof(v4);
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(endpoint.port);
  std::memcpy(&v6.sin6_addr, bytes.data(), 16);
  return sizeof(v6);
}

IpEndpoint endpoint_of(sockaddr_storage const& storage) {
  if (storage.ss_family == AF_INET) {
    auto const& v4 = reinterpret_cast<sockaddr_in const&>(storage);
    return {IpAddress::v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
  }
  if (storage.ss_family == AF_INET6) {
    auto const& v6 = reinterpret_cast<sockaddr_in6 const&>(storage);
    std::array<std::uint8_t, 16> bytes;
    std::memcpy(bytes.data(), &v6.sin6_addr, 16);
    return {IpAddress::v6(bytes).unmapped(), ntohs(v6.sin6_port)};
  }
  return {};
}

Result<int> bound_socket(IpEndpoint const& endpoint, bool share_port) {
  auto const family = endpoint.address.is_v4() ? AF_INET : AF_INET6;
  int const fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(ErrorCode::io, "cannot make a socket: " + reason(errno));
  set_flag(fd, SOL_SOCKET, SO_REUSEADDR);
  if (share_port) set_flag(fd, SOL_SOCKET, SO_REUSEPORT);
  if (family == AF_INET6) set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY);
  sockaddr_storage storage;
  auto const length = fill(storage, endpoint);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&storage), length) == 0) return fd;
  int const error = errno;
  ::close(fd);
  auto const where = "cannot listen on " + endpoint.to_string() + ": ";
  if (error == EADDRINUSE) {
    return fail(ErrorCode::conflict, where + "the address is already in use by another program");
  }
  if (error == EACCES) {
    return fail(ErrorCode::permission,
                where + "ports below 1024 need the capability CAP_NET_BIND_SERVICE");
  }
  if (error == EADDRNOTAVAIL) {
    return fail(ErrorCode::not_found, where + "this machine has no such address");
  }
  return fail(ErrorCode::io, where + reason(error));
}

}  // namespace

Socket::Socket(Loop& loop) : loop_(loop) {}

Socket::Socket(Loop& loop, int fd) : Socket(loop) { assign(fd); }

Socket::~Socket() { close(); }

void Socket::assign(int fd) {
  int const flags = ::fcntl(fd, F_GETFL);
  if ((flags & O_NONBLOCK) == 0) ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  if (!loop_.inside().readiness.add(*this, fd)) {
    ::close(fd);
    return;
  }
  fd_ = fd;
  will_report_ = true;
  ended_ = watched_ = became_readable_ = reports_writable_ = false;
}

void Socket::cancel() {
  watched_ = false;
  end(reader_, Ready::cancelled);
  end(writer_, Ready::cancelled);
}

void Socket::close() {
  if (!is_open()) return;
  cancel();
  became_readable_ = false;
  loop_.inside().readiness.remove(*this, fd_);
  ::close(std::exchange(fd_, -1));
}

void Socket::reset() {
  if (!is_open()) return;
  linger const now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close();
}

void Socket::look_again() {
  auto const interest =
      reports_writable_ ? Readiness::Interest::read_and_write : Readiness::Interest::read;
  will_report_ = true;
  loop_.inside().readiness.look_again(*this, fd_, interest);
}

void Socket::watch_readable() {
  if (watched_ || became_readable_ || !is_open()) return;
  watched_ = true;
  if (!will_report_) look_again();
}

void Socket::watch_readable_again() {
  became_readable_ = false;
  watch_readable();
}

void Socket::forget_writable() {
  if (!reports_writable_ || !is_open()) return;
  reports_writable_ = false;
  look_again();
}

bool Socket::peer_has_ended() const {
  pollfd about{fd_, POLLRDHUP, 0};
  return ::poll(&about, 1, 0) == 1;
}

// Everything that was fetched is told before any coroutine goes on (Loop::turn), so that an event
// never tells of what somebody has read already.
void Socket::on_event(std::uint32_t events) {
  constexpr std::uint32_t broken = EPOLLHUP | EPOLLERR;
  if ((events & (EPOLLRDHUP | broken)) != 0) ended_ = true;
  if ((events & (EPOLLOUT | broken)) != 0) end(writer_, Ready::ready);
  if ((events & (EPOLLIN | EPOLLRDHUP | broken)) == 0) return;
  will_report_ = false;
  if (reader_ != nullptr) {
    end(reader_, Ready::ready);
  } else if (watched_) {
    watched_ = false;
    became_readable_ = true;
    if (observer_ != nullptr) observer_->on_readable();  // may close or destroy this
  }
}

void Socket::end(Wait*& waits, Ready result) {
  auto* wait = std::exchange(waits, nullptr);
  while (wait != nullptr) {
    auto& over = *wait;
    wait = over.next_;
    over.result_ = result;
    enqueue(over);
  }
}

void Socket::enqueue(Wait& wait) {
  auto& inside = loop_.inside();
  wait.next_ = nullptr;
  (inside.last_over != nullptr ? inside.last_over->next_ : inside.first_over) = &wait;
  inside.last_over = &wait;
}

bool Socket::Wait::await_ready() noexcept {
  if (direction_ != Direction::read || !socket_.became_readable_) return false;
  socket_.became_readable_ = false;
  result_ = Ready::ready;
  return true;
}

void Socket::Wait::await_suspend(std::coroutine_handle<> awaiting) {
  awaiting_ = awaiting;
  if (!socket_.is_open()) {
    // Resuming from inside await_suspend would grow the stack: let the loop do it.
    result_ = Ready::cancelled;
    socket_.enqueue(*this);
  } else if (direction_ == Direction::read) {
    next_ = std::exchange(socket_.reader_, this);
    socket_.watched_ = false;
    if (!socket_.will_report_) socket_.look_again();
  } else {
    // Always: who waits need not have filled it.
    next_ = std::exchange(socket_.writer_, this);
    socket_.reports_writable_ = true;
    socket_.look_again();
  }
}

Socket::Wait* Socket::Wait::resume() {
  auto* const next = next_;  // this goes when its coroutine goes on
  awaiting_.resume();
  return next;
}

std::string SocketAddress::to_string() const {
  return unix_path.empty() ? ip.to_string() : "unix:" + unix_path;
}

namespace {

Error not_connected(SocketAddress const& address, int error) {
  auto code = ErrorCode::unavailable;
  if (error == ECONNREFUSED || error == ECONNRESET) code = ErrorCode::closed;
  if (error == ETIMEDOUT) code = ErrorCode::timed_out;
  return Error{code, "cannot connect to " + address.to_string() + ": " + reason(error)};
}

}  // namespace

Task<Result<void>> connect(Socket& socket, SocketAddress const& address) {
  sockaddr_storage storage;
  socklen_t length = 0;
  int family = AF_UNIX;
  if (address.unix_path.empty()) {
    family = address.ip.address.is_v4() ? AF_INET : AF_INET6;
    length = fill(storage, address.ip);
  } else {
    auto& local = reinterpret_cast<sockaddr_un&>(storage);
    std::memset(&storage, 0, sizeof(storage));
    local.sun_family = AF_UNIX;
    if (address.unix_path.size() >= sizeof(local.sun_path)) {
      co_return fail(ErrorCode::invalid, "the unix socket path is too long: " + address.unix_path);
    }
    std::memcpy(local.sun_path, address.unix_path.data(), address.unix_path.size());
    length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.unix_path.size() + 1);
  }
  int const fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) co_return fail(ErrorCode::exhausted, "cannot make a socket: " + reason(errno));
  if (family != AF_UNIX) set_flag(fd, IPPROTO_TCP, TCP_NODELAY);
  socket.close();
  // Before the socket is watched: one that is not connected counts as hung up.
  int const begun = ::connect(fd, reinterpret_cast<sockaddr*>(&storage), length) == 0 ? 0 : errno;
  if (begun != 0 && begun != EINPROGRESS) {
    ::close(fd);
    co_return fail(not_connected(address, begun));
  }
  socket.assign(fd);
  if (!socket.is_open()) {
    co_return fail(ErrorCode::exhausted, "the system watches no more descriptors for this user");
  }
  if (begun == 0) co_return Result<void>{};
  auto const ready = co_await socket.writable();
  if (ready == Ready::cancelled) {
    socket.close();
    co_return fail(ErrorCode::timed_out, "connecting to " + address.to_string() + " took too long");
  }
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    socket.close();
    co_return fail(not_connected(address, error));
  }
  co_return Result<void>{};
}

Result<int> open_listener(IpEndpoint const& endpoint, int backlog) {
  CERTGATE_TRY(int const fd, bind_listener(endpoint));
  if (auto const listening = start_listening(fd, backlog); !listening) {
    ::close(fd);
    return fail(listening.error());
  }
  return fd;
}

Result<int> bind_listener(IpEndpoint const& endpoint) { return bound_socket(endpoint, true); }

Result<void> start_listening(int bound_fd, int backlog) {
  if (::listen(bound_fd, backlog) == 0) return {};
  auto const why = reason(errno);
  auto const endpoint = local_endpoint(bound_fd);
  return fail(ErrorCode::io, "cannot listen on " + (endpoint ? endpoint->to_string() : "a socket") +
                                 ": " + why);
}

Result<void> check_address_free(IpEndpoint const& endpoint) {
  if (endpoint.port == 0) return {};
  CERTGATE_TRY(int const fd, bound_socket(endpoint, false));
  ::close(fd);
  return {};
}

void refuse_new_connections(int listener_fd) {
  constexpr unsigned flags_byte = 13;  // of the TCP header, where such a filter begins to look
  constexpr unsigned syn = 0x02;
  sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, flags_byte),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, syn, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xFFFFFFFF),
  };
  sock_fprog const program{std::size(steps), steps};
  ::setsockopt(listener_fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

Result<IpEndpoint> local_endpoint(int fd) {
  sockaddr_storage storage;
  socklen_t length = sizeof(storage);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    return fail(ErrorCode::io, "getsockname: " + reason(errno));
  }
  return endpoint_of(storage);
}

Result<IpEndpoint> remote_endpoint(int fd) {
  sockaddr_storage storage;
  socklen_t length = sizeof(storage);
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    return fail(ErrorCode::io, "getpeername: " + reason(errno));
  }
  return endpoint_of(storage);
}

int accept_one(int listener_fd, IpEndpoint& peer) {
  sockaddr_storage storage;
  socklen_t length = sizeof(storage);
  int const fd = ::accept4(listener_fd, reinterpret_cast<sockaddr*>(&storage), &length,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return -1;
  set_flag(fd, IPPROTO_TCP, TCP_NODELAY);
  peer = endpoint_of(storage);
  return fd;
}

}  // namespace certgate::net
