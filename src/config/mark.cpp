// Turns a mark back into line and column.
#include "certgate/config/mark.hpp"

namespace certgate::config {

Place Mark::place() const {
  if (source_ == nullptr) return {};
  return source_->place_of(offset_);
}

Diagnostic Mark::diagnostic(std::string message, std::string hint, Severity severity) const {
  if (source_ == nullptr) {
    Diagnostic nowhere;
    nowhere.severity = severity;
    nowhere.message = std::move(message);
    nowhere.hint = std::move(hint);
    return nowhere;
  }
  return make_diagnostic(*source_, offset_, length_, std::move(message), std::move(hint), severity);
}

}  // namespace certgate::config
