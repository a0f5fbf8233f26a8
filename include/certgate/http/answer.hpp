// certgate's own answers: a status, a request id, and a body in the form the client prefers.
//
// JSON, HTML or plain text by Accept (RFC 9110 §12.5.1); JSON when the client does not care. The
// body says what happened, never why: the reason of a block is for the log.
//
// Lifetime: pure functions appending to the caller's string.
#pragma once

#include <string>
#include <string_view>

#include "certgate/http/framing.hpp"
#include "certgate/http/message.hpp"

namespace certgate::http {

enum class AnswerFormat : std::uint8_t { json, html, text };

// By quality, then by the more specific range; a tie goes to JSON, then HTML. JSON when nothing
// certgate offers is acceptable: an answer in the wrong form is better than none.
AnswerFormat choose_format(Fields request_fields);

// A rule's own response (`response:` of a rule).
struct CustomBody {
  std::string_view content_type;
  std::string_view body;
};

struct Answer {
  int status = 403;
  std::string_view request_id;
  Version client_version = Version::http_1_1;
  Persistence persistence = Persistence::close;
  enum class Body : std::uint8_t { sent, head_only } body = Body::sent;  // HEAD: head_only
  AnswerFormat format = AnswerFormat::json;
  CustomBody const* custom = nullptr;
  std::string_view date;   // IMF-fixdate; empty: no Date
  std::string_view extra;  // whole lines, such as "Retry-After: 1\r\n"
};

// Head and body in one piece.
void append_answer(std::string& out, Answer const& answer);

// The body alone, for codecs that frame it themselves.
std::string_view content_type_of(AnswerFormat format);
void append_answer_body(std::string& out, int status, std::string_view request_id,
                        AnswerFormat format);

}  // namespace certgate::http
