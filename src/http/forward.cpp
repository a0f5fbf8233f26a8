// Writes heads in one pass; field lines that stay are copied in runs.
#include "certgate/http/forward.hpp"

#include "certgate/base/encoding.hpp"
#include "certgate/http/byte_scan.hpp"
#include "certgate/http/hop_by_hop.hpp"
#include "forwarded_lines.hpp"

namespace certgate::http {
namespace {

// Written anew whatever was received.
bool is_replaced(FieldName id) {
  switch (id) {
    case FieldName::host:
    case FieldName::content_length:
    case FieldName::expect:
    case FieldName::x_forwarded_for:
    case FieldName::x_forwarded_host:
    case FieldName::x_forwarded_port:
    case FieldName::x_forwarded_proto:
    case FieldName::x_forwarded_server:
    case FieldName::x_real_ip:
    case FieldName::forwarded:
      return true;
    default:
      return is_hop_by_hop(id);
  }
}

// `%` stays: who made the value has escaped what had to be.
void write_field_value(Cursor& out, std::string_view value) {
  while (!value.empty()) {
    auto const* const stop = find_not_printable(value.data(), value.data() + value.size());
    auto const safe = static_cast<std::size_t>(stop - value.data());
    out.put(value.substr(0, safe));
    if (safe == value.size()) return;
    write_field_text(out, value.substr(safe, 1));
    value.remove_prefix(safe + 1);
  }
}

std::size_t fields_bound(Fields fields) {
  std::size_t bytes = 0;
  for (auto const& field : fields) bytes += field.name.size() + field.value.size() + 4;
  return bytes;
}

// Copies the fields that stay. Lines that stand in the head's block as `Name: value CRLF` and
// follow each other are one copy; any other field is put together anew.
class FieldCopier {
 public:
  FieldCopier(Cursor& out, std::string_view block) : out_(out), in_block_(!block.empty()) {}

  void copy(Field const& field) {
    char const* const name_end = field.name.data() + field.name.size();
    char const* const value_end = field.value.data() + field.value.size();
    if (in_block_ && field.value.data() == name_end + 2 && name_end[1] == ' ' &&
        *value_end == '\r') {
      if (field.name.data() != run_end_) {
        flush();
        run_begin_ = field.name.data();
      }
      run_end_ = value_end + 2;
      return;
    }
    flush();
    out_.put(field.name);
    out_.put(": ");
    out_.put(field.value);
    out_.put("\r\n");
  }

  void flush() {
    if (run_begin_ == nullptr) return;
    out_.put(run_begin_, static_cast<std::size_t>(run_end_ - run_begin_));
    run_begin_ = run_end_ = nullptr;
  }

