// What is wrong with an expression or a list, by byte offset, so that the embedder can place it.
//
// The engine does not know in which file an expression stands, nor how YAML folded it: it reports
// offsets into the text it was given, and whoever embeds it translates.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/diagnostic.hpp"

namespace certgate::rules {

// A stretch of the expression's text, in bytes.
struct Span {
  std::size_t offset = 0;
  std::size_t length = 0;
  std::size_t end() const { return offset + length; }
  friend bool operator==(Span, Span) = default;
};

// From the start of `first` to the end of `last`.
inline Span joined(Span first, Span last) { return {first.offset, last.end() - first.offset}; }

struct Mistake {
  Span span;
  std::string message;  // one sentence without a full stop
  std::string hint;     // how to mend it; may be empty
  Severity severity = Severity::error;
};

// In the order of their places.
using Mistakes = std::vector<Mistake>;

bool has_errors(Mistakes const& mistakes);

// For an expression that is the whole of `source`, or stands in it verbatim from `base` on.
Diagnostics to_diagnostics(Mistakes const& mistakes, SourceText const& source,
                           std::size_t base = 0);

}  // namespace certgate::rules
