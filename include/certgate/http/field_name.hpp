// Field names that certgate acts upon, as an enumeration: later stages switch instead of comparing.
//
// See: the IANA HTTP Field Name Registry.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace certgate::http {

// Sorted by what is done with them; `other` is every name not listed.
enum class FieldName : std::uint8_t {
  other,
  // Framing and routing.
  host,
  content_length,
  transfer_encoding,
  connection,
  expect,
  upgrade,
  // Hop by hop besides those above (RFC 9110 §7.6.1, RFC 9112, RFC 7540 §3.2.1).
  keep_alive,
  proxy_connection,
  te,
  trailer,
  proxy_authenticate,
  proxy_authorization,
  proxy_authentication_info,
  http2_settings,
  // What proxies say about clients.
  forwarded,
  via,
  x_forwarded_for,
  x_forwarded_host,
  x_forwarded_port,
  x_forwarded_proto,
  x_forwarded_server,
  x_real_ip,
  x_request_id,
  early_data,
  // Identity.
  client_cert,
  client_cert_chain,
  x_forwarded_client_cert,
  // End to end.
  accept,
  accept_encoding,
  accept_language,
  authorization,
  cache_control,
  content_encoding,
  content_type,
  cookie,
  date,
  etag,
  if_match,
  if_modified_since,
  if_none_match,
  if_range,
  if_unmodified_since,
  last_modified,
  location,
  max_forwards,
  origin,
  pragma,
  range,
  referer,
  sec_websocket_accept,
  sec_websocket_extensions,
  sec_websocket_key,
  sec_websocket_protocol,
  sec_websocket_version,
  server,
  set_cookie,
  user_agent,
};
inline constexpr std::size_t field_name_count = static_cast<std::size_t>(FieldName::user_agent) + 1;

// Without case; one hash and at most one comparison.
FieldName field_name(std::string_view name);

// The usual spelling, "Content-Length"; empty for `other`.
std::string_view name_of(FieldName id);

// Concerns this connection only, always removed: Connection, Keep-Alive, Proxy-*, TE, Trailer,
// Transfer-Encoding, Upgrade, HTTP2-Settings.
constexpr bool is_hop_by_hop(FieldName id) {
  switch (id) {
    case FieldName::connection:
    case FieldName::keep_alive:
    case FieldName::proxy_connection:
    case FieldName::proxy_authenticate:
    case FieldName::proxy_authorization:
    case FieldName::proxy_authentication_info:
    case FieldName::te:
    case FieldName::trailer:
    case FieldName::transfer_encoding:
    case FieldName::upgrade:
    case FieldName::http2_settings:
      return true;
    default:
      return false;
  }
}

}  // namespace certgate::http
