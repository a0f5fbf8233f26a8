// The bodies are fixed texts around a status and a request id.
#include "certgate/http/answer.hpp"

#include <charconv>

#include "certgate/base/encoding.hpp"
#include "certgate/http/client_cert_header.hpp"
#include "certgate/http/quality.hpp"

namespace certgate::http {
namespace {

void append_number(std::string& out, std::size_t number) {
  char text[20];
  auto const end = std::to_chars(text, text + sizeof text, number).ptr;
  out.append(text, end);
}

std::string_view phrase_of(int status) {
  auto const phrase = reason_phrase(status);
  if (!phrase.empty()) return phrase;
  return status >= 500 ? "Error" : "Refused";
}

// Request ids are certgate's own, but nothing is written into HTML unescaped.
void append_html(std::string& out, std::string_view text) {
  for (char const c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
}

// How well a media range fits, and how specific it is: 0 not at all, 1 */*, 2 type/*, 3 exactly.
int specificity(std::string_view range, std::string_view type, std::string_view subtype) {
  auto const slash = range.find('/');
  if (slash == std::string_view::npos) return range == "*" ? 1 : 0;
  auto const range_type = range.substr(0, slash);
  auto const range_subtype = range.substr(slash + 1);
  if (range_type == "*") return range_subtype == "*" ? 1 : 0;
  if (!ascii_iequal(range_type, type)) return 0;
  if (range_subtype == "*") return 2;
  return ascii_iequal(range_subtype, subtype) ? 3 : 0;
}

struct Offer {
  AnswerFormat format;
  std::string_view type;
  std::string_view subtype;
};
constexpr Offer offers[] = {{AnswerFormat::json, "application", "json"},
                            {AnswerFormat::html, "text", "html"},
                            {AnswerFormat::text, "text", "plain"}};

}  // namespace

AnswerFormat choose_format(Fields request_fields) {
  auto best = AnswerFormat::json;
  int best_weight = 0;
  int best_specificity = 0;
  for (auto const& offer : offers) {
    int weight = 0;
    int specific = 0;
    for (auto const& field : request_fields) {
      if (field.id != FieldName::accept) continue;
      WeightedReader reader(field.value);
      while (auto const item = reader.next()) {
        int const fit = specificity(item->value, offer.type, offer.subtype);
        // RFC 9110 §12.5.1: "The media type quality factor associated with a given type is
        // determined by finding the media range with the highest precedence that matches the type."
        if (fit > specific) {
          specific = fit;
          weight = item->thousandths;
        }
      }
    }
    if (weight > best_weight ||
        (weight == best_weight && weight > 0 && specific > best_specificity)) {
      best = offer.format;
      best_weight = weight;
      best_specificity = specific;
    }
  }
  return best;
}

std::string_view content_type_of(AnswerFormat format) {
  switch (format) {
    case AnswerFormat::json:
      return "application/json";
    case AnswerFormat::html:
      return "text/html; charset=utf-8";
    case AnswerFormat::text:
      return "text/plain; charset=utf-8";
  }
  return {};
}

void append_answer_body(std::string& out, int status, std::string_view request_id,
                        AnswerFormat format) {
  auto const phrase = phrase_of(status);
  auto const number = static_cast<std::size_t>(status);
  switch (format) {
    case AnswerFormat::json:
      out += "{\"status\":";
      append_number(out, number);
      out += ",\"error\":\"";
      append_json_escaped(out, phrase);
      out += "\",\"request_id\":\"";
      append_json_escaped(out, request_id);
      out += "\"}\n";
      break;
    case AnswerFormat::html:
      out += "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>";
      append_number(out, number);
      out += ' ';
      append_html(out, phrase);
      out += "</title></head>\n<body><h1>";
      append_number(out, number);
      out += ' ';
      append_html(out, phrase);
      out += "</h1>\n<p>Request id: <code>";
      append_html(out, request_id);
      out += "</code></p></body></html>\n";
      break;
    case AnswerFormat::text:
      append_number(out, number);
      out += ' ';
      out += phrase;
      out += "\nRequest id: ";
      out += request_id;
      out += '\n';
      break;
  }
}

void append_answer(std::string& out, Answer const& answer) {
  std::string own_body;
  std::string_view body;
  std::string_view content_type;
  if (answer.custom != nullptr) {
    body = answer.custom->body;
    content_type = answer.custom->content_type;
  } else {
    append_answer_body(own_body, answer.status, answer.request_id, answer.format);
    body = own_body;
    content_type = content_type_of(answer.format);
  }
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::size_t>(answer.status));
  out += ' ';
  out += phrase_of(answer.status);
  out += "\r\n";
  if (!answer.date.empty()) {
    out += "Date: ";
    out += answer.date;
    out += "\r\n";
  }
  out += "Content-Type: ";
  append_field_text(out, content_type);
  out += "\r\nContent-Length: ";
  append_number(out, body.size());
  // A refusal must not outlive what caused it.
  out += "\r\nCache-Control: no-store\r\n";
  if (!answer.request_id.empty()) {
    out += "X-Request-Id: ";
    out += answer.request_id;
    out += "\r\n";
  }
  out += answer.extra;
  if (answer.persistence == Persistence::close) {
    out += "Connection: close\r\n";
  } else if (answer.client_version == Version::http_1_0) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
  if (answer.body == Answer::Body::sent) out += body;
}

}  // namespace certgate::http
