// IP addresses, networks and endpoints as plain values.
//
// No name resolution and no operating-system calls. An IPv4-mapped IPv6 address (::ffff:1.2.3.4)
// stays IPv6 unless unmapped() is asked for.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace certgate {

class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0
  static IpAddress v4(std::uint32_t host_order);
  static IpAddress v4(std::array<std::uint8_t, 4> bytes);
  static IpAddress v6(std::array<std::uint8_t, 16> bytes);
  // Strict text: dotted quad without leading zeros, or RFC 4291 §2.2; no zone, brackets or port.
  static std::optional<IpAddress> parse(std::string_view text);

  bool is_v4() const { return v4_; }
  // Network order; for IPv4 the first four bytes.
  std::array<std::uint8_t, 16> const& bytes() const { return bytes_; }
  std::uint32_t v4_number() const;  // REQUIRES: is_v4()
  bool is_loopback() const;
  // Loopback, link-local, private (RFC 1918, RFC 4193), carrier NAT, unspecified or multicast.
  bool is_private() const;
  // ::ffff:a.b.c.d becomes a.b.c.d; anything else is itself.
  IpAddress unmapped() const;
  std::string to_string() const;  // RFC 5952
  void append_to(std::string& out) const;

  friend bool operator==(IpAddress const&, IpAddress const&) = default;
  // All IPv4 before all IPv6, then by number.
  friend std::strong_ordering operator<=>(IpAddress const& a, IpAddress const& b) {
    if (a.v4_ != b.v4_) return a.v4_ ? std::strong_ordering::less : std::strong_ordering::greater;
    return a.bytes_ <=> b.bytes_;
  }

 private:
  std::array<std::uint8_t, 16> bytes_{};
  bool v4_ = true;
};

// address/length with zero host bits.
class IpNetwork {
 public:
  // Strict: host bits must be zero; a bare address is /32 or /128.
  static std::optional<IpNetwork> parse(std::string_view text);
  // REQUIRES: length <= 32 (v4) or 128 (v6). Host bits are cleared.
  IpNetwork(IpAddress address, unsigned length);
  bool contains(IpAddress const& address) const;
  IpAddress const& address() const { return address_; }
  unsigned length() const { return length_; }
  IpAddress first() const { return address_; }
  IpAddress last() const;
  std::string to_string() const;
  friend bool operator==(IpNetwork const&, IpNetwork const&) = default;

 private:
  IpAddress address_;
  unsigned length_;
};

struct IpEndpoint {
  IpAddress address;
  std::uint16_t port = 0;
  // "127.0.0.1:8443" or "[::1]:8443".
  static std::optional<IpEndpoint> parse(std::string_view text);
  std::string to_string() const;
  friend bool operator==(IpEndpoint const&, IpEndpoint const&) = default;
};

}  // namespace certgate
