// Encrypted bytes over a non-blocking socket: what server and client streams have in common.
//
// Reads go straight from the socket into OpenSSL, or many records at once into a large span of the
// caller's; records that are written gather in one buffer of the thread and leave in one send(). Only
// what the socket does not take at once is kept with the connection, so an idle connection costs
// OpenSSL's state and little else. Used on its loop's thread only.
//
// try_write takes up to max_write_bytes at a time. A read may have to write (a key update), and
// says want_write then.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "certgate/net/stream.hpp"

struct ssl_st;

namespace certgate::tls {

inline constexpr std::size_t max_write_bytes = 256 * 1024;
// With this much unsent a connection takes no more: a peer that only asks for answers (key updates)
// and never reads them cannot make it grow.
inline constexpr std::size_t max_unsent_bytes = 512 * 1024;

class TlsStream : public net::Stream {
 public:
  ~TlsStream() override;

  net::IoResult try_read(std::span<char> into) final;
  net::IoResult try_write(std::span<char const> from) final;
  net::IoStatus flush() final;
  bool has_unsent() const final { return unsent_ != nullptr; }
  bool has_buffered() const final;
  // Sends close_notify, once.
  void finish() final;
  void release_memory() final;

  // Words for the failure that was reported; "" when there is none.
  std::string_view error() const { return error_ ? std::string_view(*error_) : std::string_view(); }

  struct Transport;  // the BIO's functions; for this layer's sources

 protected:
  enum class OnTruncation { is_end, is_failure };  // the peer closed without close_notify
  TlsStream(net::Loop& loop, OnTruncation on_truncation);
  TlsStream(net::Loop& loop, int fd, OnTruncation on_truncation);

  // Takes the SSL object over and connects it with the socket.
  bool attach(ssl_st* ssl);
  ssl_st* ssl() const { return ssl_; }
  // Sends what the last call into OpenSSL has written.
  net::IoStatus send_output();
  // What an SSL_* call that answered `result` means for the caller.
  net::IoStatus status_of(int result);
  bool saw_end() const { return saw_end_; }
  void set_error(std::string words);

 private:
  friend struct Transport;
  ssl_st* ssl_ = nullptr;
  std::unique_ptr<std::string> unsent_;
  std::unique_ptr<std::string> error_;
  OnTruncation on_truncation_;
  bool saw_end_ = false;    // recv() answered 0
  bool broken_ = false;     // recv(), send() or OpenSSL failed
  bool finished_ = false;   // close_notify was written
};

}  // namespace certgate::tls
