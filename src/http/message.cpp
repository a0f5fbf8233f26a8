// Looking things up in the views of a head.
#include "certgate/http/message.hpp"

#include <algorithm>

#include "certgate/base/encoding.hpp"
#include "characters.hpp"

namespace certgate::http {

std::string_view format_version(Version version) {
  switch (version) {
    case Version::http_1_0:
      return "HTTP/1.0";
    case Version::http_1_1:
      return "HTTP/1.1";
    case Version::http_2:
      return "HTTP/2";
  }
  return {};
}

Field const* find(Fields fields, FieldName id) {
  for (auto const& field : fields) {
    if (field.id == id) return &field;
  }
  return nullptr;
}

Field const* find(Fields fields, std::string_view name) {
  for (auto const& field : fields) {
    if (ascii_iequal(field.name, name)) return &field;
  }
  return nullptr;
}

std::size_t count(Fields fields, FieldName id) {
  return static_cast<std::size_t>(std::count_if(
      fields.begin(), fields.end(), [id](Field const& field) { return field.id == id; }));
}

std::size_t count(Fields fields, std::string_view name) {
  return static_cast<std::size_t>(
      std::count_if(fields.begin(), fields.end(),
                    [name](Field const& field) { return ascii_iequal(field.name, name); }));
}

std::string_view value_of(Fields fields, FieldName id) {
  auto const* const field = find(fields, id);
  return field == nullptr ? std::string_view{} : field->value;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_white(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_white(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<std::string_view> ListReader::next() {
  while (!rest_.empty()) {
    std::size_t end = 0;
    bool quoted = false;
    while (end < rest_.size() && (quoted || rest_[end] != ',')) {
      if (rest_[end] == '"') {
        quoted = !quoted;
      } else if (quoted && rest_[end] == '\\' && end + 1 < rest_.size()) {
        ++end;
      }
      ++end;
    }
    auto const member = trim(rest_.substr(0, end));
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    if (!member.empty()) return member;
  }
  return std::nullopt;
}

bool lists_token(Fields fields, FieldName id, std::string_view token) {
  for (auto const& field : fields) {
    if (field.id != id) continue;
    ListReader list(field.value);
    while (auto const member = list.next()) {
      if (ascii_iequal(*member, token)) return true;
    }
  }
  return false;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 102:
      return "Processing";
    case 103:
      return "Early Hints";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 203:
      return "Non-Authoritative Information";
    case 204:
      return "No Content";
    case 205:
      return "Reset Content";
    case 206:
      return "Partial Content";
    case 207:
      return "Multi-Status";
    case 208:
      return "Already Reported";
    case 226:
      return "IM Used";
    case 300:
      return "Multiple Choices";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 305:
      return "Use Proxy";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 407:
      return "Proxy Authentication Required";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 418:
      return "I'm a teapot";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 423:
      return "Locked";
    case 424:
      return "Failed Dependency";
    case 425:
      return "Too Early";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 451:
      return "Unavailable For Legal Reasons";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 506:
      return "Variant Also Negotiates";
    case 507:
      return "Insufficient Storage";
    case 508:
      return "Loop Detected";
    case 510:
      return "Not Extended";
    case 511:
      return "Network Authentication Required";
    default:
      return {};
  }
}

}  // namespace certgate::http
