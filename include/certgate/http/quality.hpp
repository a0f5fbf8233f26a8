// Lists with quality values: Accept, Accept-Language and the like.
//
// See: RFC 9110 §12.4.2.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "certgate/http/message.hpp"

namespace certgate::http {

struct WeightedItem {
  std::string_view value;  // without parameters
  int thousandths = 1000;  // q=0.5 is 500
};

// Members in order; a malformed weight counts as 0.
class WeightedReader {
 public:
  explicit WeightedReader(std::string_view value) : list_(value) {}
  std::optional<WeightedItem> next();

 private:
  ListReader list_;
};

// By descending weight, stable; `*` and members of weight 0 are left out.
std::vector<std::string_view> accepted_languages(Fields fields);

}  // namespace certgate::http
