// Cuts a range of addresses into the fewest networks.
#pragma once

#include <vector>

#include "certgate/base/ip.hpp"

namespace certgate::rules {

using AddressNumber = unsigned __int128;

AddressNumber number_of(IpAddress const& address);
IpAddress address_of(AddressNumber number, bool is_v4);

// REQUIRES: one family, first <= last.
void append_blocks(IpAddress const& first, IpAddress const& last, std::vector<IpNetwork>& out);

}  // namespace certgate::rules
