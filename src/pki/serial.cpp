#include "certgate/pki/serial.hpp"

#include <openssl/rand.h>

#include "certgate/base/encoding.hpp"
#include "openssl.hpp"

namespace certgate::pki {

Result<Serial> Serial::random() {
  for (;;) {
    std::string bytes(random_serial_bytes, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), random_serial_bytes) != 1) {
      return fail(openssl_error("no random numbers for a serial"));
    }
    if (auto serial = from_bytes(bytes)) return std::move(*serial);
  }
}

std::optional<Serial> Serial::parse(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  std::string digits;
  for (char const c : text) {
    if (c == ':') continue;
    digits += c;
  }
  if (digits.empty()) return std::nullopt;
  if (digits.size() % 2 == 1) digits.insert(digits.begin(), '0');
  auto const bytes = parse_hex(digits);
  if (!bytes) return std::nullopt;
  return from_bytes(*bytes);
}

std::optional<Serial> Serial::from_bytes(std::string_view bytes) {
  while (!bytes.empty() && bytes.front() == '\0') bytes.remove_prefix(1);
  if (bytes.empty() || bytes.size() > max_serial_bytes) return std::nullopt;
  return Serial(std::string(bytes));
}

std::string Serial::hex() const { return format_hex(as_bytes(bytes_), HexCase::upper); }

}  // namespace certgate::pki
