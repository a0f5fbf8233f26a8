// Literals and list entries that a field is never equal to, because of how its values are written.
#include <algorithm>
#include <optional>

#include "certgate/base/encoding.hpp"
#include "lint_rules.hpp"

namespace certgate::policy {
namespace {

using rules::CompareOp;
using rules::Node;

// Why no value of the field is like this, and what was meant.
struct Impossible {
  std::string why, hint;
};
using Flaw = std::optional<Impossible>;

std::string in_capitals(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = ascii_upper(c);
  return out;
}

std::string in_quotes(std::string_view text) { return rules::format_quoted(text); }

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return hex_digit(c) >= 0; });
}

// Letter case and separators are told of by the checker.
Flaw judge_serial(std::string_view text) {
  auto const sign = std::string(text.starts_with('-') ? "-" : "");
  auto digits = text.substr(sign.size());
  if (digits.empty() || digits.find_first_of(":- ") != digits.npos) return {};
  if (digits.starts_with("0x") || digits.starts_with("0X")) {
    return Impossible{"a serial number is written without 0x",
                      "write " + in_quotes(sign + std::string{digits.substr(2)})};
  }
  if (!is_hex(digits)) return Impossible{"a serial number is hexadecimal", "0-9 and A-F"};
  if (digits.size() % 2 != 0) {
    return Impossible{"a serial number has an even number of digits",
                      "write " + in_quotes(sign + "0" + std::string{digits})};
  }
  if (digits.size() > 2 && digits.starts_with("00")) {
    auto const first = std::min(digits.find_first_not_of('0'), digits.size() - 1);
    return Impossible{"a serial number has no leading 00",
                      "write " + in_quotes(sign + std::string{digits.substr(first - first % 2)})};
  }
  return {};
}

Flaw judge_digest(std::string_view text, std::size_t length) {
  if (text.empty() || text.find_first_of(":- ") != text.npos) return {};
  if (text.size() == length && is_hex(text)) return {};
  return Impossible{"the value is " + std::to_string(length) + " hexadecimal digits",
                    "this one has " + std::to_string(text.size()) + " characters"};
}

Flaw judge_host(std::string_view text) {
  if (text.find('*') != text.npos) {
    return Impossible{"a `*` is only a star here",
                      "write `http.host wildcard " + in_quotes(text) + "`"};
  }
  if (text.find("//") != text.npos || text.find('/') != text.npos) {
    return Impossible{"http.host is a name, without scheme and path", "write the name alone"};
  }
  if (text.ends_with('.')) {
    return Impossible{"http.host has no dot at its end",
                      "write " + in_quotes(text.substr(0, text.size() - 1))};
  }
  if (auto const colon = text.rfind(':'); colon != text.npos && !text.ends_with(']')) {
    return Impossible{"http.host has no port", "write " + in_quotes(text.substr(0, colon))};
  }
  return {};
}

Flaw judge_path(std::string_view text, bool is_normalised) {
  if (text == "*") return {};  // of OPTIONS (RFC 9112 §3.2.4)
  if (!text.starts_with('/')) {
    return Impossible{"a path begins with `/`", "write " + in_quotes("/" + std::string{text})};
  }
  if (auto const end = text.find_first_of("?#"); end != text.npos) {
    return Impossible{"a path ends before `?` and `#`",
                      "compare http.request.uri.query, or http.request.uri with both"};
  }
  if (!is_normalised) return {};
  auto const whole = std::string{text} + "/";
  if (whole.find("/./") != whole.npos || whole.find("/../") != whole.npos) {
    return Impossible{"paths are compared without dot segments", "write the path they lead to"};
  }
  return {};
}

Flaw judge_one_of(std::string_view text, std::initializer_list<std::string_view> values,
                     std::string why) {
  if (std::find(values.begin(), values.end(), text) != values.end()) return {};
  std::string hint = "it is";
  for (auto const value : values) {
    hint += (value == *values.begin() ? " " : " or ") + in_quotes(value);
  }
  return Impossible{std::move(why), std::move(hint)};
}

