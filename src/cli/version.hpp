// What `certgate --version` says.
#pragma once

#include <string>

namespace certgate::cli {

std::string version_text();

}  // namespace certgate::cli
