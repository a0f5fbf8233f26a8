// A Config back as text: the canonical dump, and what differs between two of them.
#pragma once

#include <string>
#include <vector>

#include "certgate/config/config.hpp"

namespace certgate::config {

// YAML with every setting in force, defaults and inherited ones included; `rule_files` are written
// out under `rules`, paths as they resolve. Reading it again gives an equal Config.
std::string format_config(Config const& config);

// Sentences for the reload receipt, such as "rules: 2 added, 1 changed" or "host api.example.com:
// crl changed"; empty when nothing differs. Files that are only named here (certificates, CAs,
// CRLs) are compared by path: whoever loads them knows about their contents.
std::vector<std::string> diff(Config const& before, Config const& now);

}  // namespace certgate::config
