// Replaces a dead process's socket file, leaves everything else alone.
#include "listening_socket.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "socket_address.hpp"

namespace certgate::admin {
namespace {

constexpr int backlog = 64;
constexpr mode_t socket_mode = 0600;

Error failed(Address const& address, int reason) {
  auto code = ErrorCode::io;
  if (reason == EACCES || reason == EPERM) code = ErrorCode::permission;
  if (reason == EADDRINUSE) code = ErrorCode::conflict;
  return {code,
          "cannot listen on admin address " + address.to_string() + ": " + std::strerror(reason)};
}

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  Descriptor(Descriptor const&) = delete;
  Descriptor& operator=(Descriptor const&) = delete;
  ~Descriptor() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

Descriptor new_socket(int family, int more_flags) {
  return Descriptor{::socket(family, SOCK_STREAM | SOCK_CLOEXEC | more_flags, 0)};
}

// Makes room for our own socket file where a dead process has left one.
Result<void> clear_path(Address const& address, SocketAddress const& where) {
  struct stat status {};
  if (lstat(address.unix_path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) {
    return fail(ErrorCode::conflict,
                "admin address " + address.to_string() + ": there is a file that is not a socket");
  }
  Descriptor const probe = new_socket(AF_UNIX, SOCK_NONBLOCK);
  bool const answered = connect(probe.get(), where.get(), where.size) == 0 || errno == EAGAIN;
  if (answered) {
    return fail(ErrorCode::conflict,
                "admin address " + address.to_string() + " is in use by another process");
  }
  if (errno != ECONNREFUSED) return fail(failed(address, errno));
  if (unlink(address.unix_path.c_str()) != 0 && errno != ENOENT) {
    return fail(failed(address, errno));
  }
  return {};
}

std::uint16_t bound_port(int descriptor) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return 0;
  // The port is at the same place for both families.
  sockaddr_in v4{};
  std::memcpy(&v4, &storage, sizeof(v4));
  return ntohs(v4.sin_port);
}

}  // namespace

Result<ListeningSocket> listen_at(Address const& address) {
  SocketAddress const where{address};
  if (address.is_unix()) {
    auto const cleared = clear_path(address, where);
    if (!cleared) return fail(cleared.error());
  }
  Descriptor socket = new_socket(where.family(), SOCK_NONBLOCK);
  if (socket.get() < 0) return fail(failed(address, errno));
  int const on = 1;
  if (!address.is_unix()) setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(socket.get(), where.get(), where.size) != 0) return fail(failed(address, errno));
  ListeningSocket listening;
  listening.address = address;
  if (address.is_unix()) {
    // Before listen(): until then nobody can connect, whatever the umask was.
    struct stat status {};
    if (chmod(address.unix_path.c_str(), socket_mode) != 0 ||
        lstat(address.unix_path.c_str(), &status) != 0) {
      int const reason = errno;
      unlink(address.unix_path.c_str());
      return fail(failed(address, reason));
    }
    listening.device = status.st_dev;
    listening.inode = status.st_ino;
  } else {
    listening.address.tcp.port = bound_port(socket.get());
  }
  if (listen(socket.get(), backlog) != 0) {
    int const reason = errno;
    remove_socket_file(listening);
    return fail(failed(address, reason));
  }
  listening.descriptor = socket.release();
  return listening;
}

void remove_socket_file(ListeningSocket const& socket) {
  if (!socket.address.is_unix()) return;
  char const* const path = socket.address.unix_path.c_str();
  struct stat status {};
  bool const ours =
      lstat(path, &status) == 0 && status.st_dev == socket.device && status.st_ino == socket.inode;
  if (ours) unlink(path);
}

bool is_trusted_peer(int descriptor) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == geteuid();
}

}  // namespace certgate::admin
