#include "ca_files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <thread>

namespace certgate::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::milliseconds lock_poll_interval{20};
constexpr std::size_t max_password_file_bytes = 4096;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor const&) = delete;
  Descriptor& operator=(Descriptor const&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }
  // close() may report what write() could not yet know.
  int close_now() { return ::close(std::exchange(number_, -1)); }

 private:
  int number_;
};

int retried_open(fs::path const& path, int flags, mode_t mode = 0) {
  for (;;) {
    int const descriptor = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    if (descriptor >= 0 || errno != EINTR) return descriptor;
  }
}

fs::path directory_of(fs::path const& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

fs::path beside(fs::path const& path) {
  return directory_of(path) / (std::string(temporary_prefix) + path.filename().string() + '-' +
                               std::to_string(::getpid()));
}

}  // namespace

Error system_error(std::string_view what, fs::path const& path, int code) {
  auto const kind = code == ENOENT                        ? ErrorCode::not_found
                    : code == EACCES || code == EPERM     ? ErrorCode::permission
                    : code == EEXIST || code == ENOTEMPTY ? ErrorCode::conflict
                                                          : ErrorCode::io;
  return Error{kind, "cannot " + std::string(what) + ' ' + path.string() + ": " +
                         std::generic_category().message(code)};
}

Result<std::string> read_file(fs::path const& path, std::size_t max_bytes) {
  Descriptor const file(retried_open(path, O_RDONLY));
  if (file.number() < 0) return fail(system_error("read", path, errno));
  std::string bytes;
  for (;;) {
    char buffer[16 * 1024];
    auto const count = ::read(file.number(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(system_error("read", path, errno));
    if (count == 0) return bytes;
    bytes.append(buffer, static_cast<std::size_t>(count));
    if (bytes.size() > max_bytes) {
      return fail(ErrorCode::exhausted,
                  path.string() + " is larger than " + std::to_string(max_bytes) + " bytes");
    }
  }
}

Result<std::string> read_password(fs::path const& path) {
  CERTGATE_TRY(auto text, read_file(path, max_password_file_bytes));
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  if (text.empty()) {
    return fail(ErrorCode::invalid,
                "the first line of " + path.string() + " is empty; it must hold the password");
  }
  return text;
}

Result<void> make_directory(fs::path const& path, FileMode mode) {
  mode_t const bits = mode == FileMode::secret ? 0700 : 0755;
  if (::mkdir(path.c_str(), bits) != 0) return fail(system_error("create", path, errno));
  // The umask may have taken bits that others need.
  if (::chmod(path.c_str(), bits) != 0) return fail(system_error("set the mode of", path, errno));
  return {};
}

Result<void> write_new_file(fs::path const& path, std::string_view bytes, FileMode mode,
                            Sync sync) {
  Descriptor file(retried_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  if (file.number() < 0) return fail(system_error("create", path, errno));
  while (!bytes.empty()) {
    auto const count = ::write(file.number(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(system_error("write", path, errno));
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  if (mode == FileMode::open && ::fchmod(file.number(), 0644) != 0) {
    return fail(system_error("set the mode of", path, errno));
  }
  if (sync == Sync::now && ::fsync(file.number()) != 0) {
    return fail(system_error("write", path, errno));
  }
  if (file.close_now() != 0) return fail(system_error("write", path, errno));
  return {};
}

Result<void> replace_file(fs::path const& path, std::string_view bytes, FileMode mode) {
  auto const temporary = beside(path);
  ::unlink(temporary.c_str());
  auto done = write_new_file(temporary, bytes, mode);
  if (done) done = rename_path(temporary, path);
  if (!done) {
    ::unlink(temporary.c_str());
    return done;
  }
  return sync_directory(directory_of(path));
}

Result<void> replace_link(fs::path const& path, fs::path const& target) {
  auto const temporary = beside(path);
  ::unlink(temporary.c_str());
  if (::symlink(target.c_str(), temporary.c_str()) != 0) {
    return fail(system_error("create", path, errno));
  }
  auto done = rename_path(temporary, path);
  if (!done) ::unlink(temporary.c_str());
  return done;
}

Result<void> rename_path(fs::path const& from, fs::path const& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return fail(system_error("write", to, errno));
  return {};
}

Result<void> sync_directory(fs::path const& path) {
  Descriptor const directory(retried_open(path, O_RDONLY | O_DIRECTORY));
  if (directory.number() < 0) return fail(system_error("open", path, errno));
  // EINVAL: a file system that cannot sync directories (some network ones) has nothing to lose.
  if (::fsync(directory.number()) != 0 && errno != EINVAL) {
    return fail(system_error("write", path, errno));
  }
  return {};
}

Result<void> sync_file_system(fs::path const& path) {
  Descriptor const directory(retried_open(path, O_RDONLY | O_DIRECTORY));
  if (directory.number() < 0) return fail(system_error("open", path, errno));
  if (::syncfs(directory.number()) != 0) return fail(system_error("write", path, errno));
  return {};
}

Result<void> remove_leftovers(fs::path const& directory) {
  std::error_code code;
  for (fs::directory_iterator entry(directory, code), end; !code && entry != end;
       entry.increment(code)) {
    if (!entry->path().filename().string().starts_with(temporary_prefix)) continue;
    if (auto done = remove_tree(entry->path()); !done) return done;
  }
  if (code) return fail(system_error("read", directory, code.value()));
  return {};
}

Result<void> remove_tree(fs::path const& path) {
  std::error_code code;
  fs::remove_all(path, code);
  if (code) return fail(system_error("remove", path, code.value()));
  return {};
}

Result<FileLock> FileLock::take(fs::path const& path, std::chrono::seconds patience) {
  auto const deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    int const descriptor = retried_open(path, O_RDWR | O_CREAT, 0600);
    if (descriptor < 0) return fail(system_error("open", path, errno));
    FileLock lock(descriptor);
    while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno != EWOULDBLOCK) return fail(system_error("lock", path, errno));
      if (std::chrono::steady_clock::now() >= deadline) {
        return fail(ErrorCode::timed_out, "another certgate has been changing this CA for " +
                                              std::to_string(patience.count()) + " s (it holds " +
                                              path.string() +
                                              "); wait for it to finish, then try again");
      }
      std::this_thread::sleep_for(lock_poll_interval);
    }
    // The one before us may have removed the file: then this lock keeps nobody out.
    struct stat held {};
    struct stat named {};
    if (::fstat(descriptor, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
        held.st_ino == named.st_ino && held.st_dev == named.st_dev) {
      return lock;
    }
  }
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace certgate::cli
