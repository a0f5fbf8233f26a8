// The names of the error codes.
#include "certgate/base/error.hpp"

namespace certgate {

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid:
      return "invalid";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::permission:
      return "permission";
    case ErrorCode::exhausted:
      return "exhausted";
    case ErrorCode::timed_out:
      return "timed_out";
    case ErrorCode::closed:
      return "closed";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::io:
      return "io";
    case ErrorCode::crypto:
      return "crypto";
    case ErrorCode::conflict:
      return "conflict";
    case ErrorCode::internal:
      return "internal";
  }
  return "internal";
}

}  // namespace certgate
