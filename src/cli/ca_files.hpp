// Files that are written whole or not at all, and the lock that keeps two writers apart.
//
// A file is written beside its place, synced, renamed into place, and its directory synced: a
// kill, a full disk or a power cut leaves the old file or the new one, never a piece.
//
// Errors: io, permission, not_found and conflict, each naming the path and what the operating
// system said.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "certgate/base/result.hpp"

namespace certgate::cli {

enum class FileMode { secret, open };  // 0600, 0644; directories 0700, 0755

// "cannot WHAT PATH: No space left on device", from errno.
Error system_error(std::string_view what, std::filesystem::path const& path, int code);

Result<std::string> read_file(std::filesystem::path const& path, std::size_t max_bytes);
// The first line of a file, for passwords; not empty.
Result<std::string> read_password(std::filesystem::path const& path);

Result<void> make_directory(std::filesystem::path const& path, FileMode mode);
// `later`: the caller syncs the whole file system once for many files.
enum class Sync { now, later };
// Writes into a directory that the caller renames into place.
Result<void> write_new_file(std::filesystem::path const& path, std::string_view bytes,
                            FileMode mode, Sync sync = Sync::now);
// Whole or not at all, replacing what was there.
Result<void> replace_file(std::filesystem::path const& path, std::string_view bytes, FileMode mode);
// A symbolic link, likewise.
Result<void> replace_link(std::filesystem::path const& path, std::filesystem::path const& target);
Result<void> rename_path(std::filesystem::path const& from, std::filesystem::path const& to);
Result<void> sync_directory(std::filesystem::path const& path);
// Everything written so far on the file system that holds `path`.
Result<void> sync_file_system(std::filesystem::path const& path);
// Removes what an ended process left: entries that begin with `temporary_prefix`.
Result<void> remove_leftovers(std::filesystem::path const& directory);
Result<void> remove_tree(std::filesystem::path const& path);

inline constexpr std::string_view temporary_prefix = ".tmp-";

// An exclusive flock on a file; the kernel lets go of it when the process ends, however it ends.
class FileLock {
 public:
  // Errors: timed_out when another process holds it for longer than `patience`.
  static Result<FileLock> take(std::filesystem::path const& path, std::chrono::seconds patience);
  FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace certgate::cli
