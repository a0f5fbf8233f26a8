#include "certgate/fetch/address_policy.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace certgate::fetch {
namespace {

struct SpecialNetwork {
  char const* network;
  std::string_view what;
};

// Longest prefix is not needed: the order decides, and every row refuses.
constexpr SpecialNetwork special_v4[] = {
    {"0.0.0.0/8", "this host"},
    {"10.0.0.0/8", "private"},
    {"100.64.0.0/10", "shared by a carrier"},
    {"127.0.0.0/8", "loopback"},
    {"169.254.0.0/16", "link-local"},
    {"172.16.0.0/12", "private"},
    {"192.0.0.0/24", "reserved"},
    {"192.0.2.0/24", "for documentation"},
    {"192.88.99.0/24", "a 6to4 relay"},
    {"192.168.0.0/16", "private"},
    {"198.18.0.0/15", "for benchmarks"},
    {"198.51.100.0/24", "for documentation"},
    {"203.0.113.0/24", "for documentation"},
    {"224.0.0.0/4", "multicast"},
    {"240.0.0.0/4", "reserved"},
};
constexpr SpecialNetwork special_v6[] = {
    {"::/128", "this host"},
    {"::1/128", "loopback"},
    {"64:ff9b:1::/48", "a local NAT64"},
    {"100::/64", "discard-only"},
    {"2001::/23", "reserved (Teredo and others)"},
    {"2001:db8::/32", "for documentation"},
    {"3fff::/20", "for documentation"},
    {"fc00::/7", "private"},
    {"fe80::/10", "link-local"},
    {"fec0::/10", "site-local"},
    {"ff00::/8", "multicast"},
};

struct Judged {
  IpNetwork network;
  std::string_view what;
};

template <std::size_t size>
std::vector<Judged> parsed_networks(SpecialNetwork const (&rows)[size]) {
  std::vector<Judged> out;
  for (auto const& row : rows) out.push_back({*IpNetwork::parse(row.network), row.what});
  return out;
}

// The IPv4 address that a packet to this one ends at.
std::optional<IpAddress> embedded_v4(IpAddress const& address) {
  static IpNetwork const mapped = *IpNetwork::parse("::ffff:0:0/96");
  static IpNetwork const nat64 = *IpNetwork::parse("64:ff9b::/96");  // RFC 6052 §2.1
  static IpNetwork const six_to_four = *IpNetwork::parse("2002::/16");  // RFC 3056 §2
  auto const& b = address.bytes();
  if (mapped.contains(address) || nat64.contains(address)) {
    return IpAddress::v4({b[12], b[13], b[14], b[15]});
  }
  if (six_to_four.contains(address)) return IpAddress::v4({b[2], b[3], b[4], b[5]});
  return std::nullopt;
}

std::string_view special_name(std::vector<Judged> const& networks, IpAddress const& address) {
  for (auto const& judged : networks) {
    if (judged.network.contains(address)) return judged.what;
  }
  return "";
}

}  // namespace

std::string_view why_not_public(IpAddress const& address) {
  static auto const v4 = parsed_networks(special_v4);
  static auto const v6 = parsed_networks(special_v6);
  static IpNetwork const global = *IpNetwork::parse("2000::/3");  // RFC 4291 §2.4
  if (address.is_v4()) return special_name(v4, address);
  if (auto const inner = embedded_v4(address)) return special_name(v4, *inner);
  if (auto const what = special_name(v6, address); !what.empty()) return what;
  return global.contains(address) ? "" : "not global unicast";
}

bool AddressPolicy::allows(IpAddress const& address) const {
  auto const is_listed = [&](IpAddress const& candidate) {
    return std::any_of(allowed.begin(), allowed.end(),
                       [&](auto const& network) { return network.contains(candidate); });
  };
  if (why_not_public(address).empty()) return true;
  // What is listed as IPv4 is allowed in its mapped spelling too; through a translator it is not.
  return is_listed(address) || is_listed(address.unmapped());
}

}  // namespace certgate::fetch
