#include "certgate/tls/tls_stream.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "openssl.hpp"
#include "transport.hpp"

namespace certgate::tls {
namespace {

// Records of one call into OpenSSL gather here and leave in one send(); empty between calls.
std::string& output() {
  static thread_local std::string buffer;
  return buffer;
}

constexpr std::size_t output_capacity = max_write_bytes + 8 * 1024;

// What one recv() has brought for OpenSSL to take record by record. It lies in the back part of the
// span that is read into, at least `gap_bytes` behind what is decrypted: more than OpenSSL holds of
// what came before, so that plaintext never reaches a byte that is still to be decrypted.
struct Received {
  TlsStream const* stream = nullptr;  // null outside of read_many()
  std::span<char> room;
  char const* next = nullptr;
  std::size_t left = 0;
  bool asked = false;   // the socket was read
  bool filled = false;  // and may have more
};

constexpr std::size_t gap_bytes = 20 * 1024;
constexpr std::size_t least_for_many = 3 * gap_bytes;

Received& received() {
  static thread_local Received state;
  return state;
}

}  // namespace

int TlsStream::Transport::read(BIO* bio, char* into, int size) {
  auto& ahead = received();
  BIO_clear_retry_flags(bio);
  if (ahead.stream != &of(bio)) return receive(bio, into, size);
  if (ahead.left == 0) {
    if (ahead.asked) {
      BIO_set_retry_read(bio);
      return -1;
    }
    auto const wanted = static_cast<int>(ahead.room.size());
    auto const n = receive(bio, ahead.room.data(), wanted);
    if (n <= 0) return n;
    ahead.asked = true;
    ahead.filled = n == wanted;
    ahead.next = ahead.room.data();
    ahead.left = static_cast<std::size_t>(n);
  }
  auto const taken = std::min(ahead.left, static_cast<std::size_t>(size));
  std::memcpy(into, ahead.next, taken);
  ahead.next += taken;
  ahead.left -= taken;
  return static_cast<int>(taken);
}

int TlsStream::Transport::receive(BIO* bio, char* into, int size) {
  auto& stream = of(bio);
  for (;;) {
    auto const n = ::recv(stream.socket().fd(), into, static_cast<std::size_t>(size), 0);
    if (n > 0) {
      if (n < size) stream.socket().mark_drained();
      return static_cast<int>(n);
    }
    if (n == 0) {
      stream.saw_end_ = true;
      return 0;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      stream.socket().mark_drained();
      BIO_set_retry_read(bio);
    } else {
      stream.set_error(std::strerror(errno));
    }
    return -1;
  }
}

int TlsStream::Transport::write(BIO* bio, char const* from, int size) {
  auto const& stream = of(bio);
  BIO_clear_retry_flags(bio);
  auto& out = output();
  // Within read_many() the answers (to key updates) are no longer than what was received.
  bool const bounded = received().stream == &stream;
  if (!bounded && stream.unsent_ && stream.unsent_->size() + out.size() >= max_unsent_bytes) {
    BIO_set_retry_write(bio);
    return -1;
  }
  if (out.capacity() < output_capacity) out.reserve(output_capacity);
  out.append(from, static_cast<std::size_t>(size));
  return size;
}

long TlsStream::Transport::control(BIO* bio, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;  // send_output() flushes
    case BIO_CTRL_EOF:
      return of(bio).saw_end_ ? 1 : 0;
    default:
      return 0;
  }
}

BIO_METHOD* TlsStream::Transport::method() {
  static BIO_METHOD* const method = [] {
    auto* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "certgate");
    BIO_meth_set_read(made, read);
    BIO_meth_set_write(made, write);
    BIO_meth_set_ctrl(made, control);
    return made;
  }();
  return method;
}

TlsStream& TlsStream::Transport::of(BIO* bio) {
  return *static_cast<TlsStream*>(BIO_get_data(bio));
}

TlsStream& TlsStream::Transport::of(SSL const* ssl) { return of(SSL_get_rbio(ssl)); }

