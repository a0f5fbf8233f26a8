#include "certgate/pki/alternative_name.hpp"

#include <algorithm>
#include <cstdint>

#include "certgate/base/encoding.hpp"
#include "certgate/base/ip.hpp"

namespace certgate::pki {
namespace {

constexpr std::size_t max_dns_name_bytes = 253;
constexpr std::size_t max_label_bytes = 63;
constexpr std::size_t max_name_bytes = 1024;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_printable_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > max_label_bytes) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(),
                     [](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; });
}

bool is_domain(std::string_view text) {
  if (text.empty() || text.size() > max_dns_name_bytes) return false;
  for (;;) {
    auto const dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_email(std::string_view text) {
  auto const at = text.find('@');
  if (at == std::string_view::npos || at == 0 || at > 64) return false;
  auto const local = text.substr(0, at);
  if (!is_printable_ascii(local) || local.find_first_of("<>()[],;:\\\"") != local.npos)
    return false;
  return is_domain(text.substr(at + 1));
}

// RFC 3986 §3: scheme ":" hier-part, here with at least one character after the colon.
bool is_uri(std::string_view text) {
  auto const colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) return false;
  auto const scheme = text.substr(0, colon);
  if (is_alphanumeric(scheme.front()) && scheme.front() >= '0' && scheme.front() <= '9')
    return false;
  bool const scheme_fine = std::all_of(scheme.begin(), scheme.end(), [](char c) {
    return is_alphanumeric(c) || c == '+' || c == '-' || c == '.';
  });
  return scheme_fine && is_printable_ascii(text) && text.find_first_of("<>\"{}|\\^`") == text.npos;
}

std::string in_backquotes(std::string_view text) {
  std::string out = "\"";
  append_json_escaped(out, text);
  return out + '"';
}

// Characters (not bytes) of valid UTF-8, or nullopt when it is not or has control characters.
std::optional<std::size_t> count_characters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++count) {
    auto const lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x20 || lead == 0x7f) return std::nullopt;
    std::size_t const length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || i + length > text.size()) {
      return std::nullopt;
    }
    std::uint32_t point = length == 1 ? lead : lead & (0x7fu >> length);
    for (std::size_t k = 1; k < length; ++k) {
      auto const next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xc0) != 0x80) return std::nullopt;
      point = (point << 6) | (next & 0x3f);
    }
    bool const overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    if (overlong || (point >= 0xd800 && point <= 0xdfff) || point > 0x10ffff) return std::nullopt;
    if (point >= 0x80 && point < 0xa0) return std::nullopt;  // C1 controls
    i += length;
  }
  return count;
}

}  // namespace

std::string_view name_of(NameKind kind) {
  switch (kind) {
    case NameKind::dns:
      return "dns";
    case NameKind::uri:
      return "uri";
    case NameKind::email:
      return "email";
    case NameKind::ip:
      return "ip";
  }
  return "unknown";
}

Result<AlternativeName> AlternativeName::parse(NameKind kind, std::string_view text) {
  if (text.size() > max_name_bytes) {
    return fail(ErrorCode::invalid, "a name of " + std::to_string(text.size()) +
                                        " bytes is too long; at most " +
                                        std::to_string(max_name_bytes));
  }
  switch (kind) {
    case NameKind::dns: {
      auto const domain = text.starts_with("*.") ? text.substr(2) : text;
      if (is_domain(domain) && !IpAddress::parse(text)) {
        return AlternativeName(kind, ascii_lower(text));
      }
      return fail(ErrorCode::invalid,
                  in_backquotes(text) + " is not a DNS name (such as api.example.com)");
    }
    case NameKind::uri:
      if (is_uri(text)) return AlternativeName(kind, std::string(text));
      return fail(ErrorCode::invalid,
                  in_backquotes(text) + " is not a URI (such as spiffe://example.org/sensor-7)");
    case NameKind::email:
      if (is_email(text)) return AlternativeName(kind, std::string(text));
      return fail(ErrorCode::invalid,
                  in_backquotes(text) + " is not an e-mail address (such as ann@example.org)");
    case NameKind::ip:
      if (auto const address = IpAddress::parse(text)) {
        return AlternativeName(kind, address->to_string());
      }
      return fail(ErrorCode::invalid,
                  in_backquotes(text) + " is not an IP address (such as 192.0.2.7 or 2001:db8::7)");
  }
  return fail(ErrorCode::internal, "unknown kind of name");
}

Result<NameSubtree> NameSubtree::parse(NameKind kind, std::string_view text) {
  if (kind == NameKind::ip) {
    if (auto const network = IpNetwork::parse(text)) return NameSubtree(kind, network->to_string());
    return fail(ErrorCode::invalid, in_backquotes(text) + " is not a network (such as 10.0.0.0/8)");
  }
  // RFC 5280 §4.2.1.10: a URI constraint "begins with a period" for hosts within a domain; the
  // same form is in use for e-mail.
  auto domain = text;
  if (kind != NameKind::dns && domain.starts_with('.')) domain.remove_prefix(1);
  if (!is_domain(domain)) {
    return fail(ErrorCode::invalid, in_backquotes(text) + " is not a domain (such as example.com)");
  }
  return NameSubtree(kind, ascii_lower(text));
}

Result<void> check_subject(Subject const& subject) {
  auto const check = [](std::string_view what, std::string const& text) -> Result<void> {
    auto const characters = count_characters(text);
    if (!characters) {
      return fail(ErrorCode::invalid, std::string(what) + ' ' + in_backquotes(text) +
                                          " is not plain UTF-8 text without control characters");
    }
    if (*characters > max_common_name_characters) {
      return fail(ErrorCode::invalid, std::string(what) + " has " + std::to_string(*characters) +
                                          " characters; at most " +
                                          std::to_string(max_common_name_characters));
    }
    return {};
  };
  if (subject.common_name.empty()) return fail(ErrorCode::invalid, "the name is empty");
  if (auto fine = check("the name", subject.common_name); !fine) return fine;
  if (auto fine = check("the organization", subject.organization); !fine) return fine;
  return check("the unit", subject.unit);
}

}  // namespace certgate::pki
