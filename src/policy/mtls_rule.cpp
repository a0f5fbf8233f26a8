// Writes the mTLS rule form as an expression.
#include "certgate/policy/mtls_rule.hpp"

#include <algorithm>

#include "certgate/base/host_name.hpp"
#include "certgate/http/target.hpp"
#include "certgate/rules/ast.hpp"

namespace certgate::policy {
namespace {

std::string format_set(std::vector<std::string> const& values) {
  std::string out = "{";
  for (auto const& value : values) {
    if (out.size() > 1) out += ' ';
    out += rules::format_quoted(value);
  }
  return out + '}';
}

std::string joined(std::vector<std::string> const& terms, std::string_view separator) {
  std::string out;
  for (auto const& term : terms) {
    if (!out.empty()) out += separator;
    out += term;
  }
  return out;
}

std::string grouped_or(std::vector<std::string> const& terms) {
  return terms.size() == 1 ? terms.front() : "(" + joined(terms, " or ") + ")";
}

// Empty: every host.
Result<std::string> format_hosts(std::vector<std::string> const& hosts) {
  if (hosts.empty()) return fail(ErrorCode::invalid, "the form names no host");
  std::vector<std::string> exact;
  std::vector<std::string> terms;
  bool any = false;
  for (auto const& host : hosts) {
    auto const pattern = HostPattern::parse(host);
    if (!pattern) return fail(ErrorCode::invalid, "`" + host + "` is not a host name");
    switch (pattern->kind) {
      case HostPattern::Kind::exact:
        exact.push_back(pattern->name);
        break;
      case HostPattern::Kind::wildcard:
        terms.push_back("http.host wildcard " + rules::format_quoted("*." + pattern->name));
        break;
      case HostPattern::Kind::any:
        any = true;
        break;
    }
  }
  if (any) return std::string{};
  if (!exact.empty()) terms.insert(terms.begin(), "http.host in " + format_set(exact));
  return grouped_or(terms);
}

// Empty: every path.
Result<std::string> format_paths(std::vector<std::string> const& paths) {
  std::vector<std::string> exact;
  std::vector<std::string> below;
  for (auto const& path : paths) {
    if (!path.starts_with('/')) {
      return fail(ErrorCode::invalid, "the path `" + path + "` does not begin with `/`");
    }
    std::vector<char> scratch(3 * path.size());
    auto const normal = http::normalise_path(path, http::Normalisation::rfc3986, scratch);
    if (!normal || path.find_first_of("?#") != std::string::npos) {
      return fail(ErrorCode::invalid, "the path `" + path + "` is malformed or ambiguous");
    }
    std::string name{*normal};
    while (name.ends_with('/')) name.pop_back();
    if (name.empty()) return std::string{};
    if (std::find(exact.begin(), exact.end(), name) != exact.end()) continue;
    below.push_back("starts_with(http.request.uri.path, " + rules::format_quoted(name + "/") + ")");
    exact.push_back(std::move(name));
  }
  if (exact.empty()) return std::string{};
  below.insert(below.begin(), "http.request.uri.path in " + format_set(exact));
  return grouped_or(below);
}

}  // namespace

Result<std::string> format_mtls_expression(MtlsForm const& form) {
  CERTGATE_TRY(auto hosts, format_hosts(form.hosts));
  CERTGATE_TRY(auto paths, format_paths(form.paths));
  std::vector<std::string> terms;
  if (!hosts.empty()) terms.push_back(std::move(hosts));
  if (!paths.empty()) terms.push_back(std::move(paths));
  std::string_view const refused =
      form.block_revoked
          ? "(not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked)"
          : "not cf.tls_client_auth.cert_verified";
  terms.emplace_back(refused);
  return joined(terms, " and ");
}

}  // namespace certgate::policy