TlsStream::TlsStream(net::Loop& loop, OnTruncation on_truncation)
    : Stream(loop), on_truncation_(on_truncation) {}

TlsStream::TlsStream(net::Loop& loop, int fd, OnTruncation on_truncation)
    : Stream(loop, fd), on_truncation_(on_truncation) {}

TlsStream::~TlsStream() {
  if (ssl_ == nullptr) return;
  // Otherwise OpenSSL takes a connection that ends without close_notify for a truncated one and
  // makes its session not resumable. After a fatal alert it has done so already.
  SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
  output().clear();
}

bool TlsStream::attach(ssl_st* ssl) {
  if (ssl == nullptr) return false;
  ssl_ = ssl;
  auto* const bio = BIO_new(Transport::method());
  if (bio == nullptr) return false;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  return true;
}

void TlsStream::set_error(std::string words) {
  if (!error_) error_ = std::make_unique<std::string>(std::move(words));
}

net::IoResult TlsStream::try_read(std::span<char> into) {
  if (broken_ || ssl_ == nullptr) return {net::IoStatus::failed, 0};
  while (into.size() >= least_for_many && !unsent_) {
    if (auto const result = Transport::read_many(*this, into)) return *result;
  }
  std::size_t total = 0;
  auto status = net::IoStatus::done;
  ERR_clear_error();
  do {
    std::size_t n = 0;
    int const result = SSL_read_ex(ssl_, into.data() + total, into.size() - total, &n);
    if (result != 1) {
      status = status_of(result);
      break;
    }
    total += n;
  } while (total < into.size() && SSL_has_pending(ssl_) == 1);
  send_output();  // a key update or an alert; what fails here fails again when writing
  if (total > 0) return {net::IoStatus::done, total};
  return {status, 0};
}

// Decrypts the records that OpenSSL holds already, and no more. want_read: at most a part of one is
// left.
net::IoStatus TlsStream::Transport::read_held(TlsStream& stream, std::span<char> into,
                                              std::size_t& total) {
  auto& ahead = received();
  auto status = net::IoStatus::done;
  ahead.asked = true;  // and nothing is there
  while (status == net::IoStatus::done && into.size() - total >= least_for_many) {
    std::size_t n = 0;
    int const result = SSL_read_ex(stream.ssl_, into.data() + total, gap_bytes, &n);
    if (result != 1) status = stream.status_of(result);
    total += n;
  }
  ahead.asked = false;
  return status;
}

// One recv() for many records. Nothing of it is left at the end: OpenSSL takes the beginning of the
// last record into its own buffer, as it would from the socket.
std::optional<net::IoResult> TlsStream::Transport::read_many(TlsStream& stream,
                                                             std::span<char> into) {
  auto& ahead = received();
  ahead = Received{};
  ahead.stream = &stream;
  auto* const ssl = stream.ssl_;
  std::size_t total = 0;
  auto status = net::IoStatus::want_read;
  ERR_clear_error();
  // With its read-ahead off, OpenSSL from 3.2 on would leave what it holds behind a key update where
  // SSL_has_pending() does not look, and lose it at the next one.
  if (SSL_has_pending(ssl) == 1) status = read_held(stream, into, total);
  // With it on, OpenSSL would move what it has read too much of to the front of its buffer, for each
  // record.
  SSL_set_read_ahead(ssl, 0);
  while (status == net::IoStatus::want_read &&
         (into.size() - total >= least_for_many || ahead.asked)) {
    auto room = into.size() - total;
    if (!ahead.asked) {
      ahead.room = into.subspan(total + gap_bytes);
      room = gap_bytes;
    } else if (ahead.left > 0) {
      room = static_cast<std::size_t>(ahead.next - into.data()) - total;
    }
    std::size_t n = 0;
    int const result = SSL_read_ex(ssl, into.data() + total, room, &n);
    if (result != 1) {
      status = stream.status_of(result);
      break;
    }
    total += n;
    if (ahead.asked && ahead.left == 0 && SSL_has_pending(ssl) == 0) break;
  }
  SSL_set_read_ahead(ssl, 1);
  ahead.stream = nullptr;
  stream.send_output();  // as in try_read()
  if (total > 0) return net::IoResult{net::IoStatus::done, total};
  if (status == net::IoStatus::want_read && ahead.filled) return std::nullopt;
  return net::IoResult{status, 0};
}

