// Where a setting was written, so that every later stage can point at it.
//
// A Mark is 16 bytes and refers to a SourceText that the Config owns (Config::sources); it is valid
// as long as any copy of that Config lives. A default has no place: written() is false.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "certgate/base/diagnostic.hpp"

namespace certgate::config {

class Mark {
 public:
  Mark() = default;
  Mark(SourceText const& source, std::size_t offset, std::size_t length)
      : source_(&source),
        offset_(static_cast<std::uint32_t>(offset)),
        length_(static_cast<std::uint32_t>(length)) {}

  bool written() const { return source_ != nullptr; }
  SourceText const* source() const { return source_; }
  std::size_t offset() const { return offset_; }
  std::size_t length() const { return length_; }
  // Line and column; a Place without file and line when nothing was written.
  Place place() const;
  // A diagnostic with the source line and carets under what was written here.
  Diagnostic diagnostic(std::string message, std::string hint = {},
                        Severity severity = Severity::error) const;

 private:
  SourceText const* source_ = nullptr;
  std::uint32_t offset_ = 0;
  std::uint32_t length_ = 0;
};

// A value, and where it was written if it was.
template <class T>
struct Setting {
  T value{};
  Mark mark;

  Setting() = default;
  Setting(T initial) : value(std::move(initial)) {}
  Setting(T initial, Mark where) : value(std::move(initial)), mark(where) {}
  T const& operator*() const { return value; }
  T const* operator->() const { return &value; }
  // The values are compared; where they were written does not matter.
  friend bool operator==(Setting const& a, Setting const& b) { return a.value == b.value; }
};

// A path as it was written, and resolved against the folder of the file that names it.
struct FilePath {
  std::string written;
  std::string resolved;
  Mark mark;
  bool empty() const { return written.empty(); }
  friend bool operator==(FilePath const& a, FilePath const& b) { return a.resolved == b.resolved; }
};

}  // namespace certgate::config
