#include "openssl.hpp"

#include <openssl/err.h>

namespace certgate::pki {

Error openssl_error(std::string what) {
  auto const code = ERR_peek_last_error();
  ERR_clear_error();
  if (code != 0) {
    if (auto const* reason = ERR_reason_error_string(code)) {
      what += ": ";
      what += reason;
    }
  }
  return Error{ErrorCode::crypto, std::move(what)};
}

std::string text_of(BIO* memory) {
  char* data = nullptr;
  long const length = BIO_get_mem_data(memory, &data);
  return length > 0 ? std::string(data, static_cast<std::size_t>(length)) : std::string();
}

BioOwner memory_bio(std::string_view text) {
  return BioOwner(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

}  // namespace certgate::pki
