// Times and lengths of time as a person types and reads them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "certgate/base/clock.hpp"
#include "certgate/base/result.hpp"

namespace certgate::cli {

inline constexpr UnixSeconds seconds_per_day = 86'400;

// "90s", "15m", "2h", "30d"; seconds. Zero and below are not lengths.
std::optional<UnixSeconds> parse_length(std::string_view text);
// "2027-01-31" (the end of that day), "2027-01-31T12:00:00Z", or a length from `now` on.
Result<UnixSeconds> parse_moment(std::string_view text, UnixSeconds now);
// "2027-01-31T12:00:00Z".
std::string format_moment(UnixSeconds moment);

}  // namespace certgate::cli
