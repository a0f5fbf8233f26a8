// What to do about a certificate or key file that was read and is not right.
#pragma once

#include <string>
#include <string_view>

namespace certgate::gateway {

// `detail` is what ServerIdentity::parse() said.
bool is_about_key(std::string_view detail);
std::string hint_for_identity(std::string_view detail, std::string const& path);

// "`path` is empty", "`path`: the private key does not ...".
std::string sentence_about(std::string const& path, std::string const& detail);

}  // namespace certgate::gateway
