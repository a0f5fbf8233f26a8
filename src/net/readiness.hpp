// Tells sockets that they have become ready: the epoll set that each of a loop's sockets enters once.
//
// Edge-triggered: the kernel reports what arrives, once, and not what is there. So a socket that is
// read to its end costs no system call to be waited for again, and a wait before that asks the
// kernel to look again (Socket knows which). Used on the loop's thread, but for wake().
//
// Errors: the constructor throws std::system_error when the process has no descriptors left.
// See:    docs/decisions/0024-own-readiness.md
#pragma once

#include <sys/epoll.h>

#include <array>
#include <chrono>

namespace certgate::net {

class Socket;

class Readiness {
 public:
  Readiness();
  ~Readiness();
  Readiness(Readiness const&) = delete;
  Readiness& operator=(Readiness const&) = delete;

  enum class Interest { read, read_and_write };
  // False: the kernel watches no more descriptors for this user.
  bool add(Socket& socket, int fd);
  // Reports what is ready now as well as what will be.
  void look_again(Socket& socket, int fd, Interest interest);
  void remove(Socket& socket, int fd);

  // Waits for events, at most that long, and tells the sockets. Negative: without an end.
  void wait(std::chrono::milliseconds at_most);
  // Ends a wait() that is going on or comes next. Any thread.
  void wake();

 private:
  int epoll_ = -1;
  int wake_ = -1;
  // What wait() has fetched and not told yet. A socket that goes meanwhile is struck out.
  std::array<epoll_event, 128> events_;
  int next_ = 0;
  int count_ = 0;
};

}  // namespace certgate::net
