// Every setting that is one word, by its path in the schema: for dumps and for comparing.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "certgate/config/config.hpp"

namespace certgate::config {

// In the order of the schema: "limits.header_bytes" -> "32KiB". Text that YAML could misread is
// quoted already.
using PlainSettings = std::vector<std::pair<std::string_view, std::string>>;

PlainSettings plain_settings(Config const& config);
PlainSettings plain_settings(ClientAuth const& auth);
PlainSettings plain_settings(TlsSettings const& tls);
PlainSettings plain_settings(Origin const& origin);
PlainSettings plain_settings(Health const& health);
PlainSettings plain_settings(KeepAlive const& keepalive);

// In double quotes, with escapes for what needs them.
std::string yaml_text(std::string_view text);

}  // namespace certgate::config
