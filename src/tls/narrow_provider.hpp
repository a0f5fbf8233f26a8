// OpenSSL's default provider, showing only what TLS needs.
//
// OpenSSL 3.0 and 3.1 look through every decoder and every kind of key that providers offer, for
// each certificate that a client presents: 0.12 ms each, the largest part of a handshake. This
// provider passes the default provider's own functions on and leaves out the doors that nobody
// uses here (encoders, PEM, private keys as files, kinds of keys that no certificate has), so that
// the search is short. From 3.2 on OpenSSL remembers what it has found.
// See: docs/decisions/0022-a-library-context-per-worker.md
#pragma once

#include <openssl/types.h>

namespace certgate::tls {

enum class NarrowUse { handshakes, files };  // files: private keys as DER are read as well

// A new library context with this provider as the only one; null when OpenSSL refuses. Neither it
// nor what it rests on is ever freed.
OSSL_LIB_CTX* make_narrow_library(NarrowUse use);

}  // namespace certgate::tls
