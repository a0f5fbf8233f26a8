// Small pieces of HTTP/1 text that are written over and over.
//
// See: RFC 9112 §4.
#pragma once

#include <string>
#include <string_view>

#include "certgate/http/message.hpp"

namespace certgate::http1 {

// "HTTP/1.1 200 OK\r\n" from a table; empty for a status that is not registered.
std::string_view status_line(int status);

inline constexpr std::string_view continue_100 = "HTTP/1.1 100 Continue\r\n\r\n";

// An interim response (1xx) for an HTTP/1.1 client, hop-by-hop fields removed.
void append_interim_response(std::string& out, http::ResponseHead const& head);

}  // namespace certgate::http1