Flaw judge_value(Field field, std::string_view text) {
  switch (field) {
    case Field::cert_serial:
    case Field::cert_issuer_serial: return judge_serial(text);
    case Field::cert_fingerprint_sha256: return judge_digest(text, 64);
    case Field::cert_fingerprint_sha1: return judge_digest(text, 40);
    case Field::host: return judge_host(text);
    case Field::path: return judge_path(text, true);
    case Field::raw_path: return judge_path(text, false);
    case Field::path_extension:
      if (!text.starts_with('.')) return {};
      return Impossible{"an extension is written without its dot",
                        "write " + in_quotes(text.substr(1))};
    case Field::version:
      return judge_one_of(text, {"HTTP/1.0", "HTTP/1.1"}, "certgate speaks HTTP/1");
    case Field::tls_version:
      return judge_one_of(text, {"TLSv1.2", "TLSv1.3"}, "certgate speaks TLS 1.2 and 1.3");
    default: return {};
  }
}

bool is_equality(CompareOp op) {
  return op == CompareOp::equal || op == CompareOp::not_equal || op == CompareOp::in_set;
}

bool is_order(CompareOp op) {
  return op == CompareOp::less || op == CompareOp::less_equal || op == CompareOp::greater ||
         op == CompareOp::greater_equal;
}

}  // namespace

void Linter::check_list_entries(LintedRule const& rule, Node const& node, Field field) {
  if (node.comparand == nullptr || node.comparand->list == nullptr) return;
  std::size_t count = 0;
  std::string example;
  Impossible first;
  auto const& row = field_table()[id_of(field)];
  node.comparand->list->visit([&](std::string_view entry) {
    auto found = judge_value(field, entry);
    if (!found && row.letters == rules::Letters::upper && entry != in_capitals(entry)) {
      found = Impossible{"it is always upper case", "write " + in_quotes(in_capitals(entry))};
    }
    if (!found && row.letters == rules::Letters::lower && entry != ascii_lower(entry)) {
      found = Impossible{"it is always lower case", "write " + in_quotes(ascii_lower(entry))};
    }
    if (!found && row.hexadecimal && entry.find_first_of(":- ") != entry.npos) {
      found = Impossible{"it has no separators", "leave them out"};
    }
    if (!found) return;
    // The least one, so that the same list always gives the same words.
    if (count++ == 0 || entry < example) {
      example = entry;
      first = std::move(*found);
    }
  });
  if (count == 0) return;
  warn(rule, node.literals.front().span,
       std::to_string(count) + (count == 1 ? " entry" : " entries") + " of the list can never be `" +
           std::string{row.name} + "`, such as " + in_quotes(example) + ": " + first.why,
       first.hint);
}

void Linter::check_values(LintedRule const& rule, Node const& node) {
  for (auto const& child : node.children) check_values(rule, child);
  if (node.kind != Node::Kind::comparison) return;
  auto const& left = node.children.front();
  if (left.kind != Node::Kind::field || left.field >= field_table().size()) return;
  auto const field = static_cast<Field>(left.field);
  if (node.compare == CompareOp::in_list) return check_list_entries(rule, node, field);
  if (is_order(node.compare) &&
      (field == Field::cert_not_before || field == Field::cert_not_after)) {
    warn(rule, node.span, "dates are compared as text here, and text is not in the order of time",
         "an expired certificate is not `cert_verified`; compare dates with `eq` only");
    return;
  }
  if (!is_equality(node.compare)) return;
  for (auto const& literal : node.literals) {
    auto const found = judge_value(field, literal.bytes);
    if (!found) continue;
    warn(rule, literal.span, "this can never be equal: " + found->why, found->hint);
  }
}

}  // namespace certgate::policy
