// What is known of one request, or of one failed handshake, when it is over: the access log's line.
//
// Plain values that the proxy fills in and that live as long as the call that formats or counts
// them; the views point into the connection. Any field may be absent: an empty view, a negative
// duration, a status of 0. Formatting is total (it cannot fail, whatever a peer sent): controls,
// quotes and bytes that are not UTF-8 are escaped, and a text longer than max_logged_text is cut.
//
// Units: durations in microseconds, sizes in bytes, times are UTC.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace certgate::telemetry {

inline constexpr std::chrono::microseconds not_measured{-1};
// A longer text from a peer is cut there and ends in "...".
inline constexpr std::size_t max_logged_text = 8 * 1024;

// The verdict on a client certificate, coarse enough to be counted by; the exact reason is a text.
enum class CertificateVerdict : std::uint8_t {
  not_asked,  // the host does not ask for client certificates
  none,       // asked for, not sent
  verified,
  revoked,  // verified otherwise
  expired,
  not_yet_valid,
  untrusted,  // no chain to a CA of this host
  wrong_purpose,
  crl_unusable,  // its issuer's CRL is missing or has expired
  invalid,       // anything else: broken, weak, chain too long
};
inline constexpr std::size_t certificate_verdict_count = 10;
std::string_view name_of(CertificateVerdict verdict);

// What the rules made of a request.
enum class RequestAction : std::uint8_t {
  refused,  // never got as far as a decision: malformed, misdirected, too large
  allowed,  // by a rule or by default
  blocked,
};
inline constexpr std::size_t request_action_count = 3;
std::string_view name_of(RequestAction action);

struct CertificateRecord {
  CertificateVerdict verdict = CertificateVerdict::not_asked;
  bool presented = false;
  std::string_view reason;       // exact: "certificate has expired"; empty when verified
  std::string_view subject;      // distinguished name
  std::string_view issuer;       // distinguished name
  std::string_view serial;       // hexadecimal
  std::string_view fingerprint;  // SHA-256, hexadecimal
};

struct AccessRecord {
  std::chrono::system_clock::time_point time;  // when the request began
  std::string_view request_id;

  // Not 0: records with the same number have the same client, listener, SNI, TLS facts and
  // certificate (not its verdict), so these need to be formatted only once.
  std::uint64_t connection = 0;
  std::string_view client_address;
  std::uint16_t client_port = 0;
  std::string_view listener;
  std::string_view sni;

  std::string_view host;
  std::string_view method;
  std::string_view path;   // as the rules saw it
  std::string_view query;  // without the question mark
  std::string_view protocol;
  std::string_view user_agent;
  unsigned status = 0;  // 0: the connection ended without an answer
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;

  std::chrono::microseconds handshake = not_measured;  // on a connection's first request only
  std::chrono::microseconds origin_connect = not_measured;
  std::chrono::microseconds origin_time = not_measured;  // request sent to answer's head received
  std::chrono::microseconds total = not_measured;

  std::string_view tls_version;
  std::string_view tls_cipher;
  bool tls_resumed = false;
  CertificateRecord certificate;

  RequestAction action = RequestAction::refused;
  std::string_view rule;                            // that decided; empty: the default action
  std::span<std::string_view const> logging_rules;  // rules with action `log` that matched
  std::string_view shadow;  // what a shadowed policy would have done instead

  std::string_view origin;
  std::string_view origin_server;
  unsigned origin_attempts = 0;
  std::string_view failure;  // short token: "header_timeout", "origin_refused"; empty: none
  std::string_view failure_detail;  // the system's or OpenSSL's own words; empty: none
};

// A handshake that ended without a session.
struct HandshakeRecord {
  std::chrono::system_clock::time_point time;
  std::string_view client_address;
  std::uint16_t client_port = 0;
  std::string_view listener;
  std::string_view sni;
  std::chrono::microseconds handshake = not_measured;
  std::string_view tls_version;
  CertificateRecord certificate;
  std::string_view reason;   // OpenSSL's own words
  std::string_view alert;    // sent or received: "certificate_required"; empty: none
  std::string_view failure;  // short token, as for requests
};

// One JSON object (RFC 8259) on one line; absent fields are left out. `append_text` writes what a
// person reads with tail: time, client, request in quotes, status, sizes, then name=value pairs.
// Both end with a newline.
void append_json(AccessRecord const& record, std::string& out);
void append_json(HandshakeRecord const& record, std::string& out);
void append_text(AccessRecord const& record, std::string& out);
void append_text(HandshakeRecord const& record, std::string& out);

}  // namespace certgate::telemetry
