// How OpenSSL reads from and writes to a TlsStream's socket: a BIO without a buffer of its own.
#pragma once

#include <optional>

#include "certgate/tls/tls_stream.hpp"
#include "openssl.hpp"

namespace certgate::tls {

struct TlsStream::Transport {
  static BIO_METHOD* method();
  static TlsStream& of(BIO* bio);
  // REQUIRES: attach() was called with this object.
  static TlsStream& of(SSL const* ssl);
  static SSL* ssl_of(TlsStream const& stream) { return stream.ssl_; }
  // REQUIRES: nothing unsent, room for several records. Null when what came holds no data (or part of
  // a record) and the socket may have more.
  static std::optional<net::IoResult> read_many(TlsStream& stream, std::span<char> into);

 private:
  static net::IoStatus read_held(TlsStream& stream, std::span<char> into, std::size_t& total);
  static int receive(BIO* bio, char* into, int size);
  static int read(BIO* bio, char* into, int size);
  static int write(BIO* bio, char const* from, int size);
  static long control(BIO* bio, int command, long number, void* pointer);
};

}  // namespace certgate::tls
