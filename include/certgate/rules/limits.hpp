// How large a rule may be. Every limit is inclusive: the value itself is still allowed.
#pragma once

#include <cstddef>

namespace certgate::rules {

struct Limits {
  // Characters (bytes), a run of white space counting as one. Cloudflare: error 20127 above 4,096.
  std::size_t expression_length = 4096;
  // Each parenthesis, `not`, function call, any() and all() on the way to the innermost adds one.
  // At most max_nesting. The reference engine: 128.
  std::size_t nesting = 128;
  // `matches` operators in one expression. Cloudflare: 64 per rule.
  std::size_t regexes = 64;
  // ${n} references in one regex_replace or wildcard_replace. Cloudflare: 8.
  std::size_t capture_references = 8;
  // Mistakes reported for one expression; the rest would only bury them.
  std::size_t mistakes = 20;
};

// What Limits::nesting can be set to; keeps recursion over a tree and its programs bounded.
inline constexpr std::size_t max_nesting = 200;

}  // namespace certgate::rules
