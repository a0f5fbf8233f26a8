// Makes the values of the fields http.request.body.*.
#pragma once

#include <optional>
#include <span>

#include "certgate/policy/facts.hpp"
#include "maps.hpp"
#include "multipart.hpp"

namespace certgate::policy {

class BodyValues {
 public:
  BodyValues(Facts const& facts, Maps& maps) : facts_(facts), maps_(maps) {}

  // REQUIRES: is_body_field(). Missing when is_unknown() or when the maps are exhausted.
  rules::ValueView value_of(Field field);
  // A value was asked for that cannot be told for certain: the request must be refused.
  bool is_unknown() const { return is_unknown_; }

 private:
  bool is(BodyType::Kind kind);
  std::string_view form();
  std::span<Part const> parts();
  rules::ValueView contents();
  rules::ValueView contents_by_name();
  // Array<Array<Bytes>>: for each part what `for_each(part, take)` finds in it.
  template <class ForEach>
  rules::ValueView lists(ForEach for_each);
  rules::ValueView fields_called(std::string_view name);
  rules::ValueView text_of(Parameter const& parameter);

  Facts const& facts_;
  Maps& maps_;
  std::optional<BodyType> type_;
  std::span<Part const> parts_;
  bool has_parts_ = false;
  bool is_unknown_ = false;
};

}  // namespace certgate::policy
