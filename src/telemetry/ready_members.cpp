#include "ready_members.hpp"

#include <algorithm>

namespace certgate::telemetry {

void ReadyMembers::keep(AccessRecord const& record, Parts const& parts) {
  auto const size = parts.client.size() + parts.tls.size() + parts.certificate.size();
  if (record.connection == 0 || size > max_kept_bytes) return;
  auto& taken = places_[record.connection % places];
  if (taken == nullptr) taken.reset(new Place);
  auto& place = *taken;
  place.connection_ = record.connection;
  place.client_size_ = static_cast<std::uint16_t>(parts.client.size());
  place.tls_size_ = static_cast<std::uint16_t>(parts.tls.size());
  place.certificate_size_ = static_cast<std::uint16_t>(parts.certificate.size());
  char* to = place.text_.data();
  for (auto const part : {parts.client, parts.tls, parts.certificate}) {
    to = std::copy(part.begin(), part.end(), to);
  }
}

}  // namespace certgate::telemetry
