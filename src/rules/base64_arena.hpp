// Base64 decoding into memory that the caller has, because base's decoder returns a new string.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "certgate/base/encoding.hpp"

namespace certgate::rules {

// Padded or not; anything outside the alphabet and unused bits that are not zero give nullopt.
// `out` has room for text.size() bytes. Returns how many were written.
std::optional<std::size_t> decode_base64_into(char* out, std::string_view text,
                                              Base64Alphabet alphabet) noexcept;

}  // namespace certgate::rules
