#include "state_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace certgate::gateway {
namespace {

Error system_error(char const* what, std::string const& path, int code) {
  auto const kind = code == EACCES || code == EPERM ? ErrorCode::permission : ErrorCode::io;
  return {kind, std::string("cannot ") + what + " " + path + ": " + std::strerror(code)};
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor const&) = delete;
  Descriptor& operator=(Descriptor const&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    auto const written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

Result<void> sync_directory_of(std::string const& path) {
  auto const folder = std::filesystem::path(path).parent_path().string();
  Descriptor const directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.fd() < 0 || ::fsync(directory.fd()) != 0) {
    return fail(system_error("sync", folder, errno));
  }
  return {};
}

}  // namespace

Result<void> make_state_directory(std::string const& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return {};
  std::filesystem::create_directories(path, error);
  if (error) return fail(system_error("make the directory", path, error.value()));
  std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  if (error) return fail(system_error("protect the directory", path, error.value()));
  return {};
}

Result<void> replace_state_file(std::string const& path, std::string_view bytes) {
  auto const temporary = path + ".new";
  ::unlink(temporary.c_str());  // of a process that was killed
  {
    Descriptor const file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file.fd() < 0) return fail(system_error("create", temporary, errno));
    if (!write_all(file.fd(), bytes) || ::fsync(file.fd()) != 0) {
      int const code = errno;
      ::unlink(temporary.c_str());
      return fail(system_error("write", temporary, code));
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    int const code = errno;
    ::unlink(temporary.c_str());
    return fail(system_error("replace", path, code));
  }
  return sync_directory_of(path);
}

Result<void> append_state_line(std::string const& path, std::string_view line) {
  bool const is_new = ::access(path.c_str(), F_OK) != 0;
  Descriptor const file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.fd() < 0) return fail(system_error("open", path, errno));
  auto const whole = std::string(line) + "\n";
  if (!write_all(file.fd(), whole) || ::fsync(file.fd()) != 0) {
    return fail(system_error("append to", path, errno));
  }
  if (is_new) return sync_directory_of(path);
  return {};
}

}  // namespace certgate::gateway
