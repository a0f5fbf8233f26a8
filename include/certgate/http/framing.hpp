// Where a message's body ends, and whether the connection lives on: strictly, or not at all.
//
// Of a request (refused with 400 unless said otherwise):
//   Transfer-Encoding: one field whose value is `chunked` and nothing else, HTTP/1.1, and no
//     Content-Length beside it;
//   Content-Length: one field of 1 to 19 digits without leading zeros;
//   Host: exactly one in HTTP/1.1, at most one in HTTP/1.0, and well formed;
//   Expect: `100-continue` or 417.
// Of a response the same, refused with 502. RFC 9112 §6.3 lets a recipient repair some of these;
// a proxy that repairs is a proxy that can disagree with its neighbour.
//
// See: RFC 9112 §6, §7.1, §9.3; RFC 9110 §8.6, §10.1.1.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "certgate/base/host_name.hpp"
#include "certgate/base/result.hpp"
#include "certgate/http/message.hpp"

namespace certgate::http {

enum class BodyKind : std::uint8_t { none, length, chunked, until_close };

struct BodyFraming {
  BodyKind kind = BodyKind::none;
  std::uint64_t length = 0;  // bytes, for `length`; 0 means that `Content-Length: 0` was sent

  bool has_body() const {
    return kind == BodyKind::chunked || kind == BodyKind::until_close || length != 0;
  }
  friend bool operator==(BodyFraming const&, BodyFraming const&) = default;
};

// What becomes of the connection after this exchange.
enum class Persistence : std::uint8_t { close, keep_alive };

// What the client asked to be upgraded to. Only WebSocket is carried; other upgrades are ignored,
// as RFC 9110 §7.8 allows, and never reach the origin (h2c smuggling).
enum class Upgrade : std::uint8_t { none, websocket };

enum class Expectation : std::uint8_t { none, continue_100 };

struct RequestFraming {
  BodyFraming body;
  Persistence persistence = Persistence::close;
  Upgrade upgrade = Upgrade::none;
  Expectation expectation = Expectation::none;
  std::string_view host;  // the Host field's value; empty in an HTTP/1.0 request without one
};

Result<RequestFraming, Refusal> frame_request(RequestHead const& head);

struct ResponseFraming {
  BodyFraming body;  // what follows on the wire
  Persistence persistence = Persistence::close;
  // Content-Length as sent, also where no body follows (HEAD, 304) and the client may want it.
  std::optional<std::uint64_t> announced_length;
};

// `request_method` is that of the request answered; `upgrade` what certgate itself asked for: a
// 101 to anything else is refused. A 101 has no body; the tunnel begins behind its head.
Result<ResponseFraming, Refusal> frame_response(ResponseHead const& head,
                                                std::string_view request_method,
                                                Upgrade upgrade = Upgrade::none);

// 1xx other than 101: the final response is still to come.
constexpr bool is_interim(int status) { return status >= 100 && status < 200 && status != 101; }

// 1*DIGIT without leading zeros, at most 19 digits and below 2^63.
std::optional<std::uint64_t> parse_content_length(std::string_view value);

}  // namespace certgate::http
