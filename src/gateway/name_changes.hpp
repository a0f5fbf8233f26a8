// What changed where an origin's servers are, in sentences for receipts.
#pragma once

#include <string>
#include <vector>

#include "certgate/upstream/origin.hpp"

namespace certgate::gateway {

// "10.0.0.1, 10.0.0.2"
std::string join_addresses(std::vector<IpAddress> const& addresses);
// "origin api: api.internal from 10.0.0.1 to 10.0.0.2", for each name of both that has other
// addresses, in whatever order.
std::vector<std::string> address_changes(upstream::Origin const& before, upstream::Origin const& now);

}  // namespace certgate::gateway
