// Writes certificates as field lines.
#include "certgate/http/client_cert_header.hpp"

#include "certgate/http/byte_scan.hpp"
#include "forwarded_lines.hpp"

namespace certgate::http {
namespace {

void append_line(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out += name;
  append_field_text(out, value);
  out += "\r\n";
}

// The inside of a quoted XFCC value: Envoy escapes `"` with a backslash.
void append_xfcc_quoted(std::string& out, std::string_view text) {
  std::string escaped;
  append_field_text(escaped, text);
  out += '"';
  for (char const c : escaped) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

// RFC 3986 unreserved characters stay, everything else is escaped.
void append_url_encoded_pem(std::string& out, Bytes der) {
  std::string const base64 = format_base64(der);
  std::string pem = "-----BEGIN CERTIFICATE-----\n";
  for (std::size_t at = 0; at < base64.size(); at += 64) {
    pem.append(base64, at, 64);
    pem += '\n';
  }
  pem += "-----END CERTIFICATE-----\n";
  out += format_percent(pem);
}

}  // namespace

FieldSize append_byte_sequence(std::string& out, Bytes der, std::size_t max_bytes) {
  if (base64_length(der.size()) + 2 > max_bytes) return FieldSize::too_large;
  // RFC 8941 §4.1.8: base64 with padding between colons.
  out += ':';
  append_base64(out, der);
  out += ':';
  return FieldSize::fits;
}

FieldSize append_byte_sequences(std::string& out, std::span<Bytes const> chain,
                                std::size_t max_bytes) {
  std::size_t total = 0;
  for (auto const& der : chain) total += base64_length(der.size()) + 4;
  if (!chain.empty() && total - 2 > max_bytes) return FieldSize::too_large;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    if (i != 0) out += ", ";
    // Cannot be too large: the whole fits.
    static_cast<void>(append_byte_sequence(out, chain[i], max_bytes));
  }
  return FieldSize::fits;
}

void append_client_cert(std::string& out, Bytes leaf, std::span<Bytes const> chain) {
  std::size_t const before = out.size();
  if (leaf.empty()) return;
  out += "Client-Cert: ";
  if (append_byte_sequence(out, leaf) == FieldSize::too_large) {
    out.resize(before);
  } else {
    out += "\r\n";
  }
  if (chain.empty()) return;
  std::size_t const between = out.size();
  out += "Client-Cert-Chain: ";
  if (append_byte_sequences(out, chain) == FieldSize::too_large) {
    out.resize(between);
  } else {
    out += "\r\n";
  }
}

void write_field_text(Cursor& out, std::string_view text) {
  if (!text.empty() && is_printable(text) && text.find('%') == std::string_view::npos &&
      text.front() != ' ' && text.back() != ' ') {
    out.put(text);  // mostly
    return;
  }
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (std::size_t i = 0; i < text.size(); ++i) {
    char const c = text[i];
    auto const byte = static_cast<unsigned char>(c);
    // RFC 9110 §5.5: white space around a value is no part of it; of a name it is.
    bool const is_edge = c == ' ' && (i == 0 || i + 1 == text.size());
    if (byte < 0x20 || byte > 0x7E || c == '%' || is_edge) {
      out.put('%');
      out.put(digits[byte >> 4]);
      out.put(digits[byte & 15]);
    } else {
      out.put(c);
    }
  }
}

void append_field_text(std::string& out, std::string_view text) {
  Cursor cursor(out, 3 * text.size());
  write_field_text(cursor, text);
  cursor.finish();
}

void append_cloudflare(std::string& out, ClientCertificateText const& text) {
  auto const flag = [&out](std::string_view name, bool value) {
    out += name;
    out += value ? "true\r\n" : "false\r\n";
  };
  flag("Cf-Cert-Presented: ", text.presented);
  flag("Cf-Cert-Verified: ", text.verified);
  flag("Cf-Cert-Revoked: ", text.revoked);
  append_line(out, "Cf-Cert-Issuer-Dn: ", text.issuer_dn);
  append_line(out, "Cf-Cert-Subject-Dn: ", text.subject_dn);
  append_line(out, "Cf-Cert-Issuer-Dn-Rfc2253: ", text.issuer_dn_rfc2253);
  append_line(out, "Cf-Cert-Subject-Dn-Rfc2253: ", text.subject_dn_rfc2253);
  append_line(out, "Cf-Cert-Issuer-Dn-Legacy: ", text.issuer_dn_legacy);
  append_line(out, "Cf-Cert-Subject-Dn-Legacy: ", text.subject_dn_legacy);
  append_line(out, "Cf-Cert-Serial: ", text.serial);
  append_line(out, "Cf-Cert-Issuer-Serial: ", text.issuer_serial);
  append_line(out, "Cf-Cert-Fingerprint-Sha256: ", text.fingerprint_sha256);
  append_line(out, "Cf-Cert-Sha256: ", text.fingerprint_sha256);
  append_line(out, "Cf-Cert-Fingerprint-Sha1: ", text.fingerprint_sha1);
  append_line(out, "Cf-Cert-Sha1: ", text.fingerprint_sha1);
  append_line(out, "Cf-Cert-Not-Before: ", text.not_before);
  append_line(out, "Cf-Cert-Not-After: ", text.not_after);
  append_line(out, "Cf-Cert-Ski: ", text.ski);
  append_line(out, "Cf-Cert-Issuer-Ski: ", text.issuer_ski);
}

void append_cloudflare_der(std::string& out, Bytes leaf, std::string_view fingerprint_sha256) {
  if (leaf.empty() || base64_length(leaf.size()) > max_client_cert_bytes) return;
  out += "Cf-Client-Cert-Der-Base64: ";
  append_base64(out, leaf);
  out += "\r\n";
  append_line(out, "Cf-Client-Cert-Sha256: ", fingerprint_sha256);
}

void append_forwarded_client_cert(std::string& out, ForwardedClientCert const& certificate) {
  std::string element;
  auto const key = [&element](std::string_view name) {
    if (!element.empty()) element += ';';
    element += name;
    element += '=';
  };
  if (!certificate.fingerprint_sha256.empty()) {
    key("Hash");
    append_field_text(element, certificate.fingerprint_sha256);
  }
  if (!certificate.leaf.empty() &&
      base64_length(certificate.leaf.size()) <= max_client_cert_bytes) {
    key("Cert");
    element += '"';
    append_url_encoded_pem(element, certificate.leaf);
    element += '"';
  }
  if (!certificate.subject.empty()) {
    key("Subject");
    append_xfcc_quoted(element, certificate.subject);
  }
  for (auto const& uri : certificate.uris) {
    key("URI");
    append_xfcc_quoted(element, uri);
  }
  for (auto const& name : certificate.dns_names) {
    key("DNS");
    append_xfcc_quoted(element, name);
  }
  if (element.empty()) return;
  out += "X-Forwarded-Client-Cert: ";
  out += element;
  out += "\r\n";
}

}  // namespace certgate::http
