// Takes a head apart whose end is known: start line, field names, field values.
//
// The block ends with an empty line, every line in it ends with CR LF, and none is folded
// (head_scan.hpp has seen to that). Everything else that RFC 9112 §3 to §5 asks of a head is asked
// here, byte by byte; tests/unit/http1/head_parser_test.cpp compares with Boost.Beast.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "certgate/http/message.hpp"

namespace certgate::http1 {

enum class Flaw : std::uint8_t {
  none,
  bad_method,
  bad_target,
  bad_version,
  bad_status,
  bad_reason,
  bare_cr,
  bad_name,
  bad_value,
  too_many_fields,
};
// The token for the log.
std::string_view name_of(Flaw flaw);

enum class Underscores : bool { drop, keep };

// The fields of a block, in its order, recorded in the slots.
struct FieldLines {
  std::span<http::Field> slots;
  Underscores underscores = Underscores::drop;
  std::size_t count = 0;
  unsigned dropped = 0;  // names with `_`
};

// On Flaw::none `head` is complete but for the number of dropped fields; views point into `block`.
Flaw parse_request_head(std::string_view block, http::RequestHead& head, FieldLines& lines);
Flaw parse_response_head(std::string_view block, http::ResponseHead& head, FieldLines& lines);

}  // namespace certgate::http1
