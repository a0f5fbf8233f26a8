// Host names and authorities in one canonical form, and the one way to match them.
//
// TLS (server_name) and HTTP (Host, :authority, absolute-form) both go through these functions, so
// that no spelling of a name can be one host in the handshake and another in the request.
//
// Canonical form: ASCII lower case, one trailing dot removed; IPv4 as a dotted quad; IPv6 in
// brackets as RFC 5952 writes it. A name is labels of letters, digits, `-` and `_` (1 to 63 bytes
// each, 253 together, no hyphen at either end); an internationalised name arrives as its A-labels
// (RFC 5890 §2.3.2.1), raw UTF-8 is refused. A last label of digits only that is no IPv4 address is
// refused, and so are user information, percent-encoding, an empty port, port 0 and leading zeros.
//
// Nothing here allocates but for IPv6 literals. Values returned are views of the argument or of
// the caller's buffer.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace certgate {

inline constexpr std::size_t max_host_name_bytes = 253;  // RFC 1035 §2.3.4, as text
inline constexpr std::size_t max_label_bytes = 63;

// Room for any canonical host, brackets included.
using HostBuffer = std::array<char, 256>;

enum class HostKind : std::uint8_t { name, ipv4, ipv6 };

struct Authority {
  std::string_view host;  // canonical; IPv6 with its brackets
  HostKind kind = HostKind::name;
  std::uint16_t port = 0;  // 0: none was given
};

// `host` or `host:port`. nullopt when malformed or empty.
std::optional<Authority> parse_authority(std::string_view text, HostBuffer& buffer);

// A name without port or brackets, as in the TLS server_name extension (RFC 6066 §3: no IP
// addresses). nullopt when malformed or empty.
std::optional<std::string_view> parse_host_name(std::string_view text, HostBuffer& buffer);

// Same host, and the same port once `default_port` stands in for an absent one.
bool same_authority(Authority const& left, Authority const& right, std::uint16_t default_port);

// What a configuration may name: `api.example.com`, `*.example.com` or `*`.
//
// `*.example.com` stands for exactly one label, as it does in a certificate (RFC 9525 §6.3):
// a.example.com, but neither example.com nor a.b.example.com. IP addresses match only exactly.
struct HostPattern {
  enum class Kind : std::uint8_t { exact, wildcard, any };
  Kind kind = Kind::exact;
  std::string name;  // canonical; for a wildcard what follows `*.`; empty for any

  static std::optional<HostPattern> parse(std::string_view text);
  // REQUIRES: host is canonical, as Authority::host or parse_host_name() give it.
  bool matches(std::string_view canonical_host) const;
  std::string to_string() const;
  friend bool operator==(HostPattern const&, HostPattern const&) = default;
};

// The part of a canonical name after its first label; empty for a single label or an IP address.
std::string_view parent_domain(std::string_view canonical_host);

// Patterns to values: exact before wildcard before any. Built once, then any thread may find().
template <class T>
class HostTable {
 public:
  // False, and nothing changes, when the pattern is there already.
  bool insert(HostPattern const& pattern, T value) {
    switch (pattern.kind) {
      case HostPattern::Kind::exact:
        return exact_.emplace(pattern.name, std::move(value)).second;
      case HostPattern::Kind::wildcard:
        return wildcard_.emplace(pattern.name, std::move(value)).second;
      case HostPattern::Kind::any:
        if (any_) return false;
        any_ = std::move(value);
        return true;
    }
    return false;
  }

  // REQUIRES: host is canonical. Null when nothing matches; does not allocate.
  T const* find(std::string_view canonical_host) const {
    if (auto const* named = find_named(canonical_host)) return named;
    return any();
  }

  // As find(), but never the value of `*`.
  T const* find_named(std::string_view canonical_host) const {
    if (auto const at = exact_.find(canonical_host); at != exact_.end()) return &at->second;
    if (!wildcard_.empty()) {
      if (auto const parent = parent_domain(canonical_host); !parent.empty()) {
        if (auto const at = wildcard_.find(parent); at != wildcard_.end()) return &at->second;
      }
    }
    return nullptr;
  }

  T const* any() const { return any_ ? &*any_ : nullptr; }
  bool empty() const { return exact_.empty() && wildcard_.empty() && !any_; }
  std::size_t size() const { return exact_.size() + wildcard_.size() + (any_ ? 1 : 0); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Map = std::unordered_map<std::string, T, Hash, std::equal_to<>>;
  Map exact_;
  Map wildcard_;
  std::optional<T> any_;
};

}  // namespace certgate
