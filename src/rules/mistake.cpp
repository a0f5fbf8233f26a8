#include "certgate/rules/mistake.hpp"

#include <algorithm>

namespace certgate::rules {

bool has_errors(Mistakes const& mistakes) {
  return std::any_of(mistakes.begin(), mistakes.end(),
                     [](Mistake const& each) { return each.severity == Severity::error; });
}

Diagnostics to_diagnostics(Mistakes const& mistakes, SourceText const& source, std::size_t base) {
  Diagnostics diagnostics;
  for (auto const& each : mistakes) {
    diagnostics.add(make_diagnostic(source, base + each.span.offset,
                                    std::max<std::size_t>(1, each.span.length), each.message,
                                    each.hint, each.severity));
  }
  return diagnostics;
}

}  // namespace certgate::rules
