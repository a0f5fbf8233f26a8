#include "certgate/fetch/url.hpp"

#include <algorithm>
#include <vector>

#include "certgate/base/encoding.hpp"
#include "certgate/base/host_name.hpp"

namespace certgate::fetch {
namespace {

Failure<Error> refuse_url(std::string detail) {
  return fail(ErrorCode::invalid, std::move(detail));
}

// RFC 3986 §3.1: ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) before the first `:`; "" when none.
std::string_view scheme_of(std::string_view text) {
  auto const colon = text.find_first_of(":/?#");
  if (colon == text.npos || colon == 0 || text[colon] != ':') return {};
  auto const is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  auto const scheme = text.substr(0, colon);
  bool const good = is_letter(scheme.front()) &&
                    std::all_of(scheme.begin(), scheme.end(), [&](char c) {
                      return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' ||
                             c == '.';
                    });
  return good ? scheme : std::string_view{};
}

bool has_odd_bytes(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return c <= ' ' || static_cast<unsigned char>(c) >= 0x7F;
  });
}

// RFC 3986 §5.2.4, segment by segment.
std::string without_dots(std::string_view path) {
  std::vector<std::string_view> kept;
  bool ends_in_slash = true;
  auto rest = path.substr(1);
  for (;;) {
    auto const slash = rest.find('/');
    auto const segment = rest.substr(0, slash);
    bool const is_dots = segment == "." || segment == "..";
    if (segment == ".." && !kept.empty()) kept.pop_back();
    if (!is_dots) kept.push_back(segment);
    ends_in_slash = is_dots;
    if (slash == rest.npos) break;
    rest.remove_prefix(slash + 1);
  }
  std::string out;
  for (auto const segment : kept) out.append("/").append(segment);
  if (ends_in_slash || out.empty()) out += '/';
  return out;
}

Result<Url> parse_behind_scheme(Url::Scheme scheme, std::string_view rest) {
  Url url;
  url.scheme = scheme;
  auto const end = std::min(rest.find_first_of("/?"), rest.size());
  auto const authority = rest.substr(0, end);
  if (authority.find('@') != authority.npos) {
    return refuse_url("the URL has a user name or password");
  }
  HostBuffer buffer;
  auto const parsed = parse_authority(authority, buffer);
  if (!parsed) return refuse_url("`" + std::string(authority) + "` is not a host");
  url.host = parsed->host;
  if (parsed->kind == HostKind::ipv6) url.host = url.host.substr(1, url.host.size() - 2);
  url.port = scheme == Url::Scheme::http ? 80 : 443;
  if (parsed->port != 0) url.port = parsed->port;
  url.target = rest.substr(end);
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  return url;
}

}  // namespace

Result<Url> Url::parse(std::string_view text) {
  if (text.size() > max_url_bytes) return refuse_url("the URL is longer than 8 KiB");
  if (has_odd_bytes(text)) {
    return refuse_url("a URL has no spaces and only ASCII characters: percent-encode them");
  }
  if (text.find('#') != text.npos) return refuse_url("the URL has a fragment");
  auto const name = scheme_of(text);
  auto const scheme = ascii_lower(name);
  bool const known = scheme == "http" || scheme == "https";
  auto const rest = text.substr(std::min(text.size(), name.size() + 1));
  if (!known || !rest.starts_with("//")) {
    return refuse_url("`" + std::string(text.substr(0, 200)) +
                      "` is not an http:// or https:// address");
  }
  return parse_behind_scheme(scheme == "http" ? Scheme::http : Scheme::https, rest.substr(2));
}

Result<Url> Url::resolve(std::string_view location) const {
  location = location.substr(0, location.find('#'));
  if (location.size() > max_url_bytes) return refuse_url("the URL is longer than 8 KiB");
  if (has_odd_bytes(location)) return refuse_url("the URL has spaces or bytes that are not ASCII");
  if (!scheme_of(location).empty()) return parse(location);
  if (location.starts_with("//")) return parse_behind_scheme(scheme, location.substr(2));
  Url url = *this;
  if (location.empty()) return url;
  auto const query = target.find('?');
  auto const path = target.substr(0, query);
  if (location.starts_with('?')) {
    url.target = path + std::string(location);
    return url;
  }
  auto const path_end = std::min(location.find('?'), location.size());
  std::string merged(location.substr(0, path_end));
  if (!merged.starts_with('/')) merged = path.substr(0, path.rfind('/') + 1) + merged;
  url.target = without_dots(merged) + std::string(location.substr(path_end));
  return url;
}

std::string Url::authority() const {
  auto out = host.find(':') == host.npos ? host : "[" + host + "]";
  if (port != (scheme == Scheme::http ? 80 : 443)) out += ":" + std::to_string(port);
  return out;
}

std::string Url::to_string() const {
  return (scheme == Scheme::http ? "http://" : "https://") + authority() + target;
}

}  // namespace certgate::fetch
