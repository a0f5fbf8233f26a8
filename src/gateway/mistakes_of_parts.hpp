// What else is wrong in a configuration that cannot be used anyway.
#pragma once

#include "certgate/base/clock.hpp"
#include "certgate/base/diagnostic.hpp"
#include "certgate/config/read_config.hpp"

namespace certgate::gateway {

// Errors of the expressions, and of the files of whole hosts and origins. No warnings.
Diagnostics mistakes_of_parts(config::PartialConfig const& part, UnixSeconds at);

}  // namespace certgate::gateway
