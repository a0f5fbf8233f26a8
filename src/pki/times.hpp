// Seconds to ASN.1 times and back.
#pragma once

#include <optional>

#include "certgate/base/clock.hpp"
#include "openssl.hpp"

namespace certgate::pki {

// RFC 5280 §4.1.2.5: "the encoding ... MUST be UTCTime through the year 2049; dates in 2050 or
// later MUST be GeneralizedTime", which is what OpenSSL chooses. Null outside the years 0 to 9999.
inline TimeOwner asn1_time_of(UnixSeconds seconds) {
  return TimeOwner(ASN1_TIME_set(nullptr, static_cast<time_t>(seconds)));
}

inline std::optional<UnixSeconds> unix_seconds_of(ASN1_TIME const* time) {
  TimeOwner const epoch(ASN1_TIME_set(nullptr, 0));
  int days = 0;
  int seconds = 0;
  if (!epoch || ASN1_TIME_diff(&days, &seconds, epoch.get(), time) != 1) return std::nullopt;
  return UnixSeconds{days} * 86'400 + seconds;
}

}  // namespace certgate::pki
