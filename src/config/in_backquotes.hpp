// A person's word inside a message, between backquotes.
#pragma once

#include <string>
#include <string_view>

namespace certgate::config {

inline std::string in_backquotes(std::string_view text) { return "`" + std::string{text} + "`"; }

}  // namespace certgate::config
