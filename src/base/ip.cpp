// Reads and writes addresses, networks and endpoints, strictly.
#include "certgate/base/ip.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>

namespace certgate {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

bool is_decimal_digit(char c) { return c >= '0' && c <= '9'; }

// A number of at most `max_digits` digits without leading zeros.
std::optional<unsigned> parse_decimal(std::string_view text, std::size_t max_digits) {
  if (text.empty() || text.size() > max_digits) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  unsigned value = 0;
  for (char const c : text) {
    if (!is_decimal_digit(c)) return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

std::optional<std::array<std::uint8_t, 4>> parse_v4(std::string_view text) {
  std::array<std::uint8_t, 4> bytes{};
  for (std::size_t i = 0; i < 4; ++i) {
    std::size_t const dot = text.find('.');
    if ((dot == std::string_view::npos) != (i == 3)) return std::nullopt;
    auto const part = parse_decimal(text.substr(0, dot), 3);
    if (!part || *part > 255) return std::nullopt;
    bytes[i] = static_cast<std::uint8_t>(*part);
    if (i < 3) text.remove_prefix(dot + 1);
  }
  return bytes;
}

std::optional<std::uint16_t> parse_group(std::string_view text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  std::uint16_t value = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// One side of "::" (or everything): groups joined by ":", the last may be a dotted quad.
// Returns the number of bytes written.
std::optional<std::size_t> parse_groups(std::string_view text, bool may_end_in_v4,
                                        std::array<std::uint8_t, 16>& out) {
  std::size_t size = 0;
  if (text.empty()) return size;
  while (true) {
    std::size_t const colon = text.find(':');
    std::string_view const group = text.substr(0, colon);
    bool const last = colon == std::string_view::npos;
    if (last && may_end_in_v4 && group.find('.') != std::string_view::npos) {
      auto const v4 = parse_v4(group);
      if (!v4 || size + 4 > 16) return std::nullopt;
      std::copy(v4->begin(), v4->end(), out.begin() + static_cast<std::ptrdiff_t>(size));
      return size + 4;
    }
    auto const value = parse_group(group);
    if (!value || size + 2 > 16) return std::nullopt;
    out[size++] = static_cast<std::uint8_t>(*value >> 8);
    out[size++] = static_cast<std::uint8_t>(*value & 0xFF);
    if (last) return size;
    text.remove_prefix(colon + 1);
  }
}

std::optional<std::array<std::uint8_t, 16>> parse_v6(std::string_view text) {
  std::array<std::uint8_t, 16> bytes{};
  std::size_t const gap = text.find("::");
  if (gap == std::string_view::npos) {
    auto const size = parse_groups(text, true, bytes);
    if (!size || *size != 16) return std::nullopt;
    return bytes;
  }
  std::array<std::uint8_t, 16> tail{};
  auto const left = parse_groups(text.substr(0, gap), false, bytes);
  auto const right = parse_groups(text.substr(gap + 2), true, tail);
  // RFC 4291 §2.2: "The use of "::" indicates one or more groups of 16 bits of zeros."
  if (!left || !right || *left + *right > 14) return std::nullopt;
  std::copy_n(tail.begin(), *right, bytes.end() - static_cast<std::ptrdiff_t>(*right));
  return bytes;
}

void append_decimal(std::string& out, unsigned value) {
  char digits[10];
  auto const end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out.append(digits, end);
}

void append_v4(std::string& out, std::uint8_t const* bytes) {
  char text[15];  // 255.255.255.255
  char* end = text;
  for (int i = 0; i < 4; ++i) {
    if (i > 0) *end++ = '.';
    end = std::to_chars(end, text + sizeof(text), unsigned{bytes[i]}).ptr;
  }
  out.append(text, end);
}

void append_v6(std::string& out, std::array<std::uint8_t, 16> const& bytes) {
  // RFC 5952 §5: a mixed notation is recommended where the prefix is known to embed IPv4.
  if (std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes.begin())) {
    out += "::ffff:";
    append_v4(out, bytes.data() + 12);
    return;
  }
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) {
    groups[i] = unsigned{bytes[2 * i]} << 8 | bytes[2 * i + 1];
  }
  // RFC 5952 §4.2.2: "The symbol "::" MUST NOT be used to shorten just one 16-bit 0 field."
  // §4.2.3: of equally long runs "the first sequence of zero bits MUST be shortened".
  std::size_t best = 8, best_length = 1;
  for (std::size_t i = 0; i < 8;) {
    std::size_t end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > best_length) {
      best = i;
      best_length = end - i;
    }
    i = std::max(end, i + 1);
  }
  for (std::size_t i = 0; i < 8;) {
    if (i == best) {
      out += "::";
      i += best_length;
      continue;
    }
    if (i != 0 && i != best + best_length) out += ':';
    char digits[4];
    auto const end = std::to_chars(digits, digits + sizeof(digits), groups[i], 16).ptr;
    out.append(digits, end);
    ++i;
  }
}

bool prefix_equal(std::uint8_t const* left, std::uint8_t const* right, unsigned bits) {
  std::size_t const whole = bits / 8;
  if (!std::equal(left, left + whole, right)) return false;
  unsigned const rest = bits % 8;
  if (rest == 0) return true;
  auto const mask = static_cast<std::uint8_t>(0xFF << (8 - rest));
  return ((left[whole] ^ right[whole]) & mask) == 0;
}

// The address with every bit after the first `length` cleared or set.
std::array<std::uint8_t, 16> with_host_bits(IpAddress const& address, unsigned length, bool set) {
  auto bytes = address.bytes();
  unsigned const width = address.is_v4() ? 32 : 128;
  for (unsigned bit = length; bit < width; ++bit) {
    auto const mask = static_cast<std::uint8_t>(0x80 >> bit % 8);
    if (set) {
      bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] | mask);
    } else {
      bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] & ~mask);
    }
  }
  return bytes;
}

