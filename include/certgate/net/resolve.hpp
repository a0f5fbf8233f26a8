// The addresses of a name, as the operating system knows them.
//
// Blocks while name servers are asked, for many seconds if they do not answer: never on a worker's
// thread. Any thread may call it.
//
// Errors: not_found, with the resolver's own words.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "certgate/base/ip.hpp"
#include "certgate/base/result.hpp"

namespace certgate::net {

// All of them, each once, in the resolver's order (RFC 6724). An address is its own.
Result<std::vector<IpAddress>> resolve(std::string const& host);

// resolve(), or what a test has in its place.
using Lookup = std::function<Result<std::vector<IpAddress>>(std::string const& host)>;

}  // namespace certgate::net
