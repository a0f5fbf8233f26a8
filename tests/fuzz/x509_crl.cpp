// Any bytes as a revocation list: refused, or walked to the end as often as one likes.
#include <cstdint>
#include <cstdlib>

#include "certgate/x509/crl.hpp"
#include "certgate/x509/distribution_points.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace certgate;
  using namespace certgate::x509;
  auto const read = Crl::parse_der(std::string(reinterpret_cast<char const*>(data), size));
  if (!read) return 0;
  std::size_t count = 0;
  CrlEntry entry;
  for (auto cursor = (*read)->entries(); cursor.next(entry);) {
    ++count;
    if (entry.serial.size() > max_serial_bytes + 1) std::abort();
    if (!entry.negative && !entry.serial.empty() && entry.serial[0] == 0) std::abort();
    if (name_of(entry.reason).empty()) std::abort();
  }
  if (count != (*read)->entry_count()) std::abort();
  // The short way through the entries sees the same serials.
  auto serials = (*read)->entries();
  for (auto cursor = (*read)->entries(); cursor.next(entry); --count) {
    CrlEntry other;
    if (!serials.next_serial(other) || other.negative != entry.negative) std::abort();
    if (as_text(other.serial) != as_text(entry.serial)) std::abort();
  }
  if (count != 0 || serials.next_serial(entry)) std::abort();
  for (auto const& url : freshest_crl_urls(**read)) {
    if (!ascii_lower(url).starts_with("http")) std::abort();
  }
  return 0;
}
