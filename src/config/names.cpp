// One table of words per enumeration, in the order of its enumerators.
#include "certgate/config/names.hpp"

#include <cstddef>

namespace certgate::config {
namespace {

// Empty for a number that is no enumerator: parsing a choice stops there.
template <class Enum, std::size_t N>
std::string_view pick(Enum value, std::string_view const (&words)[N]) {
  auto const at = static_cast<std::size_t>(value);
  return at < N ? words[at] : std::string_view{};
}

constexpr std::string_view actions[] = {"block", "allow", "log"};
constexpr std::string_view list_types[] = {"ip", "integer", "string", "host"};
constexpr std::string_view proxy_protocols[] = {"off", "v1", "v2", "any"};
constexpr std::string_view tls_versions[] = {"1.2", "1.3"};
constexpr std::string_view session_tickets[] = {"stateful", "stateless", "off"};
constexpr std::string_view client_auth_modes[] = {"off", "request", "require"};
constexpr std::string_view crl_checks[] = {"leaf", "chain"};
constexpr std::string_view on_expired_crls[] = {"deny", "use_last"};
constexpr std::string_view forwarded_certificates[] = {"rfc9440", "cloudflare", "xfcc"};
constexpr std::string_view log_levels[] = {"debug", "info", "warning", "error"};
constexpr std::string_view access_formats[] = {"json", "text", "off"};
constexpr std::string_view url_normalizations[] = {"rfc3986", "cloudflare"};
constexpr std::string_view balances[] = {"round_robin", "least_connections"};

}  // namespace

std::string_view name_of(Action value) { return pick(value, actions); }
std::string_view name_of(ListType value) { return pick(value, list_types); }
std::string_view name_of(ProxyProtocol value) { return pick(value, proxy_protocols); }
std::string_view name_of(TlsVersion value) { return pick(value, tls_versions); }
std::string_view name_of(SessionTickets value) { return pick(value, session_tickets); }
std::string_view name_of(ClientAuthMode value) { return pick(value, client_auth_modes); }
std::string_view name_of(CrlCheck value) { return pick(value, crl_checks); }
std::string_view name_of(OnExpiredCrl value) { return pick(value, on_expired_crls); }
std::string_view name_of(ForwardedCertificate value) { return pick(value, forwarded_certificates); }
std::string_view name_of(LogLevel value) { return pick(value, log_levels); }
std::string_view name_of(AccessFormat value) { return pick(value, access_formats); }
std::string_view name_of(UrlNormalization value) { return pick(value, url_normalizations); }
std::string_view name_of(Balance value) { return pick(value, balances); }

}  // namespace certgate::config
