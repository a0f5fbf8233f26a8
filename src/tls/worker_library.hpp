// A worker's own OpenSSL library context, so that workers wait for none of each other's locks.
//
// Borrowed from a pool that never frees: sessions, certificates and keys that outlive the borrower
// refer to it. A process has as many as it ever had workers at once; each costs about 0.3 MiB.
// See: docs/decisions/0022-a-library-context-per-worker.md
#pragma once

#include <openssl/types.h>

namespace certgate::tls {

class WorkerLibrary {
 public:
  WorkerLibrary();
  ~WorkerLibrary();
  WorkerLibrary(WorkerLibrary const&) = delete;
  WorkerLibrary& operator=(WorkerLibrary const&) = delete;

  // Null is the process's own context: openssl.cnf chose providers or properties other than the
  // default ones, and they are then in force here as well.
  OSSL_LIB_CTX* handle() const { return handle_; }

 private:
  OSSL_LIB_CTX* handle_ = nullptr;
};

// Where the certificates and keys of hosts are decoded; null as above. Never freed. Any thread.
OSSL_LIB_CTX* library_for_files();

}  // namespace certgate::tls
