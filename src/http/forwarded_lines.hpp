// The lines of forwarded.hpp, written into room that was reserved for them.
#pragma once

#include <string_view>

#include "certgate/http/message.hpp"
#include "cursor.hpp"

namespace certgate::http {

// Upper bounds on what the lines add beyond the received values, which forwarded heads count
// anyway with four bytes to spare for each field.
constexpr std::size_t forwarded_for_bound(std::size_t ip) { return 24 + ip; }
constexpr std::size_t forwarded_bound(std::size_t ip, std::size_t host, std::size_t scheme) {
  return 48 + ip + 2 * host + scheme;
}
constexpr std::size_t via_bound(std::size_t pseudonym) { return 16 + pseudonym; }

void write_x_forwarded_for(Cursor& out, Fields received, std::string_view client_ip);
void write_forwarded(Cursor& out, Fields received, std::string_view client_ip,
                     std::string_view host, std::string_view scheme);
void write_via(Cursor& out, Fields received, Version received_version, std::string_view pseudonym);

// `text` with bytes outside 0x20 to 0x7E, `%`, and a space at either end as %XX: at most three times
// as long.
void write_field_text(Cursor& out, std::string_view text);

}  // namespace certgate::http
