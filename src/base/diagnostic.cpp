// Finds places in a text and draws the line, the carets and the hint of a diagnostic.
#include "certgate/base/diagnostic.hpp"

#include <algorithm>
#include <cstring>
#include <set>
#include <tuple>
#include <utility>

namespace certgate {
namespace {

// Longer words are typed by a program; comparing them costs more than a hint is worth.
constexpr std::size_t max_compared_word = 128;
// Wide enough for a line number of five digits before the bar moves.
constexpr std::size_t gutter_width = 5;

void append_place(std::string& out, Place const& place) {
  if (place.file.empty() && place.line == 0) return;
  out += place.file;
  if (place.line != 0) {
    if (!place.file.empty()) out += ':';
    out += std::to_string(place.line);
    if (place.column != 0) {
      out += ':';
      out += std::to_string(place.column);
    }
  }
  out += ": ";
}

void append_severity(std::string& out, Severity severity) {
  switch (severity) {
    case Severity::error:
      return;
    case Severity::warning:
      out += "warning: ";
      return;
    case Severity::note:
      out += "note: ";
      return;
  }
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }
bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

void append_visible(std::string& out, std::string_view text) {
  for (char const c : text) out += is_control(c) ? ' ' : c;
}

// Columns count bytes, but a terminal shows characters: one caret per character.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

void append_excerpt(std::string& out, Diagnostic const& diagnostic) {
  std::string const number = std::to_string(diagnostic.place.line);
  std::string const gutter(std::max(gutter_width, number.size()), ' ');
  out.append(gutter.size() - number.size(), ' ');
  out += number;
  out += " | ";
  append_visible(out, diagnostic.source_line);
  out += '\n';
  if (diagnostic.place.column == 0) return;
  std::string_view const line = diagnostic.source_line;
  std::size_t const start = std::min(diagnostic.place.column - 1, line.size());
  std::size_t const length = std::min(diagnostic.length, line.size() - start);
  out += gutter;
  out += " | ";
  out.append(characters(line.substr(0, start)), ' ');
  out.append(std::max<std::size_t>(1, characters(line.substr(start, length))), '^');
  out += '\n';
}

// Insertions, deletions, changes and swaps of neighbours (`nmae` for `name`) count one each.
std::size_t edit_distance(std::string_view left, std::string_view right,
                          std::vector<std::size_t>& rows) {
  auto const width = right.size() + 1;
  rows.resize(3 * width);
  auto* above = rows.data();  // the row before the last one
  auto* last = above + width;
  auto* row = last + width;
  for (std::size_t j = 0; j < width; ++j) last[j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j < width; ++j) {
      std::size_t const changed = last[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
      row[j] = std::min({changed, last[j] + 1, row[j - 1] + 1});
      bool const swapped = i > 1 && j > 1 && left[i - 1] == right[j - 2] &&
                           left[i - 2] == right[j - 1];
      if (swapped) row[j] = std::min(row[j], above[j - 2] + 1);
    }
    std::swap(above, last);
    std::swap(last, row);
  }
  return last[right.size()];
}

}  // namespace

SourceText::SourceText(std::string name, std::string text)
    : name_(std::move(name)), text_(std::move(text)) {
  line_starts_.push_back(0);
  for (std::size_t i = 0; i < text_.size(); ++i) {
    if (text_[i] == '\n') line_starts_.push_back(i + 1);
  }
}

std::string_view SourceText::line(std::size_t number) const {
  if (number == 0 || number > line_starts_.size()) return {};
  std::size_t const start = line_starts_[number - 1];
  std::size_t end = number < line_starts_.size() ? line_starts_[number] - 1 : text_.size();
  if (end > start && text_[end - 1] == '\r') --end;
  return std::string_view{text_}.substr(start, end - start);
}

Place SourceText::place_of(std::size_t offset) const {
  offset = std::min(offset, text_.size());
  auto const after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  auto const number = static_cast<std::size_t>(after - line_starts_.begin());
  return {name_, number, offset - line_starts_[number - 1] + 1};
}

Diagnostic make_diagnostic(SourceText const& source, std::size_t offset, std::size_t length,
                           std::string message, std::string hint, Severity severity) {
  Diagnostic diagnostic;
  diagnostic.severity = severity;
  diagnostic.place = source.place_of(offset);
  diagnostic.message = std::move(message);
  diagnostic.hint = std::move(hint);
  diagnostic.source_line = source.line(diagnostic.place.line);
  std::size_t const before = diagnostic.place.column - 1;
  std::size_t const left =
      before < diagnostic.source_line.size() ? diagnostic.source_line.size() - before : 0;
  diagnostic.length = std::max<std::size_t>(1, std::min(length, left));
  return diagnostic;
}

std::string render(Diagnostic const& diagnostic) {
  std::string out;
  append_place(out, diagnostic.place);
  append_severity(out, diagnostic.severity);
  out += diagnostic.message;
  out += '\n';
  if (!diagnostic.source_line.empty() && diagnostic.place.line != 0) {
    append_excerpt(out, diagnostic);
  }
  if (!diagnostic.hint.empty()) {
    out += "  hint: ";
    out += diagnostic.hint;
    out += '\n';
  }
  return out;
}

std::string render_short(Diagnostic const& diagnostic) {
  std::string out;
  append_place(out, diagnostic.place);
  append_severity(out, diagnostic.severity);
  out += diagnostic.message;
  if (!diagnostic.hint.empty()) {
    out += " (";
    out += diagnostic.hint;
    out += ')';
  }
  for (char& c : out) {
    if (is_control(c)) c = ' ';
  }
  return out;
}

void Diagnostics::add_all(Diagnostics other) {
  items_.insert(items_.end(), std::make_move_iterator(other.items_.begin()),
                std::make_move_iterator(other.items_.end()));
}

bool Diagnostics::has_errors() const {
  return std::any_of(items_.begin(), items_.end(), [](Diagnostic const& diagnostic) {
    return diagnostic.severity == Severity::error;
  });
}

void Diagnostics::sort() {
  auto const place_before = [](Diagnostic const& left, Diagnostic const& right) {
    return std::tie(left.place.file, left.place.line, left.place.column) <
           std::tie(right.place.file, right.place.line, right.place.column);
  };
  std::stable_sort(items_.begin(), items_.end(), place_before);
  std::vector<Diagnostic> kept;
  kept.reserve(items_.size());
  std::set<std::pair<Severity, std::string>> said;  // of the place of kept.back()
  for (auto& item : items_) {
    if (!kept.empty() && place_before(kept.back(), item)) said.clear();
    if (said.emplace(item.severity, item.message).second) kept.push_back(std::move(item));
  }
  items_ = std::move(kept);
}

std::string render(Diagnostics const& diagnostics) {
  std::string out;
  for (Diagnostic const& diagnostic : diagnostics) out += render(diagnostic);
  return out;
}

std::string_view nearest(std::string_view word, std::vector<std::string_view> const& candidates) {
  if (word.size() > max_compared_word) return {};
  std::string_view best;
  std::size_t best_distance = max_compared_word;
  std::vector<std::size_t> rows;
  for (std::string_view const candidate : candidates) {
    std::size_t const longer = std::max(word.size(), candidate.size());
    if (longer > max_compared_word) continue;
    std::size_t const allowed = std::clamp<std::size_t>(longer / 3, 1, 4);
    std::size_t const distance = edit_distance(word, candidate, rows);
    // One edit away from a word of one letter is any letter: that is no hint.
    if (distance > allowed || distance >= longer || distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

}  // namespace certgate
