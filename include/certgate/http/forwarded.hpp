// What certgate tells the origin about the client's connection: X-Forwarded-*, Forwarded, Via.
//
// X-Forwarded-For, Forwarded and Via are lists to which each proxy appends; what stands before
// certgate's own last member was said by the client and is worth what the client is worth.
// X-Forwarded-Proto, -Host, -Port, -Server and X-Real-IP are replaced.
//
// See: RFC 7239, RFC 9110 §7.6.3.
#pragma once

#include <string>
#include <string_view>

#include "certgate/http/message.hpp"

namespace certgate::http {

// Each appends a whole line, CRLF included.
void append_x_forwarded_for(std::string& out, Fields received, std::string_view client_ip);
void append_forwarded(std::string& out, Fields received, std::string_view client_ip,
                      std::string_view host, std::string_view scheme);
void append_via(std::string& out, Fields received, Version received_version,
                std::string_view pseudonym);

}  // namespace certgate::http
