// The table of keys.
#include "certgate/config/schema.hpp"

#include <map>
#include <string>

namespace certgate::config {
namespace {

using enum KeyType;

constexpr std::string_view tls_version_choices = "1.2|1.3";
constexpr std::string_view action_choices = "block|allow|log";
constexpr std::string_view final_actions = "allow|block";
constexpr std::string_view handshake_time = "100ms..1h";
constexpr std::string_view waiting_time = "100ms..1d";
constexpr bool required = true;

// clang-format off
constexpr Key keys[] = {
    {"workers", number, "auto", "1..1024", "Worker threads; `auto`: one per CPU"},
    {"state_directory", path, "", "", "Where the last good CRLs, the deny list and its audit log are kept; without it nothing outlives a restart"},
    {"default_action", choice, "allow", final_actions, "What happens to a request that no allow or block rule matches"},
    {"rule_files", list, "", "", "More rules, behind those of `rules`: paths of YAML files that each hold a list of rules"},
    {"forward_client_certificate", list, "", "rfc9440|cloudflare|xfcc", "Header families that tell the origin who the client is"},

    {"listeners", list, "", "", "Where connections are accepted", required},
    {"listeners[].address", text, "", "", "`192.0.2.1:8443`, `[2001:db8::1]:8443`; port 0 is any free one", required},
    {"listeners[].proxy_protocol", choice, "off", "off|v1|v2|any", "The PROXY header that a load balancer in front sends"},
    {"listeners[].trusted_sources", list, "", "", "Addresses and networks that may send it; needed with `proxy_protocol`"},

    {"hosts", list, "", "", "The names that are served", required},
    {"hosts[].names", list, "", "", "`api.example.com`, `*.example.com` (one label), or `\"*\"` for every other name; one or a list", required},
    {"hosts[].certificate", path, "", "", "PEM file with the leaf and its chain; a list to serve RSA and ECDSA side by side", required},
    {"hosts[].private_key", path, "", "", "PEM file with the key of the certificate; a list in the same order", required},
    {"hosts[].client_auth", map, "", "", "Client certificates; without it they are not asked for"},
    {"hosts[].client_auth.mode", choice, "", "off|request|require", "`request`: ask, and let the rules decide; `require`: the handshake fails without a valid one", required},
    {"hosts[].client_auth.ca", path, "", "", "PEM file with the CAs of the clients; one or a list; needed unless the mode is `off`"},
    {"hosts[].client_auth.crl", path, "", "", "Revocation lists: PEM or DER file, directory, or http(s) URL; one or a list"},
    {"hosts[].client_auth.crl_check", choice, "leaf", "leaf|chain", "Whether only the client's own certificate or every one up to the root needs a CRL and is looked up"},
    {"hosts[].client_auth.on_expired_crl", choice, "deny", "deny|use_last", "`deny`: certificates of its issuer count as not verified"},
    {"hosts[].client_auth.crl_distribution_points", flag, "false", "", "Also fetch the http(s) distribution points that the certificates in `ca` name, and the deltas that fetched lists name; never those of a client's certificate"},
    {"hosts[].client_auth.depth", number, "4", "1..16", "Most certificates above the client's own"},
    {"hosts[].origin", text, "", "", "Name of the origin that gets the requests", required},
    {"hosts[].routes", list, "", "", "Other origins for parts of the path; the longest prefix on a segment boundary wins"},
    {"hosts[].routes[].path", text, "", "", "`/v2` covers `/v2` and `/v2/x`, not `/v20`", required},
    {"hosts[].routes[].origin", text, "", "", "Name of the origin", required},
    {"hosts[].forward_client_certificate", list, "as at the top", "rfc9440|cloudflare|xfcc", "This host's own in place of the top-level list"},
    {"hosts[].request_headers", map, "as at the top", "", "This host's own in place of the top-level map"},
    {"hosts[].tls", map, "", "", "This host's own TLS settings; what is left out is as at the top"},
    {"hosts[].tls.min_version", choice, "as at the top", tls_version_choices, "Lowest version"},
    {"hosts[].tls.max_version", choice, "as at the top", tls_version_choices, "Highest version"},
    {"hosts[].tls.ciphers", list, "as at the top", "", "OpenSSL cipher names"},
    {"hosts[].tls.groups", list, "as at the top", "", "Key exchange groups"},
    {"hosts[].tls.session_lifetime", duration, "as at the top", "1s..7d", "How long a session can be resumed"},

    {"origins", map, "", "", "Named origins", required},
    {"origins.*.servers", list, "", "", "`http://host:port`, `https://host[:port]` or `unix:/path`; one or a list", required},
    {"origins.*.resolve_every", duration, "30s", "0..1d", "How often names in `servers` are looked up again; 0: only at load and reload"},
    {"origins.*.balance", choice, "round_robin", "round_robin|least_connections", "How a server is chosen"},
    {"origins.*.preserve_host", flag, "true", "", "`false`: Host becomes the server's own name"},
    {"origins.*.tls", map, "", "", "For https:// servers"},
    {"origins.*.tls.ca", path, "", "", "PEM file with the CAs of the origin; one or a list; without it the system's"},
    {"origins.*.tls.server_name", text, "", "", "Name that is sent and verified; without it the host of the URL"},
    {"origins.*.tls.certificate", path, "", "", "PEM file with the certificate that the proxy presents"},
    {"origins.*.tls.private_key", path, "", "", "Its key"},
    {"origins.*.tls.verify", flag, "true", "", "`false` accepts any certificate (`check` warns)"},
    {"origins.*.health", map, "", "", "When a server counts as down"},
    {"origins.*.health.path", text, "", "", "Path that is asked for; without it there are no active checks"},
    {"origins.*.health.host", text, "", "", "Host of the check; without it the server's own name"},
    {"origins.*.health.interval", duration, "10s", "100ms..1d", "Time between two checks"},
    {"origins.*.health.timeout", duration, "2s", "10ms..1h", "Longest wait for the answer"},
    {"origins.*.health.healthy_after", number, "2", "1..100", "Good answers in a row until a server is used again"},
    {"origins.*.health.unhealthy_after", number, "3", "1..100", "Bad answers in a row until it is not"},
    {"origins.*.health.status", list, "", "100..599", "Good status codes; without it 200 to 399"},
    {"origins.*.health.eject_after", number, "3", "0..1000", "Failed requests in a row until a server is left alone; 0: never"},
    {"origins.*.health.eject_for", duration, "10s", "100ms..1d", "For how long"},
    {"origins.*.keepalive", map, "", "", "Idle connections to the servers"},
    {"origins.*.keepalive.connections", number, "64", "0..65536", "Most per server and worker; 0: none are kept"},
    {"origins.*.keepalive.idle", duration, "60s", "100ms..1d", "Closed after this long without a request"},

    {"rules", list, "", "", "Tried from top to bottom; the first allow or block that matches ends it"},
    {"rules[].name", text, "", "", "Unique; stands in logs, metrics and `explain`", required},
    {"rules[].description", text, "", "", "For people"},
    {"rules[].expression", expression, "", "", "When the rule matches; this or `mtls`"},
    {"rules[].mtls", map, "", "", "The mTLS rule form: requests without a valid client certificate"},
    {"rules[].mtls.hosts", list, "", "", "Host names; one or a list", required},
    {"rules[].mtls.paths", list, "", "", "Paths, each with what is below it; without it every path"},
    {"rules[].mtls.block_revoked", flag, "true", "", "Whether revoked certificates match too"},
    {"rules[].action", choice, "", action_choices, "`log` records the match and goes on", required},
    {"rules[].enabled", flag, "true", "", "`false`: parsed and checked, never run"},
    {"rules[].response", map, "", "", "Own answer of a block rule"},
    {"rules[].response.status", number, "403", "400..499", "Status code"},
    {"rules[].response.content_type", text, "", "", "Needed with `body`"},
    {"rules[].response.body", text, "", "", "Without it the built-in text"},

    {"shadow", map, "", "", "Rules evaluated beside the live ones; differences are reported, nothing is blocked"},
    {"shadow.rules", list, "", "", "As `rules`"},
    {"shadow.rule_files", list, "", "", "As `rule_files`"},
    {"shadow.default_action", choice, "allow", final_actions, "As `default_action`"},

    {"lists", map, "", "", "Named sets for `in $name`; a list of values, or a map of the keys below"},
    {"lists.*.type", choice, "guessed", "ip|integer|string|host", "Without it: integer or ip if all entries are, else string"},
    {"lists.*.values", list, "", "", "The entries"},
    {"lists.*.file", path, "", "", "A file of one entry a line, # starts a comment; this or `values`"},

    {"tests", list, "", "", "Requests with the expected decision; they run at check and reload, and one that fails refuses the reload"},
    {"tests[].name", text, "", "", "What is promised", required},
    {"tests[].request", map, "", "", "The request", required},
    {"tests[].request.url", text, "", "", "`https://api.example.com/v1/x`", required},
    {"tests[].request.method", text, "GET", "", "Method"},
    {"tests[].request.headers", map, "", "", "Field names and values; a list of values for several fields of one name"},
    {"tests[].request.body", text, "", "", "The body; without it none. `Content-Length` is added"},
    {"tests[].request.source_ip", text, "", "", "Address of the client; without it 127.0.0.1"},
    {"tests[].client_certificate", path, "", "", "PEM leaf and chain that the client presents; without it none"},
    {"tests[].fields", map, "", "", "Fields of the Rules language set by hand, after the certificate's"},
    {"tests[].expect", map, "", "", "What must come out", required},
    {"tests[].expect.action", choice, "", final_actions, "The decision", required},
    {"tests[].expect.rule", text, "", "", "Name of the rule that decides; `\"\"` or none: not compared"},

    {"tls", map, "", "", "TLS towards clients; per host too"},
    {"tls.min_version", choice, "1.2", tls_version_choices, "Lowest version"},
    {"tls.max_version", choice, "1.3", tls_version_choices, "Highest version"},
    {"tls.ciphers", list, "", "", "OpenSSL cipher names in order of preference; TLS_* names are for TLS 1.3; without it the built-in order"},
    {"tls.groups", list, "", "", "Key exchange groups, such as X25519; without it the built-in order"},
    {"tls.session_lifetime", duration, "1h", "1s..7d", "How long a session can be resumed; never beyond the client certificate's end"},
    {"sessions", map, "", "", "Resumption, for all hosts"},
    {"sessions.tickets", choice, "stateful", "stateful|stateless|off", "`stateful`: sessions stay here, the client holds a number; `stateless`: the client holds them, sealed; `off`: no resumption"},
    {"sessions.cache_entries", number, "20000", "0..10000000", "Most sessions kept"},
    {"sessions.cache_bytes", size, "64MiB", "0..1024GiB", "Most memory for them"},
    {"sessions.ticket_rotation", duration, "12h", "1m..7d", "How often the key of stateless tickets changes"},

    {"request_headers", map, "", "", "Fields set on or removed from requests to the origin; per host too"},
    {"request_headers.set", map, "", "", "NAME: value expression; what the client sent under that name is removed first, in every spelling"},
    {"request_headers.remove", list, "", "", "Names that are removed"},
    {"url_normalization", map, "", "", "How the path and query are brought into one form before the rules see them"},
    {"url_normalization.type", choice, "rfc3986", "rfc3986|cloudflare", "Which form"},
    {"url_normalization.to_origin", flag, "true", "", "`false` sends the original to the origin (`check` warns)"},

    {"admin", map, "", "", "Metrics, health, status, reload and deny; without it there is none"},
    {"admin.address", text, "", "", "`unix:/run/certgate/admin.sock` or `127.0.0.1:9901`", required},
    {"admin.allow_remote", flag, "false", "", "Needed for an address that is not loopback"},
    {"log", map, "", "", "What is written where"},
    {"log.level", choice, "info", "debug|info|warning|error", "Least severity"},
    {"log.file", path, "stderr", "", "File, or `stderr`"},
    {"log.access", map, "", "", "One record per request"},
    {"log.access.file", path, "stdout", "", "File, or `stdout`"},
    {"log.access.format", choice, "json", "json|text|off", "Form of a record"},

    {"limits", map, "", "", "Most of everything"},
    {"limits.header_bytes", size, "32KiB", "1KiB..1MiB", "Request line and fields of a request together; above: 431"},
    {"limits.header_fields", number, "100", "1..10000", "Fields of a request; above: 431"},
    {"limits.uri_bytes", size, "16KiB", "64B..1MiB", "Request target; above: 414"},
    {"limits.body_bytes", size, "unlimited", "0..1048576GiB", "Body of a request; above: 413"},
    {"limits.body_rate", size, "100B", "0..1GiB", "Least speed of a request's body, a second, once it was waited for as long as `timeouts.body`; below: 408; 0: any"},
    {"limits.judged_body_bytes", size, "128KiB", "1KiB..1MiB", "What rules that read the body see of it, and what is read of it before they decide"},
    {"limits.connections", number, "65536", "1..10000000", "Client connections open at once"},
    {"limits.connections_per_address", number, "0", "0..10000000", "Of them from one IPv4 address or IPv6 /64; more are closed at once; 0: no limit"},
    {"limits.connections_per_certificate", number, "0", "0..10000000", "Of them with the same client certificate; on more, requests get 429; 0: no limit"},
    {"limits.handshakes", number, "1024", "1..1000000", "Handshakes in progress at once; others wait"},
    {"limits.certificate_chain", number, "10", "1..100", "Certificates that a client may present"},
    {"limits.rsa_bits", number, "8192", "2048..16384", "Largest RSA key of a client that is looked at"},
    {"limits.expression_length", number, "4096", "1..1048576", "Bytes of one expression"},
    {"timeouts", map, "", "", "Longest waits"},
    {"timeouts.handshake", duration, "10s", handshake_time, "From accepting a connection to the end of the TLS handshake"},
    {"timeouts.header", duration, "15s", handshake_time, "From the first byte of a request to the end of its fields"},
    {"timeouts.body", duration, "30s", waiting_time, "Longest silence between two pieces of a body, either way"},
    {"timeouts.keep_alive", duration, "60s", waiting_time, "Between two requests of a connection"},
    {"timeouts.tunnel", duration, "1h", "1s..365d", "Longest silence of an upgraded connection (WebSocket)"},
    {"timeouts.origin_connect", duration, "5s", handshake_time, "Connecting to a server, TLS included"},
    {"timeouts.origin_response", duration, "60s", waiting_time, "From the end of the request to the head of the answer"},
    {"timeouts.drain", duration, "30s", "0..1d", "Time for open requests after SIGTERM"},
    {"crl_refresh", map, "", "", "How CRLs are kept fresh"},
    {"crl_refresh.watch", duration, "5s", "0..1d", "How often files and directories are looked at; 0: only at reload"},
    {"crl_refresh.interval", duration, "1h", "100ms..30d", "Longest time between two fetches of a URL; sooner when nextUpdate says so"},
    {"crl_refresh.retry", duration, "1m", "100ms..1d", "First wait after a failed fetch; doubles up to `interval`"},
    {"crl_refresh.timeout", duration, "30s", "100ms..1h", "Longest time for one fetch, redirects and deltas included"},
    {"crl_refresh.start_wait", duration, "5s", "0..5m", "How long a start waits for lists that were never fetched before; then their clients are not verified until they come"},
    {"crl_refresh.max_bytes", size, "64MiB", "1KiB..512MiB", "Largest CRL that is fetched"},
    {"crl_refresh.ca", path, "", "", "PEM file with the CAs of https:// servers of CRLs; one or a list; without it the system's"},
    {"crl_refresh.allowed_networks", list, "", "", "Networks besides the public Internet that URLs and their redirects may lead to: `[10.1.0.0/16]`"},
};
// clang-format on

using Groups = std::map<std::string_view, std::vector<Key const*>>;

std::string_view prefix_of(std::string_view path) {
  std::size_t const dot = path.rfind('.');
  return dot == path.npos ? std::string_view{} : path.substr(0, dot);
}

Groups group() {
  Groups groups;
  for (Key const& key : keys) groups[prefix_of(key.path)].push_back(&key);
  return groups;
}

}  // namespace

std::span<Key const> all_keys() { return keys; }

std::vector<Key const*> const& keys_of(std::string_view prefix) {
  static Groups const groups = group();
  static std::vector<Key const*> const none;
  auto const found = groups.find(prefix);
  return found == groups.end() ? none : found->second;
}

std::string_view name_of(KeyType type) {
  switch (type) {
    case KeyType::map:
      return "map";
    case KeyType::list:
      return "list";
    case KeyType::text:
      return "text";
    case KeyType::flag:
      return "true/false";
    case KeyType::number:
      return "number";
    case KeyType::duration:
      return "duration";
    case KeyType::size:
      return "size";
    case KeyType::choice:
      return "choice";
    case KeyType::path:
      return "path";
    case KeyType::expression:
      return "expression";
  }
  return "";
}

}  // namespace certgate::config