net::IoResult TlsStream::try_write(std::span<char const> from) {
  if (broken_ || finished_ || ssl_ == nullptr) return {net::IoStatus::failed, 0};
  if (from.empty()) return {net::IoStatus::done, 0};
  if (unsent_) {
    auto const status = flush();
    if (status != net::IoStatus::done) return {status, 0};
  }
  std::size_t written = 0;
  ERR_clear_error();
  int const result =
      SSL_write_ex(ssl_, from.data(), std::min(from.size(), max_write_bytes), &written);
  auto const status = result == 1 ? net::IoStatus::done : status_of(result);
  auto const sent = send_output();
  if (sent == net::IoStatus::failed) return {net::IoStatus::failed, 0};
  if (status == net::IoStatus::closed) return {net::IoStatus::failed, 0};
  return {status, written};
}

net::IoStatus TlsStream::send_output() {
  auto& out = output();
  if (broken_) {
    out.clear();
    return net::IoStatus::failed;
  }
  if (unsent_) {
    unsent_->append(out);
    out.clear();
    return flush();
  }
  std::size_t sent = 0;
  while (sent < out.size()) {
    auto const n = ::send(socket().fd(), out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
    if (n >= 0) {
      sent += static_cast<std::size_t>(n);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      unsent_ = std::make_unique<std::string>(out, sent);
      out.clear();
      return net::IoStatus::want_write;
    }
    set_error(std::strerror(errno));
    broken_ = true;
    break;
  }
  out.clear();
  return broken_ ? net::IoStatus::failed : net::IoStatus::done;
}

net::IoStatus TlsStream::flush() {
  if (broken_) return net::IoStatus::failed;
  std::size_t sent = 0;
  while (unsent_ && sent < unsent_->size()) {
    auto const n =
        ::send(socket().fd(), unsent_->data() + sent, unsent_->size() - sent, MSG_NOSIGNAL);
    if (n >= 0) {
      sent += static_cast<std::size_t>(n);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      unsent_->erase(0, sent);
      return net::IoStatus::want_write;
    }
    set_error(std::strerror(errno));
    broken_ = true;
    return net::IoStatus::failed;
  }
  unsent_.reset();
  return net::IoStatus::done;
}

net::IoStatus TlsStream::status_of(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return net::IoStatus::want_read;
    case SSL_ERROR_WANT_WRITE:
      return net::IoStatus::want_write;
    case SSL_ERROR_ZERO_RETURN:
      return net::IoStatus::closed;
    default:
      break;
  }
  if (saw_end_ && !SSL_in_init(ssl_)) {
    if (on_truncation_ == OnTruncation::is_end) return net::IoStatus::closed;
    set_error("the peer closed the connection without saying so (no close_notify)");
  }
  auto words = last_openssl_words();
  if (!words.empty()) set_error(std::move(words));
  // An alert may wait to be sent: only then is the stream of no more use.
  send_output();
  broken_ = true;
  return net::IoStatus::failed;
}

bool TlsStream::has_buffered() const { return ssl_ != nullptr && SSL_has_pending(ssl_) == 1; }

void TlsStream::finish() {
  if (finished_ || broken_ || ssl_ == nullptr || SSL_in_init(ssl_)) return;
  finished_ = true;
  ERR_clear_error();
  SSL_shutdown(ssl_);
  send_output();
}

void TlsStream::release_memory() {
  if (ssl_ != nullptr) SSL_free_buffers(ssl_);  // refuses, harmlessly, while they are in use
}

}  // namespace certgate::tls
