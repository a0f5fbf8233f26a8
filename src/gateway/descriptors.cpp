#include "descriptors.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace certgate::gateway {

std::uint64_t raise_descriptor_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return 1'024;  // what a shell usually has
  if (files.rlim_cur < files.rlim_max) {
    auto const soft = files.rlim_cur;
    files.rlim_cur = files.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &files) != 0) files.rlim_cur = soft;
  }
  return files.rlim_cur;
}

std::size_t connections_within(std::uint64_t descriptors, std::size_t wanted) {
  auto const kept_back = std::max<std::uint64_t>(64, descriptors / 8);
  auto const left = descriptors > kept_back ? descriptors - kept_back : 1;
  return static_cast<std::size_t>(std::min<std::uint64_t>(left, wanted));
}

}  // namespace certgate::gateway
