// Typed settings with defaults and units: what a YAML file says, after every check that needs no
// file, certificate or clock.
//
// A plain value; copying it is allowed and shares the source texts that the marks point into. The
// defaults are the member initialisers here; docs/configuration.md and the schema (schema.hpp)
// repeat them and a test compares.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "certgate/config/address.hpp"
#include "certgate/config/mark.hpp"
#include "certgate/config/origin.hpp"
#include "certgate/config/quantity.hpp"
#include "certgate/config/rule.hpp"

namespace certgate::config {

enum class ProxyProtocol { off, v1, v2, any };
struct Listener {
  Setting<IpEndpoint> address;
  Setting<ProxyProtocol> proxy_protocol{ProxyProtocol::off};
  std::vector<Setting<IpNetwork>> trusted_sources;  // who may send a PROXY header; set with it
  Mark mark;
};

enum class TlsVersion { tls_1_2, tls_1_3 };
enum class SessionTickets { stateful, stateless, off };
struct TlsSettings {
  Setting<TlsVersion> min_version{TlsVersion::tls_1_2};
  Setting<TlsVersion> max_version{TlsVersion::tls_1_3};
  std::vector<Setting<std::string>> ciphers;  // OpenSSL names, TLS_* are for 1.3; empty: built-in
  std::vector<Setting<std::string>> groups;   // empty: built-in
  Setting<Duration> session_lifetime{std::chrono::hours{1}};
  friend bool operator==(TlsSettings const&, TlsSettings const&) = default;
};
// What all hosts share about resumption.
struct SessionSettings {
  Setting<SessionTickets> tickets{SessionTickets::stateful};
  Setting<std::uint64_t> cache_entries{20'000};
  Setting<ByteCount> cache_bytes{mib(64)};
  Setting<Duration> ticket_rotation{std::chrono::hours{12}};  // stateless tickets only
  friend bool operator==(SessionSettings const&, SessionSettings const&) = default;
};

enum class ClientAuthMode { off, request, require };
enum class CrlCheck { leaf, chain };
enum class OnExpiredCrl { deny, use_last };
struct CrlSource {
  enum class Kind { path, url };  // a path is a PEM or DER file, or a directory of them
  Kind kind = Kind::path;
  FilePath path;
  std::string url;
  Mark mark;
  friend bool operator==(CrlSource const& a, CrlSource const& b) {
    return a.kind == b.kind && a.path == b.path && a.url == b.url;
  }
};
struct ClientAuth {
  Setting<ClientAuthMode> mode{ClientAuthMode::off};
  std::vector<FilePath> ca;  // not empty unless mode is off
  std::vector<CrlSource> crl;
  Setting<CrlCheck> crl_check{CrlCheck::leaf};
  Setting<OnExpiredCrl> on_expired_crl{OnExpiredCrl::deny};
  Setting<bool> crl_distribution_points{false};  // also fetch what the certificates of `ca` name
  Setting<std::uint64_t> depth{4};               // certificates above the leaf
  Mark mark;
  friend bool operator==(ClientAuth const& a, ClientAuth const& b);  // places do not matter
};

enum class ForwardedCertificate { rfc9440, cloudflare, xfcc };

struct Identity {
  FilePath certificate;  // PEM leaf and chain
  FilePath private_key;
  friend bool operator==(Identity const&, Identity const&) = default;
};
struct Route {
  Setting<std::string> path;  // canonical, starts with /; longest prefix on a segment boundary
  Setting<std::string> origin;
  friend bool operator==(Route const&, Route const&) = default;
};
struct Host {
  std::vector<Setting<HostName>> names;  // at least one, unique over all hosts
  std::vector<Identity> identities;      // at least one; RSA and ECDSA side by side
  ClientAuth client_auth;
  TlsSettings tls;  // the top-level settings with this host's own on top
  Setting<std::string> origin;
  std::vector<Route> routes;
  // The top-level settings unless the host has its own.
  std::vector<Setting<ForwardedCertificate>> forward_client_certificate;
  RequestHeaders request_headers;
  Mark mark;
  std::string display_name() const { return names.empty() ? "" : names.front()->to_string(); }
};

enum class LogLevel { debug, info, warning, error };
enum class AccessFormat { json, text, off };
struct LogSettings {
  Setting<LogLevel> level{LogLevel::info};
  FilePath file;         // empty: standard error
  FilePath access_file;  // empty: standard output
  Setting<AccessFormat> access_format{AccessFormat::json};
  friend bool operator==(LogSettings const&, LogSettings const&) = default;
};

struct Limits {
  Setting<ByteCount> header_bytes{kib(32)};  // request line and fields together
  Setting<std::uint64_t> header_fields{100};
  Setting<ByteCount> uri_bytes{kib(16)};
  Setting<ByteCount> body_bytes{unlimited};
  Setting<ByteCount> body_rate{ByteCount{100}};           // a second; 0: any
  Setting<ByteCount> judged_body_bytes{kib(128)};         // what rules see of a body
  Setting<std::uint64_t> connections{65'536};             // open at once, all listeners
  Setting<std::uint64_t> connections_per_address{0};      // 0: no limit
  Setting<std::uint64_t> connections_per_certificate{0};  // 0: no limit
  Setting<std::uint64_t> handshakes{1'024};               // in progress at once
  Setting<std::uint64_t> certificate_chain{10};           // certificates a client may present
  Setting<std::uint64_t> rsa_bits{8'192};                 // largest client key that is looked at
  Setting<std::uint64_t> expression_length{4'096};        // bytes of one expression
  friend bool operator==(Limits const&, Limits const&) = default;
};

struct Timeouts {
  Setting<Duration> handshake{std::chrono::seconds{10}};
  Setting<Duration> header{std::chrono::seconds{15}};
  Setting<Duration> body{std::chrono::seconds{30}};  // longest silence between two pieces
  Setting<Duration> keep_alive{std::chrono::seconds{60}};
  Setting<Duration> tunnel{std::chrono::hours{1}};  // longest silence of an upgraded connection
  Setting<Duration> origin_connect{std::chrono::seconds{5}};
  Setting<Duration> origin_response{std::chrono::seconds{60}};
  Setting<Duration> drain{std::chrono::seconds{30}};
  friend bool operator==(Timeouts const&, Timeouts const&) = default;
};

// How CRLs are kept fresh: files watched, URLs fetched.
struct CrlRefresh {
  Setting<Duration> watch{std::chrono::seconds{5}};       // how often files are looked at; 0: never
  Setting<Duration> interval{std::chrono::hours{1}};      // longest time between two fetches
  Setting<Duration> retry{std::chrono::minutes{1}};       // first wait after a failure; doubles
  Setting<Duration> timeout{std::chrono::seconds{30}};    // of one fetch with its redirects
  Setting<Duration> start_wait{std::chrono::seconds{5}};  // for lists that were never had
  Setting<ByteCount> max_bytes{mib(64)};
  std::vector<FilePath> ca;                        // of https servers; empty: the system's
  std::vector<Setting<IpNetwork>> allowed_networks;  // besides public addresses
  friend bool operator==(CrlRefresh const&, CrlRefresh const&) = default;
};

enum class UrlNormalization { rfc3986, cloudflare };
struct AdminSettings {
  Setting<AdminAddress> address;
  Setting<bool> allow_remote{false};  // needed for an address that is not loopback
  friend bool operator==(AdminSettings const&, AdminSettings const&) = default;
};

struct Config {
  // Every text that was read, for the marks; [0] is the main file.
  std::vector<std::shared_ptr<SourceText const>> sources;
  Diagnostics warnings;

  Setting<std::uint64_t> workers{0};  // 0: `auto`, one per CPU
  std::vector<Listener> listeners;    // at least one
  std::vector<Host> hosts;            // at least one
  std::vector<Origin> origins;        // in the order written
  std::vector<Rule> rules;            // `rules`, then those of `rule_files` in their order
  std::vector<FilePath> rule_files;
  Setting<Action> default_action{Action::allow};  // allow or block
  std::optional<ShadowRules> shadow;
  std::vector<List> lists;
  std::vector<RuleTest> tests;

  TlsSettings tls;
  SessionSettings sessions;
  std::vector<Setting<ForwardedCertificate>> forward_client_certificate;
  RequestHeaders request_headers;
  Setting<UrlNormalization> url_normalization{UrlNormalization::rfc3986};
  Setting<bool> normalize_to_origin{true};

  std::optional<AdminSettings> admin;
  LogSettings log;
  Limits limits;
  Timeouts timeouts;
  CrlRefresh crl_refresh;
  FilePath state_directory;  // last good CRLs, deny list, audit log; empty: nothing is kept

  Origin const* find_origin(std::string_view name) const;
};

}  // namespace certgate::config
