// How OpenSSL reads from and writes to a TlsStream's socket: a BIO without a buffer of its own.
#pragma once

#include "certgate/tls/tls_stream.hpp"
#include "openssl.hpp"

namespace certgate::tls {

struct TlsStream::Transport {
  static BIO_METHOD* method();
  static TlsStream& of(BIO* bio);
  // REQUIRES: attach() was called with this object.
  static TlsStream& of(SSL const* ssl);
  static SSL* ssl_of(TlsStream const& stream) { return stream.ssl_; }

 private:
  static int read(BIO* bio, char* into, int size);
  static int write(BIO* bio, char const* from, int size);
  static long control(BIO* bio, int command, long number, void* pointer);
};

}  // namespace certgate::tls