IpAddress like(IpAddress const& family, std::array<std::uint8_t, 16> const& bytes) {
  return family.is_v4() ? IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]})
                        : IpAddress::v6(bytes);
}

}  // namespace

IpAddress IpAddress::v4(std::uint32_t host_order) {
  return v4({static_cast<std::uint8_t>(host_order >> 24),
             static_cast<std::uint8_t>(host_order >> 16 & 0xFF),
             static_cast<std::uint8_t>(host_order >> 8 & 0xFF),
             static_cast<std::uint8_t>(host_order & 0xFF)});
}

IpAddress IpAddress::v4(std::array<std::uint8_t, 4> bytes) {
  IpAddress address;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

IpAddress IpAddress::v6(std::array<std::uint8_t, 16> bytes) {
  IpAddress address;
  address.v4_ = false;
  address.bytes_ = bytes;
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.find(':') == std::string_view::npos) {
    auto const bytes = parse_v4(text);
    if (!bytes) return std::nullopt;
    return v4(*bytes);
  }
  auto const bytes = parse_v6(text);
  if (!bytes) return std::nullopt;
  return v6(*bytes);
}

std::uint32_t IpAddress::v4_number() const {
  assert(v4_);
  return std::uint32_t{bytes_[0]} << 24 | std::uint32_t{bytes_[1]} << 16 |
         std::uint32_t{bytes_[2]} << 8 | bytes_[3];
}

bool IpAddress::is_loopback() const {
  IpAddress const plain = unmapped();
  if (plain.v4_) return plain.bytes_[0] == 127;
  return std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto byte) { return byte == 0; }) &&
         bytes_[15] == 1;
}

bool IpAddress::is_private() const {
  IpAddress const plain = unmapped();
  auto const& b = plain.bytes_;
  if (plain.is_loopback()) return true;
  if (plain.v4_) {
    return b[0] == 10 || (b[0] == 172 && b[1] >> 4 == 1) || (b[0] == 192 && b[1] == 168) ||
           (b[0] == 169 && b[1] == 254) || (b[0] == 100 && b[1] >> 6 == 1) ||
           (b[0] == 0 && b[1] == 0 && b[2] == 0 && b[3] == 0) || b[0] >> 4 == 14;
  }
  bool const unspecified = std::all_of(b.begin(), b.end(), [](auto byte) { return byte == 0; });
  return unspecified || (b[0] & 0xFE) == 0xFC || (b[0] == 0xFE && b[1] >> 6 == 2) || b[0] == 0xFF;
}

IpAddress IpAddress::unmapped() const {
  if (v4_ || !std::equal(mapped_prefix.begin(), mapped_prefix.end(), bytes_.begin())) return *this;
  return v4({bytes_[12], bytes_[13], bytes_[14], bytes_[15]});
}

std::string IpAddress::to_string() const {
  std::string out;
  append_to(out);
  return out;
}

void IpAddress::append_to(std::string& out) const {
  if (v4_) {
    append_v4(out, bytes_.data());
  } else {
    append_v6(out, bytes_);
  }
}

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
  std::size_t const slash = text.find('/');
  auto const address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  unsigned const width = address->is_v4() ? 32 : 128;
  if (slash == std::string_view::npos) return IpNetwork{*address, width};
  auto const length = parse_decimal(text.substr(slash + 1), 3);
  if (!length || *length > width) return std::nullopt;
  IpNetwork const network{*address, *length};
  if (network.address_ != *address) return std::nullopt;
  return network;
}

IpNetwork::IpNetwork(IpAddress address, unsigned length)
    : address_(like(address, with_host_bits(address, length, false))), length_(length) {
  assert(length <= (address.is_v4() ? 32u : 128u));
}

bool IpNetwork::contains(IpAddress const& address) const {
  return address.is_v4() == address_.is_v4() &&
         prefix_equal(address.bytes().data(), address_.bytes().data(), length_);
}

IpAddress IpNetwork::last() const {
  return like(address_, with_host_bits(address_, length_, true));
}

std::string IpNetwork::to_string() const {
  std::string out = address_.to_string();
  out += '/';
  append_decimal(out, length_);
  return out;
}

std::optional<IpEndpoint> IpEndpoint::parse(std::string_view text) {
  std::size_t const colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto const port = parse_decimal(text.substr(colon + 1), 5);
  if (!port || *port > 65535) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  bool const bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  auto const address = IpAddress::parse(host);
  if (!address || address->is_v4() == bracketed) return std::nullopt;
  return IpEndpoint{*address, static_cast<std::uint16_t>(*port)};
}

std::string IpEndpoint::to_string() const {
  std::string out;
  if (!address.is_v4()) out += '[';
  address.append_to(out);
  if (!address.is_v4()) out += ']';
  out += ':';
  append_decimal(out, port);
  return out;
}

}  // namespace certgate
