// Reads Content-Type, boundaries, and the heads of parts.
#include "multipart.hpp"

#include <algorithm>

#include "certgate/base/encoding.hpp"

namespace certgate::policy {
namespace {

constexpr std::string_view part_white_space = " \t\r\n";
constexpr std::size_t max_boundary_bytes = 70;  // RFC 2046 §5.1.1

std::string_view trim_part_text(std::string_view text) {
  auto const first = text.find_first_not_of(part_white_space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(part_white_space) - first + 1);
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(part_white_space) == std::string_view::npos;
}

// RFC 2046 §5.1.1: bchars. Unquoted, some stop at a comma or a space.
bool is_boundary_character(char c, bool is_quoted) {
  if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return true;
  if (c == ' ' || c == ',') return is_quoted;
  return std::string_view{"'()+_-./:=?"}.find(c) != std::string_view::npos;
}

bool is_boundary(Parameter const& parameter) {
  auto const value = parameter.value;
  return parameter.is_complete && !value.empty() && value.size() <= max_boundary_bytes &&
         value.back() != ' ' && std::all_of(value.begin(), value.end(), [&](char c) {
           return is_boundary_character(c, parameter.is_quoted);
         });
}

std::string_view read_boundary(std::string_view content_type) {
  ParameterReader parameters{content_type};
  std::optional<std::string_view> boundary;
  while (auto const parameter = parameters.next()) {
    // RFC 2231: `boundary*` and `boundary*0` are read by some.
    if (ascii_iequal(parameter->name.substr(0, 9), "boundary*")) return {};
    if (!ascii_iequal(parameter->name, "boundary")) continue;
    if (boundary || !is_boundary(*parameter)) return {};
    boundary = parameter->value;
  }
  return boundary.value_or(std::string_view{});
}

std::string_view without_line_break(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

// Could a line that begins so become a delimiter?
bool may_become_delimiter(std::string_view line, std::string_view boundary) {
  constexpr std::string_view dashes = "--";
  if (line.size() <= dashes.size()) return dashes.starts_with(line);
  if (!line.starts_with(dashes)) return false;
  line.remove_prefix(dashes.size());
  if (line.size() <= boundary.size()) return boundary.starts_with(line);
  if (!line.starts_with(boundary)) return false;
  line.remove_prefix(boundary.size());
  for (int i = 0; i < 2 && line.starts_with('-'); ++i) line.remove_prefix(1);
  return is_blank(line);
}

std::string_view surely_of_parts(std::string_view content, std::string_view boundary) {
  auto const line = content.rfind('\n') + 1;  // npos + 1 is 0
  if (!may_become_delimiter(content.substr(line), boundary)) {
    return content.ends_with('\r') ? content.substr(0, content.size() - 1) : content;
  }
  return without_line_break(content.substr(0, line));
}

// The text begins behind a delimiter. Where its head ends; nothing: it is not one that all read alike.
std::optional<std::size_t> end_of_plain_head(std::string_view text) {
  for (std::size_t line = 0; line < text.size();) {
    // A folded line: some take it for a field.
    if (text[line] == ' ' || text[line] == '\t') return std::nullopt;
    auto const end = text.find_first_of("\r\n", line);
    if (end == std::string_view::npos) break;
    if (text.substr(end, 2) != "\r\n") return std::nullopt;
    if (end == line) return end + 2;
    line = end + 2;
  }
  return text.size();
}

// The head ends at the first empty line; without one all of it is head.
Part split_part(std::string_view text) {
  for (std::size_t line = 0; line < text.size();) {
    auto const end = std::min(text.find('\n', line), text.size() - 1) + 1;
    auto const whole = text.substr(line, end - line);
    if (whole == "\n" || whole == "\r\n") return {text.substr(0, line), text.substr(end)};
    line = end;
  }
  return {text, {}};
}

}  // namespace

BodyType read_body_type(http::Fields fields) {
  BodyType type;
  std::size_t found = 0;
  for (auto const& field : fields) {
    if (field.id != http::FieldName::content_type) continue;
    if (++found > 1) type.is_ambiguous = true;
    auto const media = trim_part_text(field.value.substr(0, field.value.find(';')));
    if (ascii_iequal(media, "application/x-www-form-urlencoded")) {
      type.kind = BodyType::Kind::form;
    } else if (ascii_iequal(media.substr(0, 10), "multipart/")) {
      // RFC 2046 §5.1.7: unrecognized subtypes are read as "mixed".
      type.kind = BodyType::Kind::multipart;
      type.boundary = read_boundary(field.value);
    }
  }
  return type;
}

bool is_unequivocal(std::string_view content, std::string_view boundary, bool truncated) {
  constexpr std::string_view dashes = "--", line_break = "\r\n";
  if (truncated) content = surely_of_parts(content, boundary);
  std::size_t head_end = 0;
  bool is_over = false;
  for (auto at = content.find(dashes); at != content.npos; at = content.find(dashes, at + 1)) {
    bool const begins_line = at == 0 || content[at - 1] == '\r' || content[at - 1] == '\n';
    if (!begins_line || !content.substr(at + dashes.size()).starts_with(boundary)) continue;
    if (is_over || at < head_end) return false;
    if (at != 0 && !content.substr(0, at).ends_with(line_break)) return false;
    auto behind = content.substr(at + dashes.size() + boundary.size());
    is_over = behind.starts_with(dashes);
    if (is_over) behind.remove_prefix(dashes.size());
    if (behind.empty()) continue;
    if (!behind.starts_with(line_break)) return false;
    if (is_over) continue;
    behind.remove_prefix(line_break.size());
    auto const size = end_of_plain_head(behind);
    if (!size) return false;
    head_end = content.size() - behind.size() + *size;
  }
  return true;
}

PartReader::PartReader(std::string_view content, std::string_view boundary, bool truncated)
    : content_(truncated ? surely_of_parts(content, boundary) : content), boundary_(boundary) {
  auto const first = find_delimiter(0);
  at_ = !first || first->is_last ? content_.size() : first->end;
}

// RFC 2046 §5.1.1: "The boundary delimiter line is then defined as a line consisting entirely of
// two hyphen characters ("-", decimal value 45) followed by the boundary parameter value from the
// Content-Type header field, optional linear whitespace, and a terminating CRLF."
std::optional<PartReader::Delimiter> PartReader::find_delimiter(std::size_t from) const {
  for (std::size_t line = from; line < content_.size();) {
    auto const end = std::min(content_.find('\n', line), content_.size() - 1) + 1;
    auto rest = content_.substr(line, end - line);
    if (rest.starts_with("--") && rest.substr(2).starts_with(boundary_)) {
      rest.remove_prefix(2 + boundary_.size());
      if (is_blank(rest)) return Delimiter{line, end, false};
      if (rest.starts_with("--") && is_blank(rest.substr(2))) return Delimiter{line, end, true};
    }
    line = end;
  }
  return std::nullopt;
}

std::optional<Part> PartReader::next() {
  if (at_ >= content_.size()) return std::nullopt;
  auto const start = at_;
  auto const delimiter = find_delimiter(start);
  if (!delimiter) {
    at_ = content_.size();
    return split_part(content_.substr(start));
  }
  at_ = delimiter->is_last ? content_.size() : delimiter->end;
  // The line break before a delimiter belongs to it.
  return split_part(without_line_break(content_.substr(start, delimiter->start - start)));
}

std::optional<PartField> PartFieldReader::next() {
  while (!rest_.empty()) {
    auto end = rest_.find('\n');
    while (end != std::string_view::npos && end + 1 < rest_.size() &&
           (rest_[end + 1] == ' ' || rest_[end + 1] == '\t')) {
      end = rest_.find('\n', end + 1);
    }
    auto const line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(line.size() + 1, rest_.size()));
    auto const colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    return PartField{trim_part_text(line.substr(0, colon)), trim_part_text(line.substr(colon + 1))};
  }
  return std::nullopt;
}

bool is_unequivocal(Parameter const& parameter) {
  return parameter.is_complete && !parameter.value.ends_with('\\') &&
         parameter.value.find("\\\"") == std::string_view::npos;
}

std::optional<Parameter> ParameterReader::next() {
  auto const semicolon = rest_.find(';');
  if (semicolon == std::string_view::npos) return std::nullopt;
  rest_.remove_prefix(semicolon + 1);
  Parameter parameter;
  auto const name_end = std::min(rest_.find_first_of("=;"), rest_.size());
  parameter.name = trim_part_text(rest_.substr(0, name_end));
  rest_.remove_prefix(name_end);
  if (!rest_.starts_with('=')) return parameter;
  rest_.remove_prefix(1);
  rest_.remove_prefix(std::min(rest_.find_first_not_of(part_white_space), rest_.size()));
  if (!rest_.starts_with('"')) {
    parameter.value = trim_part_text(rest_.substr(0, rest_.find(';')));
    return parameter;
  }
  rest_.remove_prefix(1);
  parameter.is_quoted = true;
  std::size_t end = 0;
  for (; end < rest_.size() && rest_[end] != '"'; ++end) {
    if (rest_[end] != '\\') continue;
    parameter.has_backslash = true;
    ++end;  // whatever it is, it does not end the text
  }
  end = std::min(end, rest_.size());
  parameter.is_complete = end < rest_.size();
  parameter.value = rest_.substr(0, end);
  rest_.remove_prefix(end);
  return parameter;
}

}  // namespace certgate::policy
