#include "openssl.hpp"

namespace certgate::tls {

std::string last_openssl_words() {
  auto const error = ERR_peek_last_error();
  if (error == 0) return {};
  if (auto const* words = ERR_reason_error_string(error)) return words;
  char buffer[128];
  ERR_error_string_n(error, buffer, sizeof(buffer));
  return buffer;
}

Error openssl_error(std::string what) {
  auto const words = last_openssl_words();
  ERR_clear_error();
  return Error{ErrorCode::crypto, words.empty() ? std::move(what) : std::move(what) + ": " + words};
}

}  // namespace certgate::tls
