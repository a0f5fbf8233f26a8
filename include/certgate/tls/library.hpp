// The OpenSSL that is in use at run time.
#pragma once

#include <string>

namespace certgate::tls {

// "OpenSSL 3.0.19 27 Jan 2026".
std::string library_version();

}  // namespace certgate::tls
