// Rewrites a pattern of Rust's regex syntax into RE2's, or says which construct has no equal.
#pragma once

#include <string>
#include <string_view>

#include "certgate/base/result.hpp"
#include "parse_number.hpp"

namespace certgate::rules {

struct TranslatedRegex {
  std::string pattern;
  bool utf8 = false;  // the pattern began with (?u): match characters, not bytes
};

Result<TranslatedRegex, LiteralMistake> translate_regex(std::string_view pattern);

}  // namespace certgate::rules
