// Builds the arrays, maps and joined texts that rules see, in one request's arena.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

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

 private:
  struct Pair {
    std::string_view key;
    rules::ValueView value;
    std::uint32_t order;
  };
  template <class T>
  T* allocate(std::size_t count);
  char* copy_lowered(std::string_view text);
  std::string_view percent_decoded(std::string_view text);
  // Groups by key, keys in the order in which they first appear. Sorts `pairs`.
  rules::ValueView grouped(std::span<Pair> pairs);

  rules::Arena& arena_;
  bool exhausted_ = false;
};

}  // namespace certgate::policy
