#include "address_blocks.hpp"

namespace certgate::rules {

AddressNumber number_of(IpAddress const& address) {
  AddressNumber number = 0;
  for (std::size_t i = 0; i < (address.is_v4() ? 4u : 16u); ++i) {
    number = number << 8 | address.bytes()[i];
  }
  return number;
}

IpAddress address_of(AddressNumber number, bool is_v4) {
  if (is_v4) return IpAddress::v4(static_cast<std::uint32_t>(number));
  std::array<std::uint8_t, 16> bytes;
  for (std::size_t i = 16; i > 0; --i) {
    bytes[i - 1] = static_cast<std::uint8_t>(number & 0xff);
    number >>= 8;
  }
  return IpAddress::v6(bytes);
}

void append_blocks(IpAddress const& first, IpAddress const& last, std::vector<IpNetwork>& out) {
  bool const is_v4 = first.is_v4();
  unsigned const bits = is_v4 ? 32 : 128;
  auto start = number_of(first);
  auto const end = number_of(last);
  for (;;) {
    // The largest block that starts here and does not reach beyond the end.
    unsigned free_bits = 0;
    while (free_bits < bits) {
      auto const size_less_one =
          free_bits + 1 == 128 ? ~AddressNumber{0} : (AddressNumber{1} << (free_bits + 1)) - 1;
      if ((start & size_less_one) != 0 || size_less_one > end - start) break;
      ++free_bits;
    }
    out.emplace_back(address_of(start, is_v4), bits - free_bits);
    auto const size_less_one =
        free_bits == 128 ? ~AddressNumber{0} : (AddressNumber{1} << free_bits) - 1;
    if (end - start == size_less_one) return;
    start += size_less_one + 1;
  }
}

}  // namespace certgate::rules