 private:
  Cursor& out_;
  bool in_block_;
  char const* run_begin_ = nullptr;
  char const* run_end_ = nullptr;
};

void write_line(Cursor& out, std::string_view name, std::string_view value) {
  out.put(name);
  out.put(value);
  out.put("\r\n");
}

void write_length(Cursor& out, std::uint64_t length) {
  out.put("Content-Length: ");
  out.put_number(length);
  out.put("\r\n");
}

constexpr std::string_view chunked_line = "Transfer-Encoding: chunked\r\n";
constexpr std::string_view websocket_lines = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

void write_request_framing(Cursor& out, RequestHead const& head, RequestFraming const& framing) {
  if (framing.upgrade == Upgrade::websocket) out.put(websocket_lines);
  switch (framing.body.kind) {
    case BodyKind::chunked:
      out.put(chunked_line);
      break;
    case BodyKind::length:
      write_length(out, framing.body.length);
      break;
    default:
      // RFC 9110 §8.6: "A user agent SHOULD send Content-Length in a request when the method
      // defines a meaning for enclosed content and it is not sending Transfer-Encoding."
      if (head.method == "POST" || head.method == "PUT" || head.method == "PATCH") {
        write_length(out, 0);
      }
  }
}

}  // namespace

bool ForwardingPolicy::may_configure(std::string_view name) {
  if (!is_token(name) || is_framing_alias(name)) return false;
  auto const id = field_name(name);
  return id != FieldName::host && id != FieldName::content_length && id != FieldName::expect &&
         !is_hop_by_hop(id);
}

ForwardingPolicy::ForwardingPolicy(Settings settings)
    : settings_(std::move(settings)), withheld_(ProtectedFields::identity()) {
  for (auto const& name : settings_.set_names) {
    bool const allowed = may_configure(name);
    set_lines_.push_back(allowed ? name + ": " : std::string{});
    if (allowed) take_over(name);
  }
  for (auto const& name : settings_.remove) {
    if (may_configure(name)) take_over(name);
  }
  for (std::size_t i = 1; i < field_name_count; ++i) {
    auto const id = static_cast<FieldName>(i);
    drop_[i] = is_replaced(id) || withheld_.matches(name_of(id));
  }
  if (settings_.request_id) drop_.set(static_cast<std::size_t>(FieldName::x_request_id));
  if (!settings_.via.empty()) drop_.set(static_cast<std::size_t>(FieldName::via));
}

// From now on only the configuration says what the origin gets under this name.
void ForwardingPolicy::take_over(std::string_view name) {
  withheld_.add(name);
  auto const canonical = canonical_field_name(name);
  if (canonical == "x-forwarded-for") settings_.x_forwarded_for = false;
  if (canonical == "x-forwarded-proto") settings_.x_forwarded_proto = false;
  if (canonical == "x-forwarded-host") settings_.x_forwarded_host = false;
  if (canonical == "forwarded") settings_.forwarded = false;
  if (canonical == "via") settings_.via.clear();
  if (canonical == "x-request-id") settings_.request_id = false;
}

bool ForwardingPolicy::drops_other(std::string_view name) const {
  return withheld_.matches(name) || is_framing_alias(name);
}

void append_request_head(std::string& out, RequestHead const& head, RequestFraming const& framing,
                         ForwardingPolicy const& policy, ForwardValues const& values) {
  auto const& settings = policy.settings();
  auto const set_lines = policy.set_lines();
  std::size_t bound =
      head.method.size() + values.origin_form.size() + fields_bound(head.fields) +
      forwarded_for_bound(values.client_ip.size()) +
      forwarded_bound(values.client_ip.size(), values.host.size(), values.scheme.size()) +
      via_bound(settings.via.size()) + values.identity.size() + values.scheme.size() +
      values.host.size() + values.request_id.size() + 256;
  for (std::size_t i = 0; i < set_lines.size() && i < values.set_values.size(); ++i) {
    bound += set_lines[i].size() + 3 * values.set_values[i].size() + 2;
  }

  Cursor cursor(out, bound);
  cursor.put(head.method);
  cursor.put(' ');
  cursor.put(values.origin_form);
  cursor.put(" HTTP/1.1\r\n");

  NominatedFields const nominated(head.fields);
  FieldCopier copier(cursor, head.block);
  if (nominated.empty()) {
    for (auto const& field : head.fields) {
      if (!policy.drops(field)) copier.copy(field);
    }
  } else {
    for (auto const& field : head.fields) {
      if (!policy.drops(field) && !nominated.removes(field)) copier.copy(field);
    }
  }
  copier.flush();

  write_request_framing(cursor, head, framing);
  if (settings.x_forwarded_for) write_x_forwarded_for(cursor, head.fields, values.client_ip);
  if (settings.x_forwarded_proto) write_line(cursor, "X-Forwarded-Proto: ", values.scheme);
  if (settings.x_forwarded_host && !values.host.empty()) {
    write_line(cursor, "X-Forwarded-Host: ", values.host);
  }
  if (settings.forwarded) {
    write_forwarded(cursor, head.fields, values.client_ip, values.host, values.scheme);
  }
  if (!settings.via.empty()) write_via(cursor, head.fields, head.version, settings.via);
  if (settings.request_id) write_line(cursor, "X-Request-Id: ", values.request_id);
  cursor.put(values.identity);
  for (std::size_t i = 0; i < set_lines.size() && i < values.set_values.size(); ++i) {
    if (set_lines[i].empty() || values.set_values[i].empty()) continue;
    cursor.put(set_lines[i]);
    write_field_value(cursor, values.set_values[i]);
    cursor.put("\r\n");
  }
  cursor.finish();
}

void append_host(std::string& out, std::string_view host) {
  out += "Host: ";
  out += host;
  out += "\r\n\r\n";
}

BodyFraming client_framing(ResponseFraming const& origin, Version client_version,
                           Persistence& persistence) {
  auto body = origin.body;
  if (client_version == Version::http_1_0) {
    // RFC 9112 §6.1: "A server MUST NOT send a response containing Transfer-Encoding unless the
    // corresponding request indicates HTTP/1.1 (or later minor revisions)."
    if (body.kind == BodyKind::chunked) body.kind = BodyKind::until_close;
    if (body.kind == BodyKind::until_close) persistence = Persistence::close;
  } else if (body.kind == BodyKind::until_close) {
    // So that the client can tell a complete body from a torn one.
    body.kind = BodyKind::chunked;
  }
  return body;
}

void append_response_head(std::string& out, ResponseHead const& head,
                          ResponseValues const& values) {
  Cursor cursor(out, head.reason.size() + fields_bound(head.fields) + values.extra.size() +
                         via_bound(values.via.size()) + 192);
  cursor.put("HTTP/1.1 ");
  cursor.put_number(static_cast<std::uint64_t>(head.status));
  cursor.put(' ');
  cursor.put(head.reason);
  cursor.put("\r\n");

  NominatedFields const nominated(head.fields);
  FieldCopier copier(cursor, head.block);
  for (auto const& field : head.fields) {
    if (is_hop_by_hop(field.id) || field.id == FieldName::content_length) continue;
    if (field.id == FieldName::via && !values.via.empty()) continue;
    if (field.id == FieldName::other &&
        (is_framing_alias(field.name) || nominated.removes(field))) {
      continue;
    }
    copier.copy(field);
  }
  copier.flush();

  if (!values.via.empty()) write_via(cursor, head.fields, head.version, values.via);
  cursor.put(values.extra);
  if (values.upgrade == Upgrade::websocket && head.status == 101) {
    cursor.put(websocket_lines);
  } else if (head.status >= 200) {
    switch (values.body.kind) {
      case BodyKind::chunked:
        cursor.put(chunked_line);
        break;
      case BodyKind::length:
        write_length(cursor, values.body.length);
        break;
      case BodyKind::none:
        if (values.announced_length) write_length(cursor, *values.announced_length);
        break;
      case BodyKind::until_close:
        break;
    }
    if (values.persistence == Persistence::close) {
      cursor.put("Connection: close\r\n");
    } else if (values.client_version == Version::http_1_0) {
      cursor.put("Connection: keep-alive\r\n");
    }
  }
  cursor.put("\r\n");
  cursor.finish();
}

}  // namespace certgate::http
