#include "extensions.hpp"

#include <array>

#include "subject_alternative_names.hpp"

namespace certgate::pki {
namespace {

constexpr int key_identifier_bytes = 20;

enum class Critical { no, yes };

Result<void> add(X509* certificate, int nid, void* value, Critical critical) {
  if (value && X509_add1_ext_i2d(certificate, nid, value, critical == Critical::yes ? 1 : 0,
                                 X509V3_ADD_DEFAULT) == 1) {
    return {};
  }
  return fail(openssl_error(std::string("cannot add the extension ") + OBJ_nid2sn(nid)));
}

Result<void> add_basic_constraints(X509* certificate, CertificateOrder const& order,
                                   Profile const& profile) {
  std::unique_ptr<BASIC_CONSTRAINTS, Release<BASIC_CONSTRAINTS_free>> const constraints(
      BASIC_CONSTRAINTS_new());
  if (!constraints) return fail(openssl_error("out of memory"));
  constraints->ca = profile.is_authority ? 0xff : 0;
  if (profile.is_authority) {
    constraints->pathlen = ASN1_INTEGER_new();
    ASN1_INTEGER_set(constraints->pathlen, order.path_length);
  }
  return add(certificate, NID_basic_constraints, constraints.get(), Critical::yes);
}

Result<void> add_key_usage(X509* certificate, Profile const& profile) {
  std::unique_ptr<ASN1_BIT_STRING, Release<ASN1_BIT_STRING_free>> const usage(
      ASN1_BIT_STRING_new());
  // RFC 5280 §4.2.1.3: digitalSignature (0), keyEncipherment (2), keyCertSign (5), cRLSign (6).
  if (profile.is_authority) {
    ASN1_BIT_STRING_set_bit(usage.get(), 5, 1);
    ASN1_BIT_STRING_set_bit(usage.get(), 6, 1);
  } else {
    ASN1_BIT_STRING_set_bit(usage.get(), 0, 1);
    // TLS 1.2 without (EC)DHE encrypts to the server's RSA key.
    if (profile.server_auth && EVP_PKEY_is_a(X509_get0_pubkey(certificate), "RSA")) {
      ASN1_BIT_STRING_set_bit(usage.get(), 2, 1);
    }
  }
  return add(certificate, NID_key_usage, usage.get(), Critical::yes);
}

Result<void> add_extended_key_usage(X509* certificate, Profile const& profile) {
  if (profile.is_authority) return {};
  std::unique_ptr<EXTENDED_KEY_USAGE, Release<EXTENDED_KEY_USAGE_free>> const usage(
      EXTENDED_KEY_USAGE_new());
  if (profile.client_auth) sk_ASN1_OBJECT_push(usage.get(), OBJ_nid2obj(NID_client_auth));
  if (profile.server_auth) sk_ASN1_OBJECT_push(usage.get(), OBJ_nid2obj(NID_server_auth));
  return add(certificate, NID_ext_key_usage, usage.get(), Critical::no);
}

// RFC 7093 §2 method 1: the leftmost 160 bits of the SHA-256 of the public key's bits.
OctetsOwner key_identifier_of(X509 const* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  OctetsOwner identifier(ASN1_OCTET_STRING_new());
  if (!identifier || X509_pubkey_digest(certificate, EVP_sha256(), digest.data(), &length) != 1 ||
      ASN1_OCTET_STRING_set(identifier.get(), digest.data(), key_identifier_bytes) != 1) {
    return nullptr;
  }
  return identifier;
}

std::unique_ptr<AUTHORITY_KEYID, Release<AUTHORITY_KEYID_free>> authority_key_of(
    X509 const* issuer) {
  // The const_cast is for OpenSSL 3.0, whose getter caches inside the certificate.
  auto const* const identifier = X509_get0_subject_key_id(const_cast<X509*>(issuer));
  std::unique_ptr<AUTHORITY_KEYID, Release<AUTHORITY_KEYID_free>> key(AUTHORITY_KEYID_new());
  if (!identifier || !key) return nullptr;
  key->keyid = ASN1_OCTET_STRING_dup(identifier);
  return key;
}

Result<void> add_distribution_points(X509* certificate, std::vector<std::string> const& urls) {
  if (urls.empty()) return {};
  std::unique_ptr<CRL_DIST_POINTS, Release<CRL_DIST_POINTS_free>> const points(
      CRL_DIST_POINTS_new());
  for (auto const& url : urls) {
    auto name = AlternativeName::parse(NameKind::uri, url);
    if (!name) return fail(std::move(name).error());
    auto names = build_general_names({*name});
    auto* const point = DIST_POINT_new();
    if (!names || !point) return fail(openssl_error("out of memory"));
    point->distpoint = DIST_POINT_NAME_new();
    point->distpoint->type = 0;
    point->distpoint->name.fullname = names.release();
    sk_DIST_POINT_push(points.get(), point);
  }
  return add(certificate, NID_crl_distribution_points, points.get(), Critical::no);
}

}  // namespace

Result<void> add_extensions(X509* certificate, X509 const* issuer, CertificateOrder const& order) {
  auto const& profile = profile_of(order.profile);
  if (auto done = add_basic_constraints(certificate, order, profile); !done) return done;
  if (auto done = add_key_usage(certificate, profile); !done) return done;
  if (auto done = add_extended_key_usage(certificate, profile); !done) return done;
  auto const identifier = key_identifier_of(certificate);
  auto done = add(certificate, NID_subject_key_identifier, identifier.get(), Critical::no);
  if (!done) return done;
  if (issuer != certificate) {
    auto const authority_key = authority_key_of(issuer);
    done = add(certificate, NID_authority_key_identifier, authority_key.get(), Critical::no);
    if (!done) return done;
  }
  if (!order.alternative_names.empty()) {
    auto const names = build_general_names(order.alternative_names);
    done = add(certificate, NID_subject_alt_name, names.get(), Critical::no);
    if (!done) return done;
  }
  if (profile.is_authority && !order.constraints.empty()) {
    // RFC 5280 §4.2.1.10: "Conforming CAs MUST mark this extension as critical".
    auto const constraints = build_constraints(order.constraints);
    done = add(certificate, NID_name_constraints, constraints.get(), Critical::yes);
    if (!done) return done;
  }
  return add_distribution_points(certificate, order.crl_urls);
}

Result<void> add_revocation_list_extensions(X509_CRL* list, X509 const* issuer,
                                            std::int64_t number) {
  auto const authority_key = authority_key_of(issuer);
  IntegerOwner const crl_number(ASN1_INTEGER_new());
  if (!authority_key || !crl_number || ASN1_INTEGER_set_int64(crl_number.get(), number) != 1 ||
      X509_CRL_add1_ext_i2d(list, NID_authority_key_identifier, authority_key.get(), 0,
                            X509V3_ADD_DEFAULT) != 1 ||
      X509_CRL_add1_ext_i2d(list, NID_crl_number, crl_number.get(), 0, X509V3_ADD_DEFAULT) != 1) {
    return fail(openssl_error("cannot add the list's extensions"));
  }
  return {};
}

}  // namespace certgate::pki
