// Matches `wildcard` patterns in time linear in the value, whatever the pattern.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/result.hpp"
#include "parse_number.hpp"

namespace certgate::rules {

enum class CaseRule { sensitive, insensitive };

// Immutable. The pattern's pieces between its stars must occur one after the other; taking the
// leftmost place for each is both correct and the lazy reading that wildcard_replace wants.
class WildcardPattern {
 public:
  // `*` is zero or more bytes; `\*` and `\\` are literal; other escapes and `**` are mistakes.
  static Result<WildcardPattern, LiteralMistake> parse(std::string_view pattern, CaseRule rule);

  bool matches(std::string_view value) const noexcept { return matches(value, {}); }
  // Also fills captures[i] with what star i covered; fewer captures than stars are allowed.
  bool matches(std::string_view value, std::span<std::string_view> captures) const noexcept;
  std::size_t stars() const { return pieces_.size() - 1; }
  // What every matching value starts with (lower-cased when insensitive).
  std::string const& prefix() const { return pieces_.front().text; }
  CaseRule rule() const { return rule_; }

 private:
  struct Piece {
    std::string text;
    std::vector<std::uint32_t> failure;  // Knuth-Morris-Pratt; only of insensitive inner pieces
  };
  std::size_t find(Piece const& piece, std::string_view value, std::size_t from) const noexcept;
  bool equal(std::string_view value, std::string_view piece) const noexcept;

  CaseRule rule_ = CaseRule::sensitive;
  std::vector<Piece> pieces_;  // one more than there are stars
};

}  // namespace certgate::rules
