#include "wildcard.hpp"

#include <cstring>

#include "certgate/base/encoding.hpp"

namespace certgate::rules {

Result<WildcardPattern, LiteralMistake> WildcardPattern::parse(std::string_view pattern,
                                                               CaseRule rule) {
  WildcardPattern result;
  result.rule_ = rule;
  result.pieces_.emplace_back();
  bool after_star = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '*') {
      if (after_star) {
        return fail(LiteralMistake{"a wildcard pattern cannot have `**`",
                                   "one `*` already stands for anything, `/` included"});
      }
      after_star = true;
      result.pieces_.emplace_back();
      continue;
    }
    after_star = false;
    if (c == '\\') {
      bool const known =
          i + 1 < pattern.size() && (pattern[i + 1] == '*' || pattern[i + 1] == '\\');
      if (!known) {
        return fail(
            LiteralMistake{"in a wildcard pattern a backslash stands before `*` or `\\` only",
                           "in a quoted string it is written twice: \"a\\\\*b\"; or use a raw "
                           "string: r\"a\\*b\""});
      }
      c = pattern[++i];
    }
    result.pieces_.back().text += rule == CaseRule::insensitive ? ascii_lower(c) : c;
  }
  if (rule == CaseRule::insensitive) {
    for (std::size_t p = 1; p + 1 < result.pieces_.size(); ++p) {
      auto& piece = result.pieces_[p];
      piece.failure.assign(piece.text.size(), 0);
      std::uint32_t length = 0;
      for (std::size_t i = 1; i < piece.text.size(); ++i) {
        while (length > 0 && piece.text[i] != piece.text[length]) {
          length = piece.failure[length - 1];
        }
        if (piece.text[i] == piece.text[length]) ++length;
        piece.failure[i] = length;
      }
    }
  }
  return result;
}

bool WildcardPattern::equal(std::string_view value, std::string_view piece) const noexcept {
  if (rule_ == CaseRule::sensitive) return value == piece;
  for (std::size_t i = 0; i < piece.size(); ++i) {
    if (ascii_lower(value[i]) != piece[i]) return false;
  }
  return true;
}

std::size_t WildcardPattern::find(Piece const& piece, std::string_view value,
                                  std::size_t from) const noexcept {
  if (rule_ == CaseRule::sensitive) {
    auto const rest = value.substr(from);
    if (piece.text.empty()) return from;
    if (rest.empty()) return std::string_view::npos;
    auto const* found = memmem(rest.data(), rest.size(), piece.text.data(), piece.text.size());
    if (!found) return std::string_view::npos;
    return static_cast<std::size_t>(static_cast<char const*>(found) - value.data());
  }
  if (piece.text.empty()) return from;
  std::uint32_t length = 0;
  for (std::size_t i = from; i < value.size(); ++i) {
    char const c = ascii_lower(value[i]);
    while (length > 0 && c != piece.text[length]) length = piece.failure[length - 1];
    if (c == piece.text[length]) ++length;
    if (length == piece.text.size()) return i + 1 - length;
  }
  return std::string_view::npos;
}

bool WildcardPattern::matches(std::string_view value,
                              std::span<std::string_view> captures) const noexcept {
  auto const& first = pieces_.front().text;
  auto const& last = pieces_.back().text;
  if (pieces_.size() == 1) return value.size() == first.size() && equal(value, first);
  if (value.size() < first.size() + last.size()) return false;
  if (!equal(value.substr(0, first.size()), first)) return false;
  auto const end = value.size() - last.size();
  if (!equal(value.substr(end), last)) return false;
  std::size_t at = first.size();
  auto const middle = value.substr(0, end);
  for (std::size_t p = 1; p + 1 < pieces_.size(); ++p) {
    auto const found = find(pieces_[p], middle, at);
    if (found == std::string_view::npos) return false;
    if (p - 1 < captures.size()) captures[p - 1] = value.substr(at, found - at);
    at = found + pieces_[p].text.size();
  }
  auto const star = pieces_.size() - 2;
  if (star < captures.size()) captures[star] = value.substr(at, end - at);
  return true;
}

}  // namespace certgate::rules
