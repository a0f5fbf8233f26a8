// The lists that every proxy on the way appends to.
#include "certgate/http/forwarded.hpp"

#include "forwarded_lines.hpp"

namespace certgate::http {
namespace {

// `Name: ` and every received member, ready for one more.
void begin_list(Cursor& out, std::string_view name, Fields received, FieldName id) {
  out.put(name);
  for (auto const& field : received) {
    if (field.id != id || field.value.empty()) continue;
    out.put(field.value);
    out.put(", ");
  }
}

std::size_t received_bytes(Fields received) {
  std::size_t bytes = 0;
  for (auto const& field : received) bytes += field.value.size() + 4;
  return bytes;
}

// RFC 7239 §4: a value that is no token is quoted.
void write_quoted(Cursor& out, std::string_view text) {
  if (is_token(text)) {
    out.put(text);
    return;
  }
  out.put('"');
  for (char const c : text) {
    if (c == '"' || c == '\\') out.put('\\');
    out.put(c);
  }
  out.put('"');
}

}  // namespace

void write_x_forwarded_for(Cursor& out, Fields received, std::string_view client_ip) {
  begin_list(out, "X-Forwarded-For: ", received, FieldName::x_forwarded_for);
  out.put(client_ip);
  out.put("\r\n");
}

void write_forwarded(Cursor& out, Fields received, std::string_view client_ip,
                     std::string_view host, std::string_view scheme) {
  begin_list(out, "Forwarded: ", received, FieldName::forwarded);
  // RFC 7239 §6: "an IPv6 address is always enclosed in square brackets", and a colon needs quotes.
  bool const v6 = client_ip.find(':') != std::string_view::npos;
  out.put(v6 ? "for=\"[" : "for=");
  out.put(client_ip);
  if (v6) out.put("]\"");
  if (!host.empty()) {
    out.put(";host=");
    write_quoted(out, host);
  }
  out.put(";proto=");
  out.put(scheme);
  out.put("\r\n");
}

void write_via(Cursor& out, Fields received, Version received_version, std::string_view pseudonym) {
  begin_list(out, "Via: ", received, FieldName::via);
  // RFC 9110 §7.6.3: "the protocol-name can be omitted by the sender when the received protocol is
  // HTTP."
  switch (received_version) {
    case Version::http_1_0:
      out.put("1.0 ");
      break;
    case Version::http_1_1:
      out.put("1.1 ");
      break;
    case Version::http_2:
      out.put("2 ");
      break;
  }
  out.put(pseudonym);
  out.put("\r\n");
}

void append_x_forwarded_for(std::string& out, Fields received, std::string_view client_ip) {
  Cursor cursor(out, received_bytes(received) + forwarded_for_bound(client_ip.size()));
  write_x_forwarded_for(cursor, received, client_ip);
  cursor.finish();
}

void append_forwarded(std::string& out, Fields received, std::string_view client_ip,
                      std::string_view host, std::string_view scheme) {
  Cursor cursor(out, received_bytes(received) +
                         forwarded_bound(client_ip.size(), host.size(), scheme.size()));
  write_forwarded(cursor, received, client_ip, host, scheme);
  cursor.finish();
}

void append_via(std::string& out, Fields received, Version received_version,
                std::string_view pseudonym) {
  Cursor cursor(out, received_bytes(received) + via_bound(pseudonym.size()));
  write_via(cursor, received, received_version, pseudonym);
  cursor.finish();
}

}  // namespace certgate::http
