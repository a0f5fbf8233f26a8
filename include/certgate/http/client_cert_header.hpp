// The verified client certificate as header fields for the origin: RFC 9440, Cloudflare's, Envoy's.
//
// Takes DER bytes and plain text, never a certificate type. Each append_* writes whole lines, CRLF
// included, so that the result can be kept with the connection and handed to every request.
// An absent value is an absent field, never an empty one.
//
// Whatever a peer put into its certificate stays inside its field: bytes outside 0x20 to 0x7E, and
// `%` itself, are written as %XX.
//
// See: RFC 9440 §2; Cloudflare "Add TLS client auth headers"; Envoy x-forwarded-client-cert.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "certgate/base/encoding.hpp"

namespace certgate::http {

// Cloudflare's limits on the encoded text; beyond them the field is left out.
inline constexpr std::size_t max_client_cert_bytes = 10 * 1024;
inline constexpr std::size_t max_client_cert_chain_bytes = 16 * 1024;

enum class FieldSize { fits, too_large };

// RFC 9440 §2.1: a Byte Sequence (RFC 8941 §3.3.5), `:` base64 `:`. `too_large`: nothing appended.
FieldSize append_byte_sequence(std::string& out, Bytes der,
                               std::size_t max_bytes = max_client_cert_bytes);
// RFC 9440 §2.3: the chain without the leaf, in the order sent, `:…:, :…:`.
FieldSize append_byte_sequences(std::string& out, std::span<Bytes const> chain,
                                std::size_t max_bytes = max_client_cert_chain_bytes);

// `Client-Cert: :…:` and `Client-Cert-Chain: :…:, :…:`; each left out when empty or too large.
void append_client_cert(std::string& out, Bytes leaf, std::span<Bytes const> chain);

// The texts of the fields cf.tls_client_auth.* under the same names.
struct ClientCertificateText {
  bool presented = false;
  bool verified = false;
  bool revoked = false;
  std::string_view subject_dn;
  std::string_view issuer_dn;
  std::string_view subject_dn_rfc2253;
  std::string_view issuer_dn_rfc2253;
  std::string_view subject_dn_legacy;
  std::string_view issuer_dn_legacy;
  std::string_view serial;
  std::string_view issuer_serial;
  std::string_view fingerprint_sha256;
  std::string_view fingerprint_sha1;
  std::string_view not_before;
  std::string_view not_after;
  std::string_view ski;
  std::string_view issuer_ski;
};

// Cf-Cert-*: the three booleans always, the rest where there is a value. Fingerprints go out under
// both names that Cloudflare's documentation uses.
void append_cloudflare(std::string& out, ClientCertificateText const& text);
// Cf-Client-Cert-Der-Base64 and Cf-Client-Cert-Sha256 ("client_certificate_forwarding").
void append_cloudflare_der(std::string& out, Bytes leaf, std::string_view fingerprint_sha256);

struct ForwardedClientCert {
  std::string_view fingerprint_sha256;          // Hash
  std::string_view subject;                     // Subject, RFC 2253
  std::span<std::string_view const> uris;       // URI
  std::span<std::string_view const> dns_names;  // DNS
  Bytes leaf;                                   // Cert: URL-encoded PEM; empty leaves it out
};
// X-Forwarded-Client-Cert with one element.
void append_forwarded_client_cert(std::string& out, ForwardedClientCert const& certificate);

// Appends `text` as a field value may hold it (see above).
void append_field_text(std::string& out, std::string_view text);

}  // namespace certgate::http
