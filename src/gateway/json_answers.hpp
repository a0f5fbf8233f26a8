// What scripts get from the commands of the admin address, instead of sentences.
#pragma once

#include <string>
#include <string_view>

#include "certgate/gateway/gateway.hpp"

namespace certgate::gateway {

// A command's body with `"json": true`.
bool wants_json(std::string_view body);

// `version`: the one in force afterwards.
std::string format_reload_json(Result<Receipt, Diagnostics> const& result, std::uint64_t version);

}  // namespace certgate::gateway
