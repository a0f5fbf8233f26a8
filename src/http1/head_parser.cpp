// One pass over names and values, eight bytes at a time.
#include "head_parser.hpp"

#include <array>

#include "certgate/http/byte_scan.hpp"

namespace certgate::http1 {
namespace {

// What a byte may be part of.
enum : std::uint8_t { name_byte = 1, underscore_byte = 2, target_byte = 4 };

constexpr auto byte_classes = [] {
  std::array<std::uint8_t, 256> table{};
  auto const add = [&table](unsigned char byte, unsigned byte_class) {
    table[byte] = static_cast<std::uint8_t>(table[byte] | byte_class);
  };
  for (unsigned char c = '0'; c <= '9'; ++c) add(c, name_byte);
  for (unsigned char c = 'a'; c <= 'z'; ++c) add(c, name_byte);
  for (unsigned char c = 'A'; c <= 'Z'; ++c) add(c, name_byte);
  // RFC 9110 §5.6.2: tchar.
  for (unsigned char const c : std::string_view("!#$%&'*+-.^_`|~")) add(c, name_byte);
  add('_', underscore_byte);
  // What no target may hold is refused here; http::parse_target() is stricter still.
  for (unsigned c = 0x21; c < 256; ++c) {
    if (c != 0x7F) add(static_cast<unsigned char>(c), target_byte);
  }
  return table;
}();

unsigned class_of_byte(char c) { return byte_classes[static_cast<unsigned char>(c)]; }

// The end of a name's bytes. Most names are letters, digits and hyphens throughout; what else a
// token may hold is looked up.
char const* end_of_name(char const* at, char const* end, unsigned& classes) {
  at = http::find_odd_in_name(at, end);
  for (unsigned one; ((one = class_of_byte(*at)) & name_byte) != 0; ++at) classes |= one;
  return at;
}

// The first control character other than HTAB. REQUIRES: there is one before `end`.
char const* find_bad_or_end(char const* at, char const* end) {
  at = http::find_control(at, end);
  while (*at == '\t') at = http::find_control(at + 1, end);
  return at;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view between(char const* begin, char const* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

bool at_line_end(char const* at) { return at[0] == '\r' && at[1] == '\n'; }

// RFC 9112 §2.3, and only 1.0 and 1.1. REQUIRES: at least 8 bytes.
bool parse_version(char const* at, http::Version& version) {
  if (between(at, at + 7) != "HTTP/1." || (at[7] != '0' && at[7] != '1')) return false;
  version = at[7] == '0' ? http::Version::http_1_0 : http::Version::http_1_1;
  return true;
}

// RFC 9110 §7.6.1: #connection-option, each a token. Anything else leaves open what the sender
// meant to say about the connection.
bool is_token_list(std::string_view value) {
  http::ListReader members(value);
  while (auto const member = members.next()) {
    if (!http::is_token(*member)) return false;
  }
  return true;
}

// RFC 9112 §5: field-line = field-name ":" OWS field-value OWS. `next` becomes the next line's
// beginning.
Flaw parse_field_line(char const* at, char const* end, FieldLines& lines, char const*& next) {
  auto const* const name_begin = at;
  unsigned classes = 0;
  at = end_of_name(at, end, classes);
  auto const name = between(name_begin, at);
  if (name.empty() && *at == '\r') return Flaw::bare_cr;
  if (name.empty() || *at != ':') return Flaw::bad_name;

  do ++at;
  while (is_blank(*at));
  auto const* const value_begin = at;
  at = find_bad_or_end(at, end);
  if (*at != '\r') return Flaw::bad_value;
  if (at[1] != '\n') return Flaw::bare_cr;
  auto const* value_end = at;
  while (value_end != value_begin && is_blank(value_end[-1])) --value_end;
  auto const value = between(value_begin, value_end);
  next = at + 2;

  if ((classes & underscore_byte) != 0 && lines.underscores == Underscores::drop) {
    ++lines.dropped;
    return Flaw::none;
  }
  if (lines.count == lines.slots.size()) return Flaw::too_many_fields;
  auto const id = http::field_name(name);
  if (id == http::FieldName::connection || id == http::FieldName::proxy_connection) {
    if (!is_token_list(value)) return Flaw::bad_value;
  }
  // Member by member: a whole one would be put together elsewhere and copied.
  auto& field = lines.slots[lines.count++];
  field.name = name;
  field.value = value;
  field.id = id;
  return Flaw::none;
}

// Everything up to and with the empty line.
Flaw parse_field_lines(char const* at, char const* end, FieldLines& lines) {
  while (!at_line_end(at)) {
    auto const flaw = parse_field_line(at, end, lines, at);
    if (flaw != Flaw::none) return flaw;
  }
  return Flaw::none;
}

}  // namespace

std::string_view name_of(Flaw flaw) {
  switch (flaw) {
    case Flaw::none: return "";
    case Flaw::bad_method: return "bad_method";
    case Flaw::bad_target: return "bad_target_character";
    case Flaw::bad_version: return "bad_version";
    case Flaw::bad_status: return "bad_status";
    case Flaw::bad_reason: return "bad_reason";
    case Flaw::bare_cr: return "bare_cr";
    case Flaw::bad_name: return "bad_field_name";
    case Flaw::bad_value: return "bad_field_value";
    case Flaw::too_many_fields: return "too_many_fields";
  }
  return "";
}

// RFC 9112 §3: request-line = method SP request-target SP HTTP-version
Flaw parse_request_head(std::string_view block, http::RequestHead& head, FieldLines& lines) {
  auto const* at = block.data();
  auto const* const end = at + block.size();
  while ((class_of_byte(*at) & name_byte) != 0) ++at;
  head.method = between(block.data(), at);
  if (head.method.empty() || *at != ' ') return Flaw::bad_method;

  auto const* const target = ++at;
  while ((class_of_byte(*at) & target_byte) != 0) ++at;
  head.target = between(target, at);
  if (head.target.empty() || *at != ' ') return Flaw::bad_target;

  ++at;
  if (end - at < 10 || !parse_version(at, head.version)) return Flaw::bad_version;
  at += 8;
  if (!at_line_end(at)) return Flaw::bad_version;
  auto const flaw = parse_field_lines(at + 2, end, lines);
  head.fields = lines.slots.first(lines.count);
  head.dropped_fields = lines.dropped;
  head.block = block;
  return flaw;
}

// RFC 9112 §4: status-line = HTTP-version SP status-code SP [ reason-phrase ]
Flaw parse_response_head(std::string_view block, http::ResponseHead& head, FieldLines& lines) {
  auto const* at = block.data();
  auto const* const end = at + block.size();
  constexpr std::ptrdiff_t shortest = 13;  // as far as the status may be looked for
  if (end - at < shortest || !parse_version(at, head.version) || at[8] != ' ') {
    return Flaw::bad_version;
  }
  at += 9;
  head.status = 0;
  for (int i = 0; i < 3; ++i, ++at) {
    if (*at < '0' || *at > '9') return Flaw::bad_status;
    head.status = head.status * 10 + (*at - '0');
  }
  if (*at != ' ') return Flaw::bad_status;

  auto const* const reason = ++at;
  at = find_bad_or_end(at, end);
  if (*at != '\r') return Flaw::bad_reason;
  if (at[1] != '\n') return Flaw::bare_cr;
  head.reason = between(reason, at);
  auto const flaw = parse_field_lines(at + 2, end, lines);
  head.fields = lines.slots.first(lines.count);
  head.block = block;
  return flaw;
}

}  // namespace certgate::http1
