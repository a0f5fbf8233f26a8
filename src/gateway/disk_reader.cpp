// Reads the files that a configuration names, whole, and never waits for one.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "certgate/gateway/build.hpp"

namespace certgate::gateway {
namespace {

// More than a list of ten million revoked certificates; a device or a log named by mistake is told
// instead of filling the memory.
constexpr std::size_t max_file_bytes = std::size_t{1} << 30;

class OpenFile {
 public:
  explicit OpenFile(int fd) : fd_(fd) {}
  OpenFile(OpenFile const&) = delete;
  OpenFile& operator=(OpenFile const&) = delete;
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

Error why_not(int error) {
  auto code = ErrorCode::io;
  if (error == ENOENT || error == ENOTDIR) code = ErrorCode::not_found;
  if (error == EACCES || error == EPERM) code = ErrorCode::permission;
  return {code, std::strerror(error)};
}

}  // namespace

Result<std::string> DiskReader::read(std::string const& path) {
  // O_NONBLOCK: opening a named pipe would wait for its writer, and a reload with it.
  OpenFile const file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.fd() < 0) return fail(why_not(errno));
  struct stat status{};
  if (::fstat(file.fd(), &status) != 0) return fail(why_not(errno));
  if (S_ISDIR(status.st_mode)) return fail(ErrorCode::invalid, "is a directory");
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::invalid, "is a pipe, a socket or a device, not a file");
  }
  // The size is only a guess: somebody may be writing. The byte more is where the end is seen.
  auto const guess = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0)) + 1;
  std::string bytes(std::min(guess, max_file_bytes + 1), '\0');
  std::size_t size = 0;
  for (;;) {
    if (size == bytes.size()) bytes.resize(size + 64 * 1024);
    auto const got = ::read(file.fd(), bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(why_not(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    if (size > max_file_bytes) return fail(ErrorCode::invalid, "is larger than 1 GiB");
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace certgate::gateway
