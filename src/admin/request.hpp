// A request to the operator's API: parsed strictly, checked, and routed. Quiet: bytes and values.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace certgate::admin {

// A head as far as this API needs it; the views point into the text that was parsed.
struct RequestHead {
  std::string_view method;
  std::string_view target;
  std::string_view host;
  std::size_t host_fields = 0;
  bool may_lack_host = false;  // HTTP/1.0: the checks of some load balancers; never a browser
  std::size_t body_bytes = 0;
  bool from_web_page = false;  // Origin, or Sec-Fetch-Site other than none
};

struct Reply {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::string allow;  // for 405
};

// `text`: everything up to and including the empty line. A reply says what is wrong with it.
struct ParsedHead {
  RequestHead head;
  std::optional<Reply> refusal;
};
ParsedHead parse_head(std::string_view text);

enum class Transport { unix_socket, tcp };

// Who may ask at all: see server.hpp on Host and web pages.
std::optional<Reply> refuse_caller(RequestHead const& head, Transport transport,
                                   std::vector<std::string> const& host_names);

enum class Route { metrics, healthz, readyz, status, reload, command };
struct Routed {
  Route route = Route::healthz;
  std::string_view command;  // Route::command: the path without its slash
  std::optional<Reply> refusal;
};
Routed route_of(RequestHead const& head, Transport transport);

std::string format_reply(Reply const& reply, bool with_body);

}  // namespace certgate::admin
