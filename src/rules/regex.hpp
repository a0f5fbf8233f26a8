// A regular expression as Cloudflare's engine reads it, run by RE2 in linear time.
//
// The reference is Rust's regex-automata on bytes without Unicode; RE2 in Latin-1 mode is the same
// but for details, which are translated (\s, (?<name>), non-ASCII literals) or refused with a
// message that names them (class set operations, (?x), (?R), \Q...\E, octal escapes).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "certgate/base/result.hpp"
#include "parse_number.hpp"

namespace re2 {
class RE2;
}

namespace certgate::rules {

// Immutable; any thread may search. RE2 fills a cache of its own during the first searches.
class Regex {
 public:
  static Result<std::shared_ptr<Regex const>, LiteralMistake> compile(std::string_view pattern);
  ~Regex();
  Regex(Regex const&) = delete;
  Regex& operator=(Regex const&) = delete;

  // Whether the pattern occurs anywhere in `value`.
  bool search(std::string_view value) const noexcept;
  // Fills groups[0] with the leftmost match and groups[i] with capture i. Views of `value`; a group
  // that took no part has a null data().
  bool search(std::string_view value, std::span<std::string_view> groups) const noexcept;
  int group_count() const;
  std::string const& pattern() const { return pattern_; }
  // The plain text that every matching value starts with; empty when there is none.
  std::string const& prefix() const { return prefix_; }
  std::size_t memory_bytes() const;

 private:
  // Patterns without operators need no automaton.
  enum class Shape { automaton, equals, starts_with, ends_with, contains };
  Regex() = default;
  void find_shape();

  std::string pattern_;
  Shape shape_ = Shape::automaton;
  std::string literal_;
  std::string prefix_;
  std::unique_ptr<re2::RE2> automaton_;
};

}  // namespace certgate::rules
