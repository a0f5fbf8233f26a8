// Finds the byte of the YAML file behind a byte of an expression.
#include "expression_text.hpp"

#include <algorithm>

#include "certgate/base/encoding.hpp"

namespace certgate::config {
namespace {

using Run = ExpressionText::Run;

bool is_break(char c) { return c == '\n' || c == '\r'; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Walks value and source together. What YAML leaves out of the value (indentation, folding, the
// marks of escapes) is skipped in the source; where both go on together a Run goes on.
class Aligner {
 public:
  Aligner(std::string_view source, std::string_view value, Node const& node)
      : source_(source),
        value_(value),
        style_(node.style),
        at_(node.offset),
        end_(std::min<std::size_t>(source.size(), node.offset + node.length)) {}

  std::vector<Run> align() {
    start();
    for (std::size_t i = 0; i < value_.size() && at_ <= end_; ++i) step(i);
    return std::move(runs_);
  }

 private:
  void start() {
    if (style_ == ScalarStyle::single_quoted || style_ == ScalarStyle::double_quoted) ++at_;
    if (style_ != ScalarStyle::literal && style_ != ScalarStyle::folded) return;
    while (at_ < end_ && source_[at_] != '\n') ++at_;  // `|` or `>-` and perhaps a comment
    if (at_ < end_) ++at_;
    line_start_ = at_;
    at_line_start_ = true;
    // What the first line has in front of its text, less what of that belongs to the value.
    std::size_t const line = value_.find_first_not_of('\n');
    if (line == value_.npos) return;
    std::size_t const blanks = std::min(value_.find_first_not_of(' ', line), value_.size()) - line;
    std::size_t const solid = std::min(source_.find_first_not_of(" \r\n", at_), source_.size());
    std::size_t const newline = source_.rfind('\n', solid);
    std::size_t const column = solid - (newline == source_.npos ? 0 : newline + 1);
    indentation_ = column - std::min(column, blanks);
  }

  void note(std::size_t text, std::size_t source) {
    bool const goes_on = !runs_.empty() && source >= runs_.back().source_offset &&
                         source - runs_.back().source_offset == text - runs_.back().text_offset;
    if (goes_on) return;
    runs_.push_back({static_cast<std::uint32_t>(text), static_cast<std::uint32_t>(source)});
  }

  void step(std::size_t i) {
    char const c = value_[i];
    if (c == ' ' || c == '\t') {
      white(i, c);
    } else if (c == '\n') {
      line_end(i);
    } else {
      solid(i, c);
    }
  }

  // A blank of the value is a blank of the source, or a line end that was folded.
  void white(std::size_t i, char c) {
    if (at_ < end_ && source_[at_] == '\\' && style_ == ScalarStyle::double_quoted &&
        escape(i, c)) {
      return;
    }
    // Blanks before a line end are not part of a folded value.
    std::size_t ahead = at_;
    while (ahead < end_ && is_blank(source_[ahead])) ++ahead;
    bool const trailing = ahead < end_ && is_break(source_[ahead]);
    bool const may_fold = style_ != ScalarStyle::literal && style_ != ScalarStyle::folded;
    if (trailing && may_fold) at_ = ahead;
    if (at_ < end_ && is_break(source_[at_])) {
      note(i, at_);
      skip_break();
      skip_white();
      return;
    }
    if (at_line_start_) skip_indentation();
    note(i, at_);
    if (at_ < end_) ++at_;
  }

  // Blanks at the start of a more-indented line belong to the value: skip only the indentation.
  void skip_indentation() {
    at_line_start_ = false;
    std::size_t const stop = std::min(end_, line_start_ + indentation_);
    at_ = std::max(at_, stop);
  }

  void line_end(std::size_t i) {
    if (at_ < end_ && source_[at_] == '\\' && style_ == ScalarStyle::double_quoted &&
        escape(i, '\n')) {
      return;
    }
    while (at_ < end_ && !is_break(source_[at_])) ++at_;
    note(i, at_);
    skip_break();
  }

  void solid(std::size_t i, char c) {
    if (at_ < end_ && source_[at_] != c) skip_white();
    if (style_ == ScalarStyle::double_quoted) {
      // A backslash at the end of a line joins it with the next.
      while (at_ + 1 < end_ && source_[at_] == '\\' && is_break(source_[at_ + 1])) {
        ++at_;
        skip_white();
      }
      if (at_ < end_ && source_[at_] == '\\' && escape(i, c)) return;
    }
    at_line_start_ = false;
    note(i, at_);
    bool const doubled = style_ == ScalarStyle::single_quoted && c == '\'';
    if (at_ < end_) at_ += doubled ? 2 : 1;
  }

  // \n, \", \x41, \u00e9 and so on: several bytes of the source for one character of the value.
  bool escape(std::size_t i, char c) {
    if (at_ + 1 >= end_ || is_break(source_[at_ + 1])) return false;
    note(i, at_);
    // Only the last byte of a character of several moves on.
    bool const more = i + 1 < value_.size() &&
                      (static_cast<unsigned char>(value_[i + 1]) & 0xC0) == 0x80 &&
                      static_cast<unsigned char>(c) >= 0x80;
    if (more) return true;
    std::size_t length = 2;
    switch (source_[at_ + 1]) {
      case 'x':
        length = 4;
        break;
      case 'u':
        length = 6;
        break;
      case 'U':
        length = 10;
        break;
      default:
        break;
    }
    at_ = std::min(end_, at_ + length);
    return true;
  }

  bool in_block() const { return style_ == ScalarStyle::literal || style_ == ScalarStyle::folded; }

  void skip_break() {
    if (at_ < end_ && source_[at_] == '\r') ++at_;
    if (at_ < end_ && source_[at_] == '\n') ++at_;
    line_start_ = at_;
    at_line_start_ = in_block();
  }

  void skip_white() {
    bool const block = in_block();
    while (at_ < end_ && (is_blank(source_[at_]) || is_break(source_[at_]))) {
      bool const newline = source_[at_] == '\n';
      ++at_;
      if (newline) {
        line_start_ = at_;
        at_line_start_ = block;
      }
    }
  }

  std::string_view source_;
  std::string_view value_;
  ScalarStyle style_;
  std::size_t at_;
  std::size_t end_;
  std::size_t line_start_ = 0;
  std::size_t indentation_ = 0;
  bool at_line_start_ = false;
  std::vector<Run> runs_;
};

}  // namespace

ExpressionText expression_text(Value value) {
  // Block scalars end with a line feed or several that nobody means.
  std::string_view text = value.text();
  while (!text.empty() && (is_break(text.back()) || is_blank(text.back()))) text.remove_suffix(1);
  auto runs = Aligner(value.source().text(), text, value.node()).align();
  return {std::string{text}, value.mark(), std::move(runs)};
}

std::size_t ExpressionText::source_offset_of(std::size_t offset) const {
  if (runs_.empty()) return mark_.offset();
  auto const after =
      std::upper_bound(runs_.begin(), runs_.end(), offset,
                       [](std::size_t wanted, Run const& run) { return wanted < run.text_offset; });
  Run const& run = after == runs_.begin() ? runs_.front() : *(after - 1);
  // Inside an escape of several bytes every byte is at its start.
  std::size_t const into = offset - std::min<std::size_t>(offset, run.text_offset);
  return run.source_offset + into;
}

Place ExpressionText::place_of(std::size_t offset) const {
  if (mark_.source() == nullptr) return {};
  return mark_.source()->place_of(source_offset_of(std::min(offset, text_.size())));
}

Diagnostic ExpressionText::diagnostic(std::size_t offset, std::size_t length, std::string message,
                                      std::string hint, Severity severity) const {
  if (mark_.source() == nullptr) {
    return mark_.diagnostic(std::move(message), std::move(hint), severity);
  }
  offset = std::min(offset, text_.size());
  std::size_t const last = std::min(text_.size(), offset + std::max<std::size_t>(1, length));
  std::size_t const from = source_offset_of(offset);
  std::size_t const to = last > offset ? source_offset_of(last - 1) + 1 : from + 1;
  return make_diagnostic(*mark_.source(), from, to > from ? to - from : 1, std::move(message),
                         std::move(hint), severity);
}

}  // namespace certgate::config
