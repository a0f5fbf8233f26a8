// Reads and writes admin addresses.
#include "certgate/admin/address.hpp"

namespace certgate::admin {

Result<Address> Address::parse(std::string_view text) {
  constexpr std::string_view scheme = "unix:";
  Address address;
  if (text.starts_with(scheme)) {
    address.unix_path = text.substr(scheme.size());
    if (address.unix_path.empty()) return fail(ErrorCode::invalid, "`unix:` needs a path");
    if (address.unix_path.find('\0') != std::string::npos) {
      return fail(ErrorCode::invalid, "a path cannot contain a NUL byte");
    }
    if (address.unix_path.size() > max_unix_path) {
      return fail(ErrorCode::invalid, "the path of a unix socket can have " +
                                          std::to_string(max_unix_path) + " bytes at most");
    }
    return address;
  }
  auto const tcp = IpEndpoint::parse(text);
  if (!tcp) {
    return fail(ErrorCode::invalid,
                "`" + std::string(text) + "` is neither unix:/path nor an IP address with a port");
  }
  address.tcp = *tcp;
  return address;
}

std::string Address::to_string() const { return is_unix() ? "unix:" + unix_path : tcp.to_string(); }

}  // namespace certgate::admin
