// Named sets for `in $name`: up to millions of entries, immutable, shared by every rule.
//
// A List is built once (a pure function over text or values) and may then be asked from any
// thread. A look-up is one hash (integers, strings, host names) or one table step and a short
// binary search (addresses), and never allocates.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "certgate/base/result.hpp"
#include "certgate/rules/mistake.hpp"
#include "certgate/rules/value.hpp"

namespace certgate::rules {

// host: names compared without case or trailing dot; "*.example.com" covers every name below
// example.com, but not example.com itself.
enum class ListKind { ip, integer, bytes, host };

// "ip", "integer", "string", "host name".
std::string_view name_of(ListKind kind);
// What a field must be to be compared with such a list: Ip, Int or Bytes.
Type type_of(ListKind kind);

class List {
 public:
  virtual ~List() = default;
  ListKind kind() const { return kind_; }
  // Entries as written, duplicates removed; for addresses: disjoint ranges.
  std::size_t size() const { return size_; }
  // False for a missing value. REQUIRES: value is missing or of type_of(kind()).
  virtual bool contains(ValueView const& value) const noexcept = 0;
  std::size_t memory_bytes() const { return memory_bytes_; }
  // The entries of a list of strings, one after the other in no order; none of other kinds.
  virtual void visit(std::function<void(std::string_view)> const&) const {}

 protected:
  explicit List(ListKind kind) : kind_(kind) {}
  std::size_t size_ = 0;
  std::size_t memory_bytes_ = 0;

 private:
  ListKind kind_;
};

using ListPtr = std::shared_ptr<List const>;

// One entry a line; blank lines are skipped; `#` starts a comment at the start of a line or after
// white space. Addresses: address, CIDR (host bits zero) or first..last; integers: number or
// first..last. Reports at most `max_mistakes`. Offsets are bytes of `text`.
Result<ListPtr, Mistakes> parse_list(ListKind kind, std::string_view text,
                                     std::size_t max_mistakes = 20);
// The entries of a list written in the configuration; a Mistake's span is {index of the entry,
// its whole length}, so that the caller can point at the entry.
Result<ListPtr, Mistakes> build_list(ListKind kind, std::span<std::string const> entries,
                                     std::size_t max_mistakes = 20);

}  // namespace certgate::rules
