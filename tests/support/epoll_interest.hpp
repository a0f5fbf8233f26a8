// What this process's epoll instances watch a descriptor for, as the kernel says it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace certgate::testing {

// The events (EPOLLIN, EPOLLOUT, ...) of the first instance that watches `fd`; 0: none does.
inline std::uint32_t epoll_interest(int fd) {
  std::error_code gone;  // a descriptor that another thread closes meanwhile
  for (auto const& entry : std::filesystem::directory_iterator("/proc/self/fdinfo", gone)) {
    std::ifstream lines(entry.path());
    for (std::string line; std::getline(lines, line);) {
      int watched = -1;
      unsigned events = 0;
      bool const told = std::sscanf(line.c_str(), "tfd: %d events: %x", &watched, &events) == 2;
      if (told && watched == fd) return events;
    }
  }
  return 0;
}

}  // namespace certgate::test
