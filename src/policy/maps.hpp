// Builds the arrays, maps and joined texts that rules see, in one request's arena.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>

#include "certgate/http/message.hpp"
#include "certgate/rules/arena.hpp"
#include "certgate/rules/value.hpp"

namespace certgate::policy {

// Every value points into the arena or at what the argument points at. When the arena is used up,
// values are missing and exhausted() is true.
class Maps {
 public:
  explicit Maps(rules::Arena& arena) : arena_(arena) {}
  bool exhausted() const { return exhausted_; }

  rules::ValueView joined(std::initializer_list<std::string_view> parts);
  rules::ValueView lowered(std::string_view text);

  // Map<Array<Bytes>>, Array<Bytes>: of a query, undecoded, in order.
  rules::ValueView arguments(std::string_view query);
  rules::ValueView argument_names(std::string_view query);
  rules::ValueView argument_values(std::string_view query);

  // Of header fields, without those that speak of the client's identity: certgate removes them
  // before anything is decided (http/protected_fields.hpp).
  rules::ValueView headers(http::Fields fields);
  rules::ValueView header_names(http::Fields fields);
  rules::ValueView header_values(http::Fields fields);

  // The values of every field `id`, with `separator` in between; "" when there is none.
  rules::ValueView combined(http::Fields fields, http::FieldName id, std::string_view separator);
  rules::ValueView cookies(http::Fields fields);
  rules::ValueView accepted_languages(http::Fields fields);

  // RFC 9110 §5.6.4: `\"` and `\\` without their backslash. Others stay: browsers send paths with
  // them.
  std::string_view unescaped(std::string_view text);

  struct Pair {
    std::string_view key;
    rules::ValueView value;
    std::uint32_t order;
  };
  // Map<Array<...>>: groups by key, keys in the order in which they first appear. Sorts `pairs`.
  rules::ValueView grouped(std::span<Pair> pairs);
  // Null when the arena is used up.
  template <class T>
  T* allocate(std::size_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (exhausted_) return nullptr;
    T* const memory = arena_.allocate_array<T>(count == 0 ? 1 : count);
    if (memory == nullptr) exhausted_ = true;
    return memory;
  }

 private:
  char* copy_lowered(std::string_view text);
  std::string_view percent_decoded(std::string_view text);

  rules::Arena& arena_;
  bool exhausted_ = false;
};

}  // namespace certgate::policy
