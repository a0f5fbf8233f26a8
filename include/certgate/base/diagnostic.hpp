// What a person wrote wrong: the place, what is the matter, and the way out.
//
// Collected, not thrown: a reader reports every mistake it can find in one go. Rendering is
// separate from finding, so that a diagnostic can be shown on a terminal, logged, or sent as JSON.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace certgate {

// A place in a text. Lines and columns count from 1, columns in bytes; 0 means "not known".
struct Place {
  std::string file;
  std::size_t line = 0;
  std::size_t column = 0;
};

enum class Severity { error, warning, note };

// The text of one file, kept so that a diagnostic can show the line it speaks of.
class SourceText {
 public:
  SourceText(std::string name, std::string text);
  std::string const& name() const { return name_; }
  std::string_view text() const { return text_; }
  // The line without its end; empty when there is no such line.
  std::string_view line(std::size_t number) const;
  // The place of a byte offset (text().size() is allowed: the end).
  Place place_of(std::size_t offset) const;

 private:
  std::string name_;
  std::string text_;
  std::vector<std::size_t> line_starts_;
};

struct Diagnostic {
  Severity severity = Severity::error;
  Place place;
  std::size_t length = 1;   // how many bytes of the line the carets cover; at least 1
  std::string message;      // what is wrong, one sentence without a full stop
  std::string hint;         // how to mend it; may be empty
  std::string source_line;  // the line at `place`, without its end; may be empty
};

// Fills `source_line` from the text and clips `length` to the line.
Diagnostic make_diagnostic(SourceText const& source, std::size_t offset, std::size_t length,
                           std::string message, std::string hint = {},
                           Severity severity = Severity::error);

// "file:line:column: message", the source line with carets, and "hint: ..." on lines of their own:
//
//   certgate.yaml:41:18: unknown field `cf.tls_client_auth.cert_serail`
//      41 |   expression: cf.tls_client_auth.cert_serail eq "0A"
//         |               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
//     hint: did you mean `cf.tls_client_auth.cert_serial`?
//
// A warning says "file:line:column: warning: message". Control characters in the line are shown as
// spaces. Ends with a newline.
std::string render(Diagnostic const& diagnostic);
// "file:line:column: message (hint)" on one line, for logs.
std::string render_short(Diagnostic const& diagnostic);

// Every mistake found, in the order of their places.
class Diagnostics {
 public:
  void add(Diagnostic diagnostic) { items_.push_back(std::move(diagnostic)); }
  void add_all(Diagnostics other);
  bool has_errors() const;
  bool empty() const { return items_.empty(); }
  std::size_t size() const { return items_.size(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }
  std::vector<Diagnostic>& items() { return items_; }
  std::vector<Diagnostic> const& items() const { return items_; }
  // Sorts by file, line and column, keeping equal places in order of arrival. What says the same of
  // the same place again is left out.
  void sort();

 private:
  std::vector<Diagnostic> items_;
};

std::string render(Diagnostics const& diagnostics);

// The candidate nearest to `word` by edit distance, or empty when none is close enough to be what
// was meant (distance above a third of the longer word, at least 1, at most 4).
std::string_view nearest(std::string_view word, std::vector<std::string_view> const& candidates);

}  // namespace certgate
