// Reads the head of an HTTP/1 message out of the buffer it arrived in, strictly.
//
// feed() is given everything received since the message's first byte, in one contiguous block,
// as often as more arrives; no byte is scanned twice. Once the empty line is there the head is
// taken apart in one pass. Refused here:
//   obsolete line folding, bare CR or LF, white space before the colon, control characters (400);
//   more fields or bytes than the limits allow (431), a longer request-target (414);
//   versions other than HTTP/1.0 and HTTP/1.1 (505 from a client).
// What the fields mean together is judged by http::frame_request and http::admit_request.
// Names with `_` are dropped and counted, as nginx does. Bytes above 0x7F are allowed in field
// values only (obs-text), and pass unchanged. An empty line before a request is refused.
//
// Lifetime: the head points into the block of the last feed() and into the slots; both belong to
// the caller. A reader is a few words, allocates nothing and may be made anew for each message.
// See: RFC 9112 §2 to §5; docs/decisions/0020 and 0021.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "certgate/http/message.hpp"

namespace certgate::http1 {

struct HeadLimits {
  std::size_t bytes = 32 * 1024;        // start line, fields and the empty line; 431
  std::size_t target_bytes = 8 * 1024;  // 414
  // The number of fields is limited by the slots given to the reader; 431.
};
inline constexpr std::size_t default_max_fields = 100;

enum class Feed : unsigned char { need_more, complete, refused };

class RequestReader {
 public:
  // REQUIRES: the slots outlive the head.
  explicit RequestReader(std::span<http::Field> slots, HeadLimits limits = {})
      : slots_(slots), limits_(limits) {}

  // After `complete` or `refused` a reader is spent. REQUIRES: received only grows.
  Feed feed(std::string_view received);

  http::RequestHead const& head() const { return head_; }    // after `complete`
  std::size_t consumed() const { return consumed_; }         // bytes of the head, likewise
  http::Refusal const& refusal() const { return refusal_; }  // after `refused`

 private:
  std::span<http::Field> slots_;
  HeadLimits limits_;
  std::size_t scanned_ = 0;
  std::size_t line_ = 0;
  std::size_t consumed_ = 0;
  http::RequestHead head_;
  http::Refusal refusal_;
};

// The same for an origin's response; every refusal is 502.
class ResponseReader {
 public:
  explicit ResponseReader(std::span<http::Field> slots, HeadLimits limits = {})
      : slots_(slots), limits_(limits) {}

  Feed feed(std::string_view received);

  http::ResponseHead const& head() const { return head_; }
  std::size_t consumed() const { return consumed_; }
  http::Refusal const& refusal() const { return refusal_; }

 private:
  std::span<http::Field> slots_;
  HeadLimits limits_;
  std::size_t scanned_ = 0;
  std::size_t line_ = 0;
  std::size_t consumed_ = 0;
  http::ResponseHead head_;
  http::Refusal refusal_;
};

}  // namespace certgate::http1
