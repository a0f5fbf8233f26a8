// Parses just enough HTTP/1.1 (RFC 9112), and refuses everything else.
#include "request.hpp"

#include <algorithm>
#include <charconv>

#include "certgate/admin/server.hpp"
#include "certgate/base/encoding.hpp"
#include "certgate/base/ip.hpp"

namespace certgate::admin {
namespace {

Reply refusal(unsigned status, std::string sentence) {
  Reply reply;
  reply.status = status;
  reply.body = std::move(sentence) + "\n";
  return reply;
}

// RFC 9110 §5.6.2: token = 1*tchar.
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

std::string_view trimmed(std::string_view text) {
  auto const blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// Takes the text up to the next CRLF off the front.
std::string_view take_line(std::string_view& text) {
  std::size_t const end = text.find("\r\n");
  std::string_view const line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  return line;
}

std::optional<Reply> read_request_line(std::string_view line, RequestHead& head) {
  std::size_t const first = line.find(' ');
  std::size_t const last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return refusal(400, "bad request line");
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  std::string_view const version = line.substr(last + 1);
  if (!is_token(head.method) || !is_visible(head.target) || !head.target.starts_with('/')) {
    return refusal(400, "bad request line");
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return refusal(505, "HTTP/1.1, please");
  head.may_lack_host = version == "HTTP/1.0";
  return std::nullopt;
}

std::optional<Reply> read_content_length(std::string_view value, RequestHead& head, bool& seen) {
  if (std::exchange(seen, true)) return refusal(400, "more than one Content-Length");
  bool const digits = !value.empty() && std::all_of(value.begin(), value.end(),
                                                    [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return refusal(400, "bad Content-Length");
  auto const read = std::from_chars(value.data(), value.data() + value.size(), head.body_bytes);
  if (read.ec != std::errc{} || head.body_bytes > max_body_bytes) {
    return refusal(413, "body too large");
  }
  return std::nullopt;
}

std::optional<Reply> read_field(std::string_view line, RequestHead& head, bool& has_length) {
  std::size_t const colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return refusal(400, "bad header field");
  }
  std::string_view const name = line.substr(0, colon);
  std::string_view const value = trimmed(line.substr(colon + 1));
  bool const clean = std::none_of(value.begin(), value.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
  });
  if (!clean) return refusal(400, "bad header field");
  if (ascii_iequal(name, "host")) {
    head.host = value;
    ++head.host_fields;
  } else if (ascii_iequal(name, "content-length")) {
    return read_content_length(value, head, has_length);
  } else if (ascii_iequal(name, "transfer-encoding")) {
    return refusal(501, "no transfer codings here");
  } else if (ascii_iequal(name, "origin")) {
    head.from_web_page = true;
  } else if (ascii_iequal(name, "sec-fetch-site")) {
    head.from_web_page = head.from_web_page || value != "none";
  }
  return std::nullopt;
}

// "name", "name:port", "[v6]", "[v6]:port" without the port.
std::string_view without_port(std::string_view host) {
  std::size_t const colon = host.rfind(':');
  std::size_t const bracket = host.rfind(']');
  if (colon == std::string_view::npos) return host;
  if (bracket != std::string_view::npos && bracket > colon) return host;
  return host.substr(0, colon);
}

bool is_ip_address(std::string_view name) {
  bool const bracketed = name.starts_with('[') && name.ends_with(']');
  if (bracketed) name = name.substr(1, name.size() - 2);
  auto const address = IpAddress::parse(name);
  return address && address->is_v4() != bracketed;
}

std::string_view phrase_of(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 413:
      return "Content Too Large";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

}  // namespace

ParsedHead parse_head(std::string_view text) {
  ParsedHead parsed;
  parsed.refusal = read_request_line(take_line(text), parsed.head);
  bool has_length = false;
  while (!parsed.refusal) {
    std::string_view const line = take_line(text);
    if (line.empty()) break;
    parsed.refusal = read_field(line, parsed.head, has_length);
  }
  return parsed;
}

std::optional<Reply> refuse_caller(RequestHead const& head, Transport transport,
                                   std::vector<std::string> const& host_names) {
  if (transport == Transport::unix_socket) return std::nullopt;
  if (head.host_fields == 0 && head.may_lack_host && !head.from_web_page) return std::nullopt;
  if (head.host_fields != 1) return refusal(400, "exactly one Host, please");
  std::string_view const name = without_port(head.host);
  bool const known = ascii_iequal(name, "localhost") || is_ip_address(name) ||
                     std::any_of(host_names.begin(), host_names.end(),
                                 [&](auto const& allowed) { return ascii_iequal(name, allowed); });
  if (!known) return refusal(421, "this Host is not served here");
  if (head.from_web_page) return refusal(403, "web pages are not served");
  return std::nullopt;
}

Routed route_of(RequestHead const& head, Transport transport) {
  struct Known {
    std::string_view target;
    std::string_view method;
    Route route;
  };
  static constexpr Known known[] = {
      {"/metrics", "GET", Route::metrics}, {"/healthz", "GET", Route::healthz},
      {"/readyz", "GET", Route::readyz},   {"/status", "GET", Route::status},
      {"/reload", "POST", Route::reload},
  };
  Routed routed;
  for (auto const& [target, method, route] : known) {
    if (head.target != target) continue;
    routed.route = route;
    bool const allowed = head.method == method || (method == "GET" && head.method == "HEAD");
    if (!allowed) {
      routed.refusal = refusal(405, "method not allowed");
      routed.refusal->allow = method == "GET" ? "GET, HEAD" : std::string(method);
    }
    return routed;
  }
  if (head.method == "POST" && transport == Transport::unix_socket) {
    routed.route = Route::command;
    routed.command = head.target.substr(1);
    return routed;
  }
  routed.refusal = refusal(404, "no such page; there are /metrics /healthz /readyz /status");
  return routed;
}

std::string format_reply(Reply const& reply, bool with_body) {
  std::string text = "HTTP/1.1 " + std::to_string(reply.status) + ' ';
  text += phrase_of(reply.status);
  text += "\r\nContent-Type: " + reply.content_type;
  text += "\r\nContent-Length: " + std::to_string(reply.body.size());
  if (!reply.allow.empty()) text += "\r\nAllow: " + reply.allow;
  text +=
      "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n";
  if (with_body) text += reply.body;
  return text;
}

}  // namespace certgate::admin
