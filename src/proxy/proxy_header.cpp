#include "proxy_header.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace certgate::proxy {
namespace {

using Status = ProxyHeader::Status;

constexpr std::string_view v2_signature{"\r\n\r\n\0\r\nQUIT\n", 12};

ProxyHeader refuse(std::string_view reason) {
  ProxyHeader header;
  header.status = Status::refused;
  header.reason = reason;
  return header;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

ProxyHeader parse_v1(std::string_view text) {
  auto const end = text.substr(0, max_proxy_v1_bytes).find("\r\n");
  if (end == std::string_view::npos) {
    return text.size() >= max_proxy_v1_bytes ? refuse("PROXY v1 header too long") : ProxyHeader{};
  }
  ProxyHeader header;
  header.status = Status::complete;
  header.bytes = end + 2;
  std::array<std::string_view, 6> words;
  std::size_t count = 0;
  for (auto rest = text.substr(0, end); count < words.size();) {
    auto const space = rest.find(' ');
    words[count++] = rest.substr(0, space);
    if (space == std::string_view::npos) {
      rest = {};
      break;
    }
    rest.remove_prefix(space + 1);
    if (count == words.size()) return refuse("malformed PROXY v1 header");
  }
  if (count >= 2 && words[1] == "UNKNOWN") return header;
  if (count != 6 || (words[1] != "TCP4" && words[1] != "TCP6")) {
    return refuse("malformed PROXY v1 header");
  }
  auto const source = IpAddress::parse(words[2]);
  auto const destination = IpAddress::parse(words[3]);
  auto const source_port = parse_port(words[4]);
  auto const destination_port = parse_port(words[5]);
  bool const v4 = words[1] == "TCP4";
  if (!source || !destination || !source_port || !destination_port || source->is_v4() != v4 ||
      destination->is_v4() != v4) {
    return refuse("malformed PROXY v1 header");
  }
  header.source = IpEndpoint{source->unmapped(), *source_port};
  header.destination = IpEndpoint{destination->unmapped(), *destination_port};
  return header;
}

std::uint16_t read_u16(char const* bytes) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[0]) << 8 |
                                    static_cast<unsigned char>(bytes[1]));
}

ProxyHeader parse_v2(std::string_view bytes) {
  if (bytes.size() < 16) return {};
  auto const version_command = static_cast<unsigned char>(bytes[12]);
  auto const family = static_cast<unsigned char>(bytes[13]);
  std::size_t const length = read_u16(bytes.data() + 14);
  if (version_command >> 4 != 2) return refuse("unknown PROXY protocol version");
  auto const command = version_command & 0x0f;
  if (command > 1) return refuse("unknown PROXY v2 command");
  if (16 + length > max_proxy_v2_bytes) return refuse("PROXY v2 header too long");
  if (bytes.size() < 16 + length) return {};
  ProxyHeader header;
  header.status = Status::complete;
  header.bytes = 16 + length;
  if (command == 0) return header;  // LOCAL: a health check of the sender's own
  auto const* const at = bytes.data() + 16;
  if (family == 0x11) {
    if (length < 12) return refuse("PROXY v2 addresses cut short");
    std::array<std::uint8_t, 4> source, destination;
    std::memcpy(source.data(), at, 4);
    std::memcpy(destination.data(), at + 4, 4);
    header.source = IpEndpoint{IpAddress::v4(source), read_u16(at + 8)};
    header.destination = IpEndpoint{IpAddress::v4(destination), read_u16(at + 10)};
  } else if (family == 0x21) {
    if (length < 36) return refuse("PROXY v2 addresses cut short");
    std::array<std::uint8_t, 16> source, destination;
    std::memcpy(source.data(), at, 16);
    std::memcpy(destination.data(), at + 16, 16);
    header.source = IpEndpoint{IpAddress::v6(source).unmapped(), read_u16(at + 32)};
    header.destination = IpEndpoint{IpAddress::v6(destination).unmapped(), read_u16(at + 34)};
  } else if (family != 0x00) {
    return refuse("PROXY v2 address family is not TCP over IP");
  }
  return header;
}

}  // namespace

ProxyHeader parse_proxy_header(std::span<char const> bytes, ProxyProtocol expected) {
  std::string_view const text(bytes.data(), bytes.size());
  auto const may_be = [&](std::string_view start) {
    auto const common = std::min(start.size(), text.size());
    return text.substr(0, common) == start.substr(0, common);
  };
  if (expected != ProxyProtocol::v1 && may_be(v2_signature)) {
    return text.size() < v2_signature.size() ? ProxyHeader{} : parse_v2(text);
  }
  if (expected != ProxyProtocol::v2 && may_be("PROXY ")) {
    return text.size() < 6 ? ProxyHeader{} : parse_v1(text);
  }
  return refuse("no PROXY header");
}

ProxyHeader take_proxy_header(int fd, ListenerSettings const& listener, IpAddress const& peer) {
  bool const trusted =
      std::any_of(listener.trusted_sources.begin(), listener.trusted_sources.end(),
                  [&](IpNetwork const& network) { return network.contains(peer); });
  if (!trusted) return refuse("PROXY header expected, and the sender is not a trusted source");
  std::array<char, max_proxy_v2_bytes> bytes;
  auto const n = ::recv(fd, bytes.data(), bytes.size(), MSG_PEEK);
  if (n == 0) return refuse("closed before the PROXY header");
  if (n < 0) {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR
               ? ProxyHeader{}
               : refuse("connection lost before the PROXY header");
  }
  auto const header =
      parse_proxy_header({bytes.data(), static_cast<std::size_t>(n)}, listener.proxy_protocol);
  if (header.status == Status::complete) {
    auto const taken = ::recv(fd, bytes.data(), header.bytes, 0);
    if (taken != static_cast<ssize_t>(header.bytes)) return refuse("connection lost");
  }
  return header;
}

}  // namespace certgate::proxy
