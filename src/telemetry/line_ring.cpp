// Maps the same pages twice, one after the other.
#include "line_ring.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>

namespace certgate::telemetry {
namespace {

Error failed(char const* what) {
  return {ErrorCode::exhausted, std::string(what) + ": " + std::strerror(errno)};
}

// Two neighbouring views of one file, or null.
char* map_twice(int file, std::size_t bytes) {
  void* const room = mmap(nullptr, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return nullptr;
  char* const memory = static_cast<char*>(room);
  for (char* at : {memory, memory + bytes}) {
    if (mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED) {
      int const reason = errno;
      munmap(memory, 2 * bytes);
      errno = reason;
      return nullptr;
    }
  }
  return memory;
}

}  // namespace

Result<std::unique_ptr<LineRing>> LineRing::make(std::size_t bytes) {
  auto const page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  bytes = std::bit_ceil(bytes < page ? page : bytes);
  int const file = memfd_create("certgate-access-log", MFD_CLOEXEC);
  if (file < 0) return fail(failed("no memory for the access log"));
  char* memory = nullptr;
  if (ftruncate(file, static_cast<off_t>(bytes)) == 0) memory = map_twice(file, bytes);
  auto const error = memory ? Error{} : failed("no memory for the access log");
  close(file);
  if (!memory) return fail(error);
  return std::unique_ptr<LineRing>(new LineRing(memory, bytes));
}

LineRing::~LineRing() { munmap(memory_, 2 * capacity_); }

}  // namespace certgate::telemetry
