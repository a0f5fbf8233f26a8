// The documented field names with their types, as a schema for tests of the language alone.
#pragma once

#include "certgate/rules/scheme.hpp"

namespace certgate::rules::test {

// Every name that is documented for request rules and their neighbours, with its type, and the
// standard functions; nothing is unavailable.
Scheme documented_scheme();

}  // namespace certgate::rules::test
