// The OpenSSL that is in use at run time.
#pragma once

#include <string>

#include "certgate/base/result.hpp"

namespace certgate::tls {

// "OpenSSL 3.0.19 27 Jan 2026".
std::string library_version();
// Fails, with the way out, when it is too old to be shown to clients.
Result<void> check_library();

}  // namespace certgate::tls
