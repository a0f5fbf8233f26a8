// Bytes to and from a peer, plain or encrypted, without ever blocking.
//
// A Stream owns its socket. try_* do what is possible now; when they say want_read or want_write,
// the caller awaits the socket's readiness and tries again. This keeps the fast path (everything is
// possible at once) free of coroutine frames and allocations.
#pragma once

#include <cstddef>
#include <span>

#include "certgate/net/socket.hpp"

namespace certgate::net {

enum class IoStatus {
  done,        // `bytes` were read, or taken for writing
  want_read,   // nothing possible before the socket is readable
  want_write,  // nothing possible before the socket is writable
  closed,      // the peer ended the stream in order (read only)
  failed,      // the connection is broken; the Stream is of no more use
};

struct IoResult {
  IoStatus status = IoStatus::failed;
  std::size_t bytes = 0;
};

class Stream {
 public:
  explicit Stream(Loop& loop) : socket_(loop) {}
  Stream(Loop& loop, int fd) : socket_(loop, fd) {}
  virtual ~Stream() = default;

  // Reads up to into.size() bytes; what is behind them may be overwritten. REQUIRES: !into.empty().
  virtual IoResult try_read(std::span<char> into) = 0;
  // Takes some or all of the bytes. Bytes taken may still wait inside (has_unsent()).
  virtual IoResult try_write(std::span<char const> from) = 0;
  // Sends what waits inside: done, want_write, want_read or failed.
  virtual IoStatus flush() = 0;
  virtual bool has_unsent() const = 0;
  // Bytes can be read without waiting for the socket (decrypted or buffered already).
  virtual bool has_buffered() const = 0;
  // Tells the peer that no more bytes follow (close_notify, or a half-close), without waiting.
  virtual void finish() = 0;
  // Gives memory back that an idle connection does not need.
  virtual void release_memory() {}

  Socket& socket() { return socket_; }
  Loop& loop() { return socket_.loop(); }

 private:
  Socket socket_;
};

// No encryption: TCP or a unix socket.
class PlainStream final : public Stream {
 public:
  using Stream::Stream;
  IoResult try_read(std::span<char> into) override;
  IoResult try_write(std::span<char const> from) override;
  IoStatus flush() override { return IoStatus::done; }
  bool has_unsent() const override { return false; }
  bool has_buffered() const override { return false; }
  void finish() override;
};

// Waits for what `status` asks for (want_read, want_write).
Task<Ready> wait_for(Stream& stream, IoStatus status);
// Writes everything and flushes, waiting as often as needed. `done`, or `failed` also when the
// socket was cancelled (a deadline).
Task<IoStatus> write_all(Stream& stream, std::span<char const> from);
// Reads at least one byte: done, closed, or failed (also when cancelled).
Task<IoResult> read_some(Stream& stream, std::span<char> into);

}  // namespace certgate::net
