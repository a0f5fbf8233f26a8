// Collects the framing fields in one pass, then decides.
#include "certgate/http/framing.hpp"

#include "certgate/base/encoding.hpp"
#include "characters.hpp"

namespace certgate::http {
namespace {

// What the fields say before any rule is applied to it.
struct FramingFields {
  unsigned content_lengths = 0;
  unsigned transfer_encodings = 0;
  unsigned hosts = 0;
  unsigned upgrades = 0;
  bool expects = false;
  bool connection = false;
  std::string_view content_length;
  std::string_view transfer_encoding;
  std::string_view host;
  std::string_view upgrade;
};

FramingFields collect(Fields fields) {
  FramingFields seen;
  for (auto const& field : fields) {
    switch (field.id) {
      case FieldName::content_length:
        ++seen.content_lengths;
        seen.content_length = field.value;
        break;
      case FieldName::transfer_encoding:
        ++seen.transfer_encodings;
        seen.transfer_encoding = field.value;
        break;
      case FieldName::host:
        ++seen.hosts;
        seen.host = field.value;
        break;
      case FieldName::upgrade:
        ++seen.upgrades;
        seen.upgrade = field.value;
        break;
      case FieldName::expect:
        seen.expects = true;
        break;
      case FieldName::connection:
        seen.connection = true;
        break;
      default:
        break;
    }
  }
  return seen;
}

struct ConnectionOptions {
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
};

ConnectionOptions read_connection(Fields fields) {
  ConnectionOptions options;
  for (auto const& field : fields) {
    if (field.id != FieldName::connection) continue;
    ListReader list(field.value);
    while (auto const option = list.next()) {
      if (ascii_iequal(*option, "close")) options.close = true;
      if (ascii_iequal(*option, "keep-alive")) options.keep_alive = true;
      if (ascii_iequal(*option, "upgrade")) options.upgrade = true;
    }
  }
  return options;
}

Persistence persistence_of(Version version, ConnectionOptions const& options) {
  // RFC 9112 §9.3: "If the "close" connection option is present, the connection will not persist
  // after the current response".
  if (options.close) return Persistence::close;
  if (version != Version::http_1_0) return Persistence::keep_alive;
  return options.keep_alive ? Persistence::keep_alive : Persistence::close;
}

// The rules that requests and responses share. `status` is who gets the blame.
Result<BodyFraming, Refusal> frame_body(FramingFields const& seen, Version version, int status) {
  if (seen.transfer_encodings != 0) {
    // RFC 9112 §6.3: "If a message is received with both a Transfer-Encoding and a Content-Length
    // header field, the Transfer-Encoding overrides the Content-Length. Such a message might
    // indicate an attempt to perform request smuggling (Section 11.2) or response splitting
    // (Section 11.1) and ought to be handled as an error."
    if (seen.content_lengths != 0) return fail(Refusal{status, "length_and_encoding"});
    // RFC 9112 §6.1: "A server or client that receives an HTTP/1.0 message containing a
    // Transfer-Encoding header field MUST treat the message as if the framing is faulty".
    if (version == Version::http_1_0) return fail(Refusal{status, "encoding_in_http_1_0"});
    if (seen.transfer_encodings > 1) return fail(Refusal{status, "repeated_encoding"});
    if (!ascii_iequal(seen.transfer_encoding, "chunked")) {
      return fail(Refusal{status, "bad_encoding"});
    }
    return BodyFraming{BodyKind::chunked, 0};
  }
  if (seen.content_lengths == 0) return BodyFraming{BodyKind::none, 0};
  if (seen.content_lengths > 1) return fail(Refusal{status, "repeated_length"});
  auto const length = parse_content_length(seen.content_length);
  if (!length) return fail(Refusal{status, "bad_length"});
  return BodyFraming{BodyKind::length, *length};
}

}  // namespace

std::optional<std::uint64_t> parse_content_length(std::string_view value) {
  // 19 digits cannot overflow 64 bits.
  if (value.empty() || value.size() > 19) return std::nullopt;
  if (value.size() > 1 && value.front() == '0') return std::nullopt;
  std::uint64_t length = 0;
  for (char const c : value) {
    if (!is_digit(c)) return std::nullopt;
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (length >> 63 != 0) return std::nullopt;
  return length;
}

Result<RequestFraming, Refusal> frame_request(RequestHead const& head) {
  auto const seen = collect(head.fields);
  RequestFraming framing;
  // RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1
  // request message that lacks a Host header field and to any request message that contains more
  // than one Host header field line or a Host header field with an invalid field value."
  if (seen.hosts > 1) return fail(Refusal{400, "repeated_host"});
  if (seen.hosts == 0 && head.version != Version::http_1_0) return fail(Refusal{400, "no_host"});
  framing.host = seen.host;

  auto const body = frame_body(seen, head.version, 400);
  if (!body) return fail(body.error());
  framing.body = *body;

  if (seen.expects) {
    for (auto const& field : head.fields) {
      if (field.id != FieldName::expect) continue;
      // RFC 9110 §10.1.1: "A server that receives an Expect field value containing a member other
      // than 100-continue MAY respond with a 417 (Expectation Failed) status code".
      if (!ascii_iequal(field.value, "100-continue")) return fail(Refusal{417, "bad_expect"});
    }
    // "A server that receives a 100-continue expectation in an HTTP/1.0 request MUST ignore that
    // expectation."
    if (head.version != Version::http_1_0 && framing.body.has_body()) {
      framing.expectation = Expectation::continue_100;
    }
  }

  auto const options = seen.connection ? read_connection(head.fields) : ConnectionOptions{};
  framing.persistence = persistence_of(head.version, options);
  // RFC 9110 §7.8: "A server MUST ignore an Upgrade header field that is received in an HTTP/1.0
  // request"; RFC 6455 §4.1: the method of the handshake is GET.
  if (options.upgrade && seen.upgrades == 1 && ascii_iequal(seen.upgrade, "websocket") &&
      head.version == Version::http_1_1 && head.method == "GET" && !framing.body.has_body()) {
    framing.upgrade = Upgrade::websocket;
  }
  return framing;
}

Result<ResponseFraming, Refusal> frame_response(ResponseHead const& head,
                                                std::string_view request_method, Upgrade upgrade) {
  if (head.status < 100 || head.status > 599) return fail(Refusal{502, "bad_status"});
  auto const seen = collect(head.fields);
  auto const body = frame_body(seen, head.version, 502);
  if (!body) return fail(body.error());
  auto const options = seen.connection ? read_connection(head.fields) : ConnectionOptions{};

  ResponseFraming framing;
  framing.persistence = persistence_of(head.version, options);
  if (body->kind == BodyKind::length) framing.announced_length = body->length;

  if (head.status == 101) {
    // Only what answers our own upgrade starts a tunnel (CVE-2026-2833, CVE-2024-23326).
    if (upgrade != Upgrade::websocket || !options.upgrade || seen.upgrades != 1 ||
        !ascii_iequal(seen.upgrade, "websocket") || head.version != Version::http_1_1) {
      return fail(Refusal{502, "unasked_upgrade"});
    }
  }
  // RFC 9112 §6.1: "A server MUST NOT send a Transfer-Encoding header field in any response with a
  // status code of 1xx (Informational) or 204 (No Content)"; RFC 9110 §8.6 says the same of
  // Content-Length. An origin that announces bytes there may also send them.
  if (head.status < 200 || head.status == 204) {
    if (body->has_body()) return fail(Refusal{502, "body_not_allowed"});
    framing.announced_length.reset();
    return framing;
  }
  if (head.status == 304 || request_method == "HEAD") return framing;
  framing.body = *body;
  if (body->kind == BodyKind::none) {
    // RFC 9112 §6.3: "Otherwise, this is a response message without a declared message body
    // length, so the message body length is determined by the number of octets received prior to
    // the server closing the connection."
    framing.body.kind = BodyKind::until_close;
    framing.persistence = Persistence::close;
  }
  return framing;
}

}  // namespace certgate::http
