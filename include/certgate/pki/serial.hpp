// A certificate's serial number, in the one form in which it is compared, stored and shown.
//
// A value; at most 20 bytes (RFC 5280 §4.1.2.2), always positive. The canonical text is upper-case
// hexadecimal without leading zero bytes, which is what `openssl x509 -serial` prints.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "certgate/base/result.hpp"

namespace certgate::pki {

inline constexpr std::size_t random_serial_bytes = 16;
inline constexpr std::size_t max_serial_bytes = 20;

class Serial {
 public:
  // 128 random bits from OpenSSL's generator; never zero.
  static Result<Serial> random();
  // Hexadecimal in either case; colons, "0x" and leading zeros are allowed.
  static std::optional<Serial> parse(std::string_view text);
  // Big-endian magnitude; nullopt when it is zero or longer than max_serial_bytes.
  static std::optional<Serial> from_bytes(std::string_view bytes);

  // Big-endian, without leading zeros.
  std::string const& bytes() const { return bytes_; }
  std::string hex() const;

  friend bool operator==(Serial const&, Serial const&) = default;

 private:
  explicit Serial(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string bytes_;
};

}  // namespace certgate::pki
