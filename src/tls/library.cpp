#include "certgate/tls/library.hpp"

#include <openssl/crypto.h>

namespace certgate::tls {

std::string library_version() { return OpenSSL_version(OPENSSL_VERSION); }

}  // namespace certgate::tls
