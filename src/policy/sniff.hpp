// Says what a body looks like from its first bytes, whatever Content-Type says.
//
// See: the MIME Sniffing standard of the WHATWG, §6 (signatures) and §7.1 (unknown types).
#pragma once

#include <string_view>

namespace certgate::policy {

// "image/png", "text/html"; "text/plain" when nothing in it is binary; "" when it is empty or
// nothing that is known.
std::string_view sniff_media_type(std::string_view content);

}  // namespace certgate::policy
