// Files of the state directory: written whole or not at all, logs only ever appended to.
//
// A file is written beside its place, synced, renamed into place, and its directory synced: a kill,
// a full disk or a power cut leaves the old file or the new one, never a piece of either.
//
// Errors: io or permission, naming the path and what the operating system said.
#pragma once

#include <string>
#include <string_view>

#include "certgate/base/result.hpp"

namespace certgate::gateway {

// Makes the directory (0700) with those above it when it is not there yet.
Result<void> make_state_directory(std::string const& path);
// Mode 0600.
Result<void> replace_state_file(std::string const& path, std::string_view bytes);
// One line with its newline, in one write, synced. Mode 0600.
Result<void> append_state_line(std::string const& path, std::string_view line);

}  // namespace certgate::gateway
