// What lies on disk under the paths that name CRLs.
#pragma once

#include <string>

#include "certgate/config/config.hpp"

namespace certgate::gateway {

// Every file under every path that names lists, with size, times and inode, as one text: it differs
// when a file was changed, replaced, added or removed.
std::string look_at_crl_files(config::Config const& config);

}  // namespace certgate::gateway
