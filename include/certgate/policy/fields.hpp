// THE field table: every name that a request rule may use or that people paste, with its type.
//
// A field is either answered (its value is filled from Facts, policy/facts.hpp), or fixed (a
// standalone proxy cannot know it; Cloudflare documents what it is when nothing is known, and that
// is its value here: false, 0 or ""), or refused (any value would decide wrongly; using it is an
// error that says why). Built once per policy, then read by any thread.
//
// See: docs/language.md, whose section "Fields" is printed from this table.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/rules/program.hpp"
#include "certgate/rules/scheme.hpp"

namespace certgate::policy {

// Everything with a value, in the order of the table. Its number is the field's FieldId in every
// Scheme made here.
enum class Field : rules::FieldId {
  // The client's certificate.
  cert_presented,
  cert_verified,
  cert_revoked,
  cert_subject_dn,
  cert_issuer_dn,
  cert_subject_dn_rfc2253,
  cert_issuer_dn_rfc2253,
  cert_subject_dn_legacy,
  cert_issuer_dn_legacy,
  cert_serial,
  cert_issuer_serial,
  cert_fingerprint_sha256,
  cert_fingerprint_sha1,
  cert_not_before,
  cert_not_after,
  cert_ski,
  cert_issuer_ski,
  cert_rfc9440,
  cert_rfc9440_too_large,
  cert_chain_rfc9440,
  cert_chain_rfc9440_too_large,
  // The connection.
  ssl,
  tls_version,
  tls_cipher,
  tls_client_hello_length,
  tls_client_random,
  tls_client_extensions_sha1,
  tls_client_extensions_sha1_le,
  tls_ciphers_sha1,
  ip_src,
  edge_server_ip,
  edge_server_port,
  edge_client_tcp,
  ray_id,
  random_seed,
  timestamp_sec,
  timestamp_msec,
  // The request line.
  host,
  method,
  version,
  full_uri,
  uri,
  path,
  path_extension,
  query,
  args,
  args_names,
  args_values,
  raw_full_uri,
  raw_uri,
  raw_path,
  raw_path_extension,
  raw_query,
  raw_args,
  raw_args_names,
  raw_args_values,
  // Header fields.
  headers,
  headers_names,
  headers_values,
  headers_truncated,
  cookie,
  cookies,
  user_agent,
  referer,
  x_forwarded_for,
  accepted_languages,
  // The body.
  body_raw,
  body_size,
  body_truncated,
  body_mime,
  body_form,
  body_form_names,
  body_form_values,
  body_multipart,
  body_multipart_names,
  body_multipart_values,
  body_multipart_content_types,
  body_multipart_content_dispositions,
  body_multipart_transfer_encodings,
  body_multipart_filenames,
  first_fixed,  // from here on: fixed values
};

constexpr rules::FieldId id_of(Field field) { return static_cast<rules::FieldId>(field); }

// One of the 21 fields cf.tls_client_auth.*.
constexpr bool is_certificate_field(rules::FieldId id) { return id < id_of(Field::ssl); }
// What the certificate says, as opposed to what verification found out about it.
constexpr bool is_identity_field(rules::FieldId id) {
  return is_certificate_field(id) && id > id_of(Field::cert_revoked);
}

enum class Availability : std::uint8_t { answered, fixed, refused };

struct FieldRow {
  std::string_view name;
  rules::Type type;
  Availability availability = Availability::answered;
  rules::Letters letters = rules::Letters::any;
  bool hexadecimal = false;
  std::string_view doc;      // one sentence; of a refused field: why
  std::string_view example;  // an expression; of a refused field: a hint, or empty
};

// Answered and fixed fields in the order of their ids, then the refused ones.
std::span<FieldRow const> field_table();
std::size_t answered_field_count();
// Answered and fixed ones: how many values an evaluation has.
std::size_t valued_field_count();
inline bool is_fixed(rules::FieldId id) { return id >= id_of(Field::first_fixed); }

// One of the fields http.request.body.*: what reads one needs the body before the decision.
constexpr bool is_body_field(rules::FieldId id) {
  return id >= id_of(Field::body_raw) && id < id_of(Field::first_fixed);
}
bool reads_body(rules::FieldSet const& fields);

enum class Schema {
  certgate,    // refused fields and Cloudflare's managed lists are errors that say why
  documented,  // every documented name with its type: does an expression parse at Cloudflare?
};
// Fields and the standard functions; the caller adds lists.
rules::Scheme make_scheme(Schema schema = Schema::certgate);

// Section "Fields" of docs/language.md: one Markdown table for each kind.
std::string format_field_reference();

}  // namespace certgate::policy
