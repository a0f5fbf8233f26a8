// Names as text for callers outside, and which host names a server certificate covers.
#include "certgate/x509/name.hpp"

#include "certgate/base/ip.hpp"
#include "name_text.hpp"

namespace certgate::x509 {
namespace {

// `*.example.com` covers `a.example.com`. REQUIRES: no trailing dots.
bool matches_wildcard(std::string_view pattern, std::string_view host) {
  // RFC 9525 §6.3: "the wildcard character ... is the complete left-most label".
  if (!pattern.starts_with("*.")) return false;
  std::string_view const suffix = pattern.substr(1);
  if (suffix.find('.', 1) == suffix.npos || suffix.find('*') != suffix.npos) return false;
  std::size_t const dot = host.find('.');
  return dot != host.npos && dot > 0 && ascii_iequal(host.substr(dot), suffix);
}

std::string_view without_trailing_dot(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  return name;
}

}  // namespace

std::optional<std::string> format_name(Bytes name_der, NameForm form) {
  std::vector<NameAttribute> attributes;
  if (!parse_name(name_der, attributes)) return std::nullopt;
  std::string text;
  append_name(text, attributes, form);
  return text;
}

HostMatch match_host(Certificate const& certificate, std::string_view host) {
  auto const address = IpAddress::parse(host);
  std::string const wanted =
      address ? address->to_string() : std::string(without_trailing_dot(host));
  if (wanted.empty()) return HostMatch::none;
  HostMatch best = HostMatch::none;
  for (std::size_t i = 0; i < certificate.alt_name_count(); ++i) {
    SubjectAltName const name = certificate.alt_name(i);
    if (address) {
      if (name.type == SanType::ip && name.value == wanted) return HostMatch::exact;
      continue;
    }
    if (name.type != SanType::dns) continue;
    std::string_view const pattern = without_trailing_dot(name.value);
    if (ascii_iequal(pattern, wanted)) return HostMatch::exact;
    if (matches_wildcard(pattern, wanted)) best = HostMatch::wildcard;
  }
  return best;
}

}  // namespace certgate::x509
