// What failed, as a code to branch on and a sentence for a human.
//
// For operations that fail while running (a connect, a read, a signature). Mistakes in text that a
// person wrote are Diagnostics (base/diagnostic.hpp), never Errors.
#pragma once

#include <string>
#include <string_view>

namespace certgate {

enum class ErrorCode {
  invalid,        // the input is not what it claims to be
  not_found,      // no such file, name or entry
  permission,     // the operating system or a policy said no
  exhausted,      // a limit was reached
  timed_out,      // a deadline passed
  closed,         // the peer ended the connection
  unavailable,    // the other side cannot be reached or does not answer
  io,             // the operating system reported an error
  crypto,         // OpenSSL reported an error
  conflict,       // the state does not allow it (exists already, is older, is in use)
  internal,       // our own mistake, caught
};

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string detail;  // one sentence without a full stop, ready to be shown
};

// The code's name as it stands above, for logs and tests.
std::string_view name_of(ErrorCode code);

}  // namespace certgate
