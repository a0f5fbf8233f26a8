// A non-blocking stream socket whose readiness can be awaited.
//
// Belongs to one Loop and is used on its thread only. Several may wait for one direction, for a read
// of TLS may have to write: all of them go on then, and each finds out what is left for it.
// Reading and writing are plain system calls on fd(): the layers above decide when to wait, so that
// no call is made that would only answer EAGAIN. Who reads says with mark_drained() when nothing is
// left: the next wait then costs no system call either. A forgotten mark costs that call, no more.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>

#include "certgate/base/ip.hpp"
#include "certgate/base/result.hpp"
#include "certgate/net/loop.hpp"
#include "certgate/net/task.hpp"

namespace certgate::net {

enum class Direction { read, write };
enum class Ready { ready, cancelled };

// Told when a watched socket becomes readable and nobody waits for that.
class ReadableObserver {
 public:
  virtual void on_readable() = 0;

 protected:
  ~ReadableObserver() = default;
};

class Socket {
 public:
  explicit Socket(Loop& loop);  // closed
  // Takes the descriptor over and makes it non-blocking.
  Socket(Loop& loop, int fd);
  ~Socket();
  Socket(Socket&&) noexcept = delete;
  Socket& operator=(Socket&&) = delete;

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  // REQUIRES: !is_open(). Closes it again when the kernel watches no more descriptors.
  void assign(int fd);
  // Ends every wait with `cancelled`; the socket stays usable.
  void cancel();
  // Cancels and closes. Safe to call twice.
  void close();
  // Closes so that the peer sees a reset (SO_LINGER 0): for peers that broke the rules.
  void reset();

  class Wait {
   public:
    Wait(Socket& socket, Direction direction) : socket_(socket), direction_(direction) {}
    bool await_ready() noexcept;
    void await_suspend(std::coroutine_handle<> awaiting);
    Ready await_resume() const noexcept { return result_; }

   private:
    friend class Socket;
    friend class Loop;
    Wait* resume();  // gives the wait that is over next
    Socket& socket_;
    Direction direction_;
    std::coroutine_handle<> awaiting_;
    Wait* next_ = nullptr;  // that waits for the same, and later that is over as well
    Ready result_ = Ready::cancelled;
  };
  // `auto const ready = co_await socket.readable();` A hang-up or an error counts as ready: the
  // next read or write reports it.
  Wait readable() { return {*this, Direction::read}; }
  Wait writable() { return {*this, Direction::write}; }

  // A read or a look has just found less than it had room for: what was reported is no news any more,
  // and whatever comes later will be reported.
  void mark_drained() {
    if (ended_) return;  // that is still to be read
    will_report_ = true;
    became_readable_ = false;
  }

  // Starts watching for readability before anybody waits: a pooled connection that its peer closes
  // is seen to be stale at once, and the next readable() costs no system call of its own.
  void watch_readable();
  // Something arrived (bytes or the end) since watch_readable() and nobody has waited for it yet.
  bool became_readable() const { return became_readable_; }
  // Takes what was seen as dealt with. REQUIRES: everything there was has been read, or the next
  // watch sees it at once.
  void watch_readable_again();
  // Ends the reports that it can be written to, which begin with the first writable() and would go
  // on: a unix socket's peer that reads would wake the loop for nobody. Costs a system call after a
  // writable(), none otherwise. REQUIRES: nobody waits to write.
  void forget_writable();
  // Who is told of what a watch sees; null: nobody. Not the socket's: outlives its time here.
  void observe_readable(ReadableObserver* observer) { observer_ = observer; }
  // The peer has ended the connection, or at least its own side of it, whatever of its bytes is
  // still to be read. One system call.
  bool peer_has_ended() const;

  Loop& loop() { return loop_; }

 private:
  friend class Readiness;
  void on_event(std::uint32_t events);
  void look_again();
  void end(Wait*& waits, Ready result);
  void enqueue(Wait& wait);

  Loop& loop_;
  int fd_ = -1;
  bool will_report_ = false;      // when there is something to read, now or later
  bool ended_ = false;            // the peer has ended its side: nothing new will be reported
  bool watched_ = false;          // by watch_readable(), and nothing has come yet
  bool became_readable_ = false;
  bool reports_writable_ = false;
  Wait* reader_ = nullptr;  // who began to wait last; null: nobody waits
  Wait* writer_ = nullptr;
  ReadableObserver* observer_ = nullptr;
};

// Where an upstream or an admin socket lives.
struct SocketAddress {
  IpEndpoint ip;          // used when unix_path is empty
  std::string unix_path;  // absolute or relative path of a unix stream socket
  std::string to_string() const;
};

// Starts connecting and waits for the outcome. TCP_NODELAY is set. The caller bounds the wait by
// cancelling the socket, which gives ErrorCode::timed_out; `closed` when nobody listens there,
// `unavailable` for every other reason.
Task<Result<void>> connect(Socket& socket, SocketAddress const& address);

// A non-blocking listening TCP socket with SO_REUSEADDR and SO_REUSEPORT, so that every worker has
// its own. Errors name the address and the reason ("address already in use by another program").
Result<int> open_listener(IpEndpoint const& endpoint, int backlog);
// The two halves of it: a socket that is bound has its address and takes no connection yet.
Result<int> bind_listener(IpEndpoint const& endpoint);
Result<void> start_listening(int bound_fd, int backlog);
// Fails when somebody outside this process listens there already: SO_REUSEPORT alone would let two
// daemons of one user share a port without noticing.
Result<void> check_address_free(IpEndpoint const& endpoint);
// No connection begins at this listening socket any more: the kernel drops each SYN, which the client
// repeats a second later, when another socket may be there for it. Handshakes under way go on.
void refuse_new_connections(int listener_fd);
// The bound endpoint of a socket (port 0 resolved).
Result<IpEndpoint> local_endpoint(int fd);
Result<IpEndpoint> remote_endpoint(int fd);
// Accepts one connection, non-blocking and close-on-exec, with TCP_NODELAY. -1 when none is
// waiting (errno says why: EAGAIN, EMFILE, ...).
int accept_one(int listener_fd, IpEndpoint& peer);

}  // namespace certgate::net
