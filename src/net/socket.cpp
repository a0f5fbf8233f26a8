#include "certgate/net/socket.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <memory>
#include <new>
#include <utility>

#include "asio_loop.hpp"

namespace certgate::net {

namespace asio = boost::asio;

// Asio only watches the descriptor: this class closes it, so that SO_LINGER and the order of
// cancelling and closing are ours.
struct Socket::Inside {
  asio::basic_stream_socket<asio::generic::stream_protocol, asio::io_context::executor_type> socket;
};

// A read wait that outlives any single waiter. Its handler owns it, so that a loop that goes away
// with the wait pending frees it; `socket` is null once the socket has let go of it.
struct Socket::Watch {
  explicit Watch(Socket* watched) : socket(watched) {}
  Socket* socket;
  // One per request: from the same free lists as coroutine frames.
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* watch, std::size_t size) noexcept { free_frame(watch, size); }
};

struct Socket::WatchHandler {
  std::unique_ptr<Watch> watch;
  void operator()(boost::system::error_code const& error) const {
    auto* const socket = watch->socket;
    if (socket == nullptr) return;
    socket->watch_ = nullptr;
    socket->on_watched(error ? Ready::cancelled : Ready::ready);
  }
};

namespace {

void set_flag(int fd, int level, int name) {
  int const on = 1;
  ::setsockopt(fd, level, name, &on, sizeof(on));
}

std::string reason(int error) { return std::strerror(error); }

// Bytes, an end or an error: a read would not have to wait.
bool can_be_read(int fd) {
  pollfd about{fd, POLLIN, 0};
  return ::poll(&about, 1, 0) == 1;
}

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

Socket::Socket(Loop& loop) : loop_(loop) {
  static_assert(sizeof(Inside) <= sizeof(inside_) && alignof(Inside) <= 8);
  new (inside_) Inside{decltype(Inside::socket)(loop.inside().context.get_executor())};
}

Socket::Socket(Loop& loop, int fd) : Socket(loop) { assign(fd); }

Socket::~Socket() {
  if (watch_ != nullptr) watch_->socket = nullptr;
  close();
  inside().~Inside();
}

void Socket::assign(int fd) {
  int const flags = ::fcntl(fd, F_GETFL);
  if ((flags & O_NONBLOCK) == 0) ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  boost::system::error_code ignored;
  inside().socket.assign(asio::generic::stream_protocol(AF_INET, IPPROTO_TCP), fd, ignored);
  // Tells Asio that the descriptor does not block already, which saves it the system call.
  inside().socket.native_non_blocking(true, ignored);
  fd_ = fd;
  reports_writable_ = false;
}

void Socket::cancel() {
  if (!is_open()) return;
  boost::system::error_code ignored;
  inside().socket.cancel(ignored);
}

void Socket::close() {
  if (!is_open()) return;
  fd_ = -1;
  became_readable_ = false;
  boost::system::error_code ignored;
  inside().socket.close(ignored);
}

void Socket::reset() {
  if (!is_open()) return;
  linger const now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close();
}

void Socket::watch_readable() {
  if (watch_ != nullptr || became_readable_ || !is_open()) return;
  auto watch = std::make_unique<Watch>(this);
  watch_ = watch.get();
  inside().socket.async_wait(asio::socket_base::wait_read, WatchHandler{std::move(watch)});
}

void Socket::watch_readable_again() {
  became_readable_ = false;
  watch_readable();
}

void Socket::forget_writable() {
  if (!reports_writable_ || watch_ != nullptr || !is_open()) return;
  // Asio adds EPOLLOUT to what it registered and never takes it back: registered anew, it is gone.
  boost::system::error_code ignored;
  inside().socket.release(ignored);
  assign(fd_);
}

bool Socket::peer_has_ended() const {
  pollfd about{fd_, POLLRDHUP, 0};
  return ::poll(&about, 1, 0) == 1;
}

void Socket::on_watched(Ready result) {
  if (watch_waiter_ == nullptr) {
    // Of several events in one batch, the turn of an earlier one may have read what this one tells
    // of and begun this watch: then there is no news.
    if (result == Ready::ready && is_open() && !can_be_read(fd_)) return watch_readable();
    became_readable_ = result == Ready::ready;
    if (became_readable_ && observer_ != nullptr) observer_->on_readable();
    return;
  }
  auto* const waiter = std::exchange(watch_waiter_, nullptr);
  waiter->result_ = result;
  waiter->awaiting_.resume();
}

bool Socket::Wait::await_ready() noexcept {
  if (direction_ != Direction::read || !socket_.became_readable_) return false;
  socket_.became_readable_ = false;
  result_ = Ready::ready;
  return true;
}

void Socket::Wait::await_suspend(std::coroutine_handle<> awaiting) {
  if (direction_ == Direction::read && socket_.watch_ != nullptr) {
    awaiting_ = awaiting;
    socket_.watch_waiter_ = this;
    return;
  }
  if (!socket_.is_open()) {
    // Resuming from inside await_suspend would grow the stack: let the loop do it.
    socket_.loop_.post([awaiting] { awaiting.resume(); });
    return;
  }
  if (direction_ == Direction::write) socket_.reports_writable_ = true;
  auto const what = direction_ == Direction::read ? asio::socket_base::wait_read
                                                  : asio::socket_base::wait_write;
  socket_.inside().socket.async_wait(what,
                                     [this, awaiting](boost::system::error_code const& error) {
                                       result_ = error ? Ready::cancelled : Ready::ready;
                                       awaiting.resume();
                                     });
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
  socket.assign(fd);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&storage), length) == 0) co_return Result<void>{};
  if (errno != EINPROGRESS) {
    int const error = errno;
    socket.close();
    co_return fail(not_connected(address, error));
  }
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
