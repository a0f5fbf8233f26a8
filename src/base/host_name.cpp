// Checks and folds a host name in one pass over its bytes.
#include "certgate/base/host_name.hpp"

#include <algorithm>
#include <cstring>

#include "certgate/base/encoding.hpp"
#include "certgate/base/ip.hpp"

namespace certgate {
namespace {

enum : unsigned char { refused = 0, plain = 1, upper = 2, hyphen = 3, dot = 4 };

constexpr std::array<unsigned char, 256> make_classes() {
  std::array<unsigned char, 256> classes{};
  for (unsigned c = 'a'; c <= 'z'; ++c) classes[c] = plain;
  for (unsigned c = '0'; c <= '9'; ++c) classes[c] = plain;
  for (unsigned c = 'A'; c <= 'Z'; ++c) classes[c] = upper;
  classes['_'] = plain;
  classes['-'] = hyphen;
  classes['.'] = dot;
  return classes;
}
constexpr auto classes = make_classes();

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_number(std::string_view label) {
  return !label.empty() && std::all_of(label.begin(), label.end(), is_digit);
}

// "0x7f" and the like, which some parsers take for a part of an IPv4 address.
bool is_hex_number(std::string_view label) {
  if (!label.starts_with("0x")) return false;
  return std::all_of(label.begin() + 2, label.end(), [](char c) { return hex_digit(c) >= 0; });
}

std::string_view last_label(std::string_view name) {
  auto const at = name.rfind('.');
  return at == std::string_view::npos ? name : name.substr(at + 1);
}

// Canonical text of a name or a dotted quad, still without telling which.
std::optional<std::string_view> fold_name(std::string_view text, HostBuffer& buffer) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > max_host_name_bytes) return std::nullopt;
  bool changed = false;
  std::size_t label = 0;  // bytes of the label so far
  bool after_hyphen = false;
  for (char const c : text) {
    switch (classes[static_cast<unsigned char>(c)]) {
      case upper:
        changed = true;
        [[fallthrough]];
      case plain:
        ++label;
        after_hyphen = false;
        break;
      case hyphen:
        if (label == 0) return std::nullopt;
        ++label;
        after_hyphen = true;
        break;
      case dot:
        if (label == 0 || label > max_label_bytes || after_hyphen) return std::nullopt;
        label = 0;
        break;
      default:
        return std::nullopt;
    }
  }
  if (label == 0 || label > max_label_bytes || after_hyphen) return std::nullopt;
  if (!changed) return text;
  std::transform(text.begin(), text.end(), buffer.begin(), [](char c) { return ascii_lower(c); });
  return std::string_view(buffer.data(), text.size());
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || text.front() == '0') return std::nullopt;
  unsigned port = 0;
  for (char const c : text) {
    if (!is_digit(c)) return std::nullopt;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  if (port > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text, HostBuffer& buffer) {
  Authority authority;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    auto const close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    auto const address = IpAddress::parse(text.substr(1, close - 1));
    if (!address || address->is_v4()) return std::nullopt;
    std::string const canonical = address->to_string();
    buffer[0] = '[';
    std::memcpy(buffer.data() + 1, canonical.data(), canonical.size());
    buffer[canonical.size() + 1] = ']';
    authority.host = {buffer.data(), canonical.size() + 2};
    authority.kind = HostKind::ipv6;
    auto const rest = text.substr(close + 1);
    if (!rest.empty()) {
      if (rest.front() != ':') return std::nullopt;
      has_port = true;
      port = rest.substr(1);
    }
  } else {
    auto const colon = text.find(':');
    auto const host = fold_name(text.substr(0, colon), buffer);
    if (!host) return std::nullopt;
    if (colon != std::string_view::npos) {
      has_port = true;
      port = text.substr(colon + 1);
    }
    authority.host = *host;
    auto const last = last_label(*host);
    if (is_number(last) || is_hex_number(last)) {
      auto const address = IpAddress::parse(*host);
      if (!address || !address->is_v4()) return std::nullopt;
      authority.kind = HostKind::ipv4;
    }
  }
  if (has_port) {
    auto const number = parse_port(port);
    if (!number) return std::nullopt;
    authority.port = *number;
  }
  return authority;
}

std::optional<std::string_view> parse_host_name(std::string_view text, HostBuffer& buffer) {
  auto const host = fold_name(text, buffer);
  if (!host) return std::nullopt;
  auto const last = last_label(*host);
  if (is_number(last) || is_hex_number(last)) return std::nullopt;
  return host;
}

bool same_authority(Authority const& left, Authority const& right, std::uint16_t default_port) {
  auto const port = [default_port](Authority const& authority) {
    return authority.port != 0 ? authority.port : default_port;
  };
  return left.host == right.host && port(left) == port(right);
}

std::optional<HostPattern> HostPattern::parse(std::string_view text) {
  if (text == "*") return HostPattern{Kind::any, {}};
  HostBuffer buffer;
  if (text.starts_with("*.")) {
    auto const name = parse_host_name(text.substr(2), buffer);
    if (!name) return std::nullopt;
    return HostPattern{Kind::wildcard, std::string(*name)};
  }
  auto const authority = parse_authority(text, buffer);
  if (!authority || authority->port != 0) return std::nullopt;
  return HostPattern{Kind::exact, std::string(authority->host)};
}

bool HostPattern::matches(std::string_view canonical_host) const {
  switch (kind) {
    case Kind::exact:
      return name == canonical_host;
    case Kind::wildcard:
      return parent_domain(canonical_host) == name;
    case Kind::any:
      return true;
  }
  return false;
}

std::string HostPattern::to_string() const {
  switch (kind) {
    case Kind::exact:
      return name;
    case Kind::wildcard:
      return "*." + name;
    case Kind::any:
      return "*";
  }
  return {};
}

std::string_view parent_domain(std::string_view canonical_host) {
  if (canonical_host.empty() || canonical_host.front() == '[') return {};
  auto const dot_at = canonical_host.find('.');
  if (dot_at == std::string_view::npos) return {};
  // A name whose last label is a number was refused, so this is an IPv4 address.
  if (is_number(last_label(canonical_host))) return {};
  return canonical_host.substr(dot_at + 1);
}

}  // namespace certgate
