// Heads of requests and responses as views into the bytes that were read.
//
// Nothing is copied: method, target, names and values point into the connection's buffer and are
// valid as long as that buffer is neither moved nor overwritten. A head that was admitted
// (admission.hpp, framing.hpp) is well formed: names are tokens, values hold no control
// characters but HTAB and have no white space around them, and no name contains `_`.
//
// See: RFC 9110 §5 (fields), §6 (messages).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "certgate/http/field_name.hpp"

namespace certgate::http {

// One field line, in the sender's spelling.
struct Field {
  std::string_view name;
  std::string_view value;
  FieldName id = FieldName::other;  // == field_name(name)
};

using Fields = std::span<Field const>;

enum class Version : std::uint8_t { http_1_0, http_1_1, http_2 };
// "HTTP/1.0", "HTTP/1.1", "HTTP/2".
std::string_view format_version(Version version);

struct RequestHead {
  std::string_view method;
  std::string_view target;  // as received; parse_target() says what it means
  Version version = Version::http_1_1;
  Fields fields;
  unsigned dropped_fields = 0;  // names with `_`, as nginx does by default (threats: aliases)
  // The bytes of the whole head when every field is a line of it (HTTP/1); empty otherwise. Lets
  // lines be copied as they stand.
  std::string_view block;
};

struct ResponseHead {
  int status = 0;
  std::string_view reason;
  Version version = Version::http_1_1;
  Fields fields;
  std::string_view block;  // as in RequestHead
};

// Why a message is not accepted: the status for the client (502 when an origin is at fault) and a
// short token for the log. Reasons are string literals; they are not shown to the client.
struct Refusal {
  int status = 400;
  std::string_view reason;
  friend bool operator==(Refusal const&, Refusal const&) = default;
};

// The first field of that name; null when there is none.
Field const* find(Fields fields, FieldName id);
Field const* find(Fields fields, std::string_view name);  // case-insensitive
std::size_t count(Fields fields, FieldName id);
std::size_t count(Fields fields, std::string_view name);
// The first value; empty when the field is absent.
std::string_view value_of(Fields fields, FieldName id);

// RFC 9110 §5.6.2: tchar.
bool is_token(std::string_view text);
// Without SP and HTAB at both ends (RFC 9110 §5.6.3, OWS).
std::string_view trim(std::string_view text);

// The members of a comma-separated list (RFC 9110 §5.6.1), trimmed, empty ones left out. A comma
// within a quoted string does not separate.
class ListReader {
 public:
  explicit ListReader(std::string_view value) : rest_(value) {}
  std::optional<std::string_view> next();

 private:
  std::string_view rest_;
};

// Does any field `id` list `token` (compared without case)?
bool lists_token(Fields fields, FieldName id, std::string_view token);

// "OK" for 200; "" for a status that has no registered phrase (RFC 9110 §15).
std::string_view reason_phrase(int status);

}  // namespace certgate::http
