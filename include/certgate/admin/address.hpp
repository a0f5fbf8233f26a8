// Where the operator's API listens: a unix socket or a TCP address.
//
// `unix:/run/certgate/admin.sock`, `127.0.0.1:9901`, `[::1]:9901`.
// Errors: parse gives one sentence that says what is wrong with the text.
#pragma once

#include <string>
#include <string_view>

#include "certgate/base/ip.hpp"
#include "certgate/base/result.hpp"

namespace certgate::admin {

// What fits into sockaddr_un on Linux.
inline constexpr std::size_t max_unix_path = 107;

struct Address {
  std::string unix_path;  // empty: TCP
  IpEndpoint tcp;

  static Result<Address> parse(std::string_view text);
  bool is_unix() const { return !unix_path.empty(); }
  std::string to_string() const;
  friend bool operator==(Address const&, Address const&) = default;
};

}  // namespace certgate::admin
