// Connection options, and the fields they name.
#include "certgate/http/hop_by_hop.hpp"

#include "certgate/base/encoding.hpp"

namespace certgate::http {
namespace {

// An option that can take a field away: close, keep-alive and upgrade are no such names, and fields
// that certgate knows are either removed anyway or end to end. RFC 9110 §7.6.1: "A sender MUST NOT
// send a connection option corresponding to a field that is intended for all recipients of the
// content."
bool may_remove(std::string_view option) {
  return field_name(option) == FieldName::other && !ascii_iequal(option, "close");
}

}  // namespace

NominatedFields::NominatedFields(Fields fields) : fields_(fields) {
  for (auto const& field : fields) {
    if (field.id != FieldName::connection) continue;
    ListReader list(field.value);
    while (auto const option = list.next()) {
      if (may_remove(*option)) {
        any_ = true;
        return;
      }
    }
  }
}

bool NominatedFields::removes(Field const& field) const {
  if (!any_ || field.id != FieldName::other) return false;
  for (auto const& connection : fields_) {
    if (connection.id != FieldName::connection) continue;
    ListReader list(connection.value);
    while (auto const option = list.next()) {
      if (ascii_iequal(*option, field.name)) return true;
    }
  }
  return false;
}

}  // namespace certgate::http
