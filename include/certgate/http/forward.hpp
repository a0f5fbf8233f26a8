// THE functions that write what certgate sends on: the request head for the origin, the response
// head for the client.
//
// One pass over the received fields, appending contiguous bytes to the caller's string: hop-by-hop
// fields, fields named by Connection, identity and configured fields in every spelling, Expect, TE,
// Trailer, Host, Content-Length and Transfer-Encoding are left out; what replaces them is written
// by certgate. Field lines that stay are copied in runs, so a usual request costs a few copies.
//
// Reused strings keep their capacity: no allocation in the steady state.
//
// See: RFC 9110 §7.6, RFC 9112 §6 (framing is written anew, canonically).
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/http/framing.hpp"
#include "certgate/http/message.hpp"
#include "certgate/http/protected_fields.hpp"

namespace certgate::http {

// What is the same for every request of a host and origin. Built once; any thread may use it.
class ForwardingPolicy {
 public:
  struct Settings {
    std::vector<std::string> set_names;  // request_headers.set, in the order values are passed
    std::vector<std::string> remove;     // request_headers.remove
    // What certgate tells by itself; a name that is set or removed above is not told as well.
    bool x_forwarded_for = true;
    bool x_forwarded_proto = true;
    bool x_forwarded_host = true;
    bool forwarded = true;         // Forwarded (RFC 7239)
    std::string via = "certgate";  // RFC 9110 §7.6.3 pseudonym; empty: no Via
    bool request_id = true;        // X-Request-Id
  };
  ForwardingPolicy() : ForwardingPolicy(Settings{}) {}
  explicit ForwardingPolicy(Settings settings);

  // False for what certgate itself writes to frame and route a message (Host, Content-Length,
  // Connection …): no configuration may set or remove those, and set_names that try are ignored.
  static bool may_configure(std::string_view name);

  // As given, less what a set or removed name stands for.
  Settings const& settings() const { return settings_; }
  // `Name: ` for each set name, in order; empty for an ignored one.
  std::span<std::string const> set_lines() const { return set_lines_; }
  // What the client may not send: identity, set and removed names.
  ProtectedFields const& withheld() const { return withheld_; }
  bool drops(Field const& field) const {
    return field.id == FieldName::other ? drops_other(field.name)
                                        : drop_[static_cast<std::size_t>(field.id)];
  }

 private:
  bool drops_other(std::string_view name) const;
  void take_over(std::string_view name);

  Settings settings_;
  std::vector<std::string> set_lines_;
  ProtectedFields withheld_;
  std::bitset<field_name_count> drop_;
};

// What differs from request to request.
struct ForwardValues {
  std::string_view origin_form;  // Target::origin_form, or Target::raw when told so
  std::string_view client_ip;    // without brackets or port
  std::string_view scheme = "https";
  std::string_view host;  // as the client sent it (Authority text), for X-Forwarded-Host
  std::string_view request_id;
  std::string_view identity;  // whole lines from client_cert_header.hpp; may be empty
  // Parallel to Settings::set_names; an empty value leaves the field out. Bytes that may not stand
  // in a field are written as %XX.
  std::span<std::string_view const> set_values;
};

// Request line and fields, each line with its CRLF: everything but the Host line and the empty
// line. The caller ends the head with append_host() once the server is known.
void append_request_head(std::string& out, RequestHead const& head, RequestFraming const& framing,
                         ForwardingPolicy const& policy, ForwardValues const& values);

// `Host: …` and the empty line.
void append_host(std::string& out, std::string_view host);

// What the client-side response head says besides the origin's fields.
struct ResponseValues {
  Version client_version = Version::http_1_1;
  BodyFraming body;  // how the body goes to the client; see client_framing()
  // Sent as Content-Length where no body follows (HEAD, 304).
  std::optional<std::uint64_t> announced_length;
  Persistence persistence = Persistence::keep_alive;
  Upgrade upgrade = Upgrade::none;  // websocket: a 101 that starts a tunnel
  std::string_view extra;           // whole lines
  std::string_view via;             // pseudonym; empty: none
};

// How a response of that framing goes to a client of that version: chunked becomes until_close for
// HTTP/1.0, until_close becomes chunked for HTTP/1.1. `persistence` turns to close when it must.
BodyFraming client_framing(ResponseFraming const& origin, Version client_version,
                           Persistence& persistence);

// The whole head, empty line included.
void append_response_head(std::string& out, ResponseHead const& head, ResponseValues const& values);

}  // namespace certgate::http
