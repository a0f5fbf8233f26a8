// Which fields die at this hop because the sender's Connection field names them.
//
// Worked out on the fields as received, before certgate adds its own, and only for names that
// nothing depends on: a field that certgate knows as end to end (every other FieldName)
// cannot be named away (CVE-2022-31813, CVE-2024-45410).
//
// See: RFC 9110 §7.6.1.
#pragma once

#include <string_view>

#include "certgate/http/message.hpp"

namespace certgate::http {

class NominatedFields {
 public:
  explicit NominatedFields(Fields fields);
  // Nothing is nominated beyond what is_hop_by_hop() removes anyway: the usual case.
  bool empty() const { return !any_; }
  // REQUIRES: field is one of the fields given to the constructor.
  bool removes(Field const& field) const;

 private:
  Fields fields_;
  bool any_ = false;
};

}  // namespace certgate::http
