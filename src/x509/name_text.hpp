// A Name's attributes, and their text in each of the three forms.
#pragma once

#include <string>
#include <vector>

#include "certgate/base/encoding.hpp"
#include "certgate/x509/name.hpp"

namespace certgate::x509 {

struct NameAttribute {
  Bytes type;        // OID content
  std::uint8_t tag;  // of the value
  Bytes value;       // its content
  Bytes whole;       // the value with tag and length
  unsigned rdn;      // which relative distinguished name it belongs to
};

struct NameSigns {
  bool control_characters = false;
  bool malformed = false;     // bytes that are not valid in the value's own string type
  bool beyond_ascii = false;  // then, and only then, rfc2253 differs from rfc4514
};

// The attributes in certificate order, at most 1 for each 5 bytes; false when it is not a Name.
bool parse_name(Bytes name_der, std::vector<NameAttribute>& attributes);
NameSigns inspect_name(std::vector<NameAttribute> const& attributes);
void append_name(std::string& out, std::vector<NameAttribute> const& attributes, NameForm form);
// The value as UTF-8 without escapes; "" for a type that is not a string.
void append_plain_value(std::string& out, NameAttribute const& attribute);
// Whether `text` is UTF-8 without surrogates and overlong forms.
bool is_utf8(std::string_view text);

}  // namespace certgate::x509
