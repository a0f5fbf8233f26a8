// The OpenSSL that is in use at run time.
#pragma once

#include <string>

#include "certgate/base/result.hpp"

namespace certgate::tls {

// "OpenSSL 3.0.19 27 Jan 2026".
std::string library_version();
// Fails, with the way out, when it is too old to be shown to clients.
Result<void> check_library();

// From here on each thread keeps a little of what OpenSSL frees for what it asks for next, which is
// 2 to 4 % of a handshake. False, and nothing is changed, when OpenSSL has asked for memory already,
// and with a sanitizer, which would no longer see stale pointers.
bool keep_freed_memory();
// What the calling thread keeps goes back to the allocator.
void release_kept_memory();

}  // namespace certgate::tls
