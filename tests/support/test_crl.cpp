// Makes revocation lists, sound and otherwise, with OpenSSL's own encoders.
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "support/openssl_parts.hpp"
#include "support/test_ca.hpp"

namespace certgate::testing {
namespace {

void add_number(X509_CRL* crl, int nid, std::string const& hex, int critical) {
  ASN1_INTEGER* const number = make_integer(hex);
  require(X509_CRL_add1_ext_i2d(crl, nid, number, critical, 0) == 1, "CRL number");
  ASN1_INTEGER_free(number);
}

void add_distribution_point(X509_CRL* crl, CrlSpec const& spec) {
  ISSUING_DIST_POINT* const point = ISSUING_DIST_POINT_new();
  point->onlyuser = spec.only_user ? 0xFF : 0;
  point->onlyCA = spec.only_ca ? 0xFF : 0;
  point->indirectCRL = spec.indirect ? 0xFF : 0;
  point->onlyattr = spec.only_attribute ? 0xFF : 0;
  if (spec.some_reasons) {
    point->onlysomereasons = ASN1_BIT_STRING_new();
    ASN1_BIT_STRING_set_bit(point->onlysomereasons, 1, 1);
  }
  if (!spec.point_uri.empty()) {
    GENERAL_NAME* const name = GENERAL_NAME_new();
    ASN1_IA5STRING* const uri = ASN1_IA5STRING_new();
    ASN1_STRING_set(uri, spec.point_uri.data(), static_cast<int>(spec.point_uri.size()));
    GENERAL_NAME_set0_value(name, GEN_URI, uri);
    point->distpoint = DIST_POINT_NAME_new();
    point->distpoint->type = 0;
    point->distpoint->name.fullname = GENERAL_NAMES_new();
    sk_GENERAL_NAME_push(point->distpoint->name.fullname, name);
  }
  require(X509_CRL_add1_ext_i2d(crl, NID_issuing_distribution_point, point, 1, 0) == 1, "IDP");
  ISSUING_DIST_POINT_free(point);
}

void add_entries(X509_CRL* crl, CrlSpec const& spec) {
  ASN1_TIME* const time = ASN1_TIME_new();
  for (CrlEntrySpec const& entry : spec.entries) {
    X509_REVOKED* const revoked = X509_REVOKED_new();
    ASN1_INTEGER* const serial = make_integer(entry.serial);
    X509_REVOKED_set_serialNumber(revoked, serial);
    ASN1_INTEGER_free(serial);
    ASN1_TIME_set(time, entry.revoked_at.value_or(test_now() - 7200));
    X509_REVOKED_set_revocationDate(revoked, time);
    if (entry.reason >= 0) {
      ASN1_ENUMERATED* const reason = ASN1_ENUMERATED_new();
      ASN1_ENUMERATED_set(reason, entry.reason);
      X509_REVOKED_add1_ext_i2d(revoked, NID_crl_reason, reason, 0, 0);
      ASN1_ENUMERATED_free(reason);
    }
    for (RawExtension const& raw : entry.extensions) {
      X509_EXTENSION* const extension = make_extension(raw);
      X509_REVOKED_add_ext(revoked, extension, -1);
      X509_EXTENSION_free(extension);
    }
    X509_CRL_add0_revoked(crl, revoked);
  }
  ASN1_TIME_free(time);
}

void sign(X509_CRL* crl, CrlSpec const& spec, EVP_PKEY* key) {
  EVP_MD const* const digest = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519
                                   ? nullptr
                                   : EVP_get_digestbyname(spec.digest.c_str());
  if (!spec.pss) {
    require(X509_CRL_sign(crl, key, digest) > 0, "X509_CRL_sign");
    return;
  }
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* parameters = nullptr;
  require(EVP_DigestSignInit(context, &parameters, digest, nullptr, key) == 1, "PSS init");
  EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING);
  EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST);
  require(X509_CRL_sign_ctx(crl, context) > 0, "X509_CRL_sign_ctx");
  EVP_MD_CTX_free(context);
}

}  // namespace

std::string make_crl(CrlSpec const& spec, Issued const& issuer, Issued const* signer) {
  X509_CRL* const crl = X509_CRL_new();
  X509* const ca = decode(issuer.der);
  X509_CRL_set_version(crl, 1);
  X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca));
  ASN1_TIME* const time = ASN1_TIME_new();
  ASN1_TIME_set(time, spec.this_update.value_or(test_now() - 3600));
  X509_CRL_set1_lastUpdate(crl, time);
  if (!spec.no_next_update) {
    ASN1_TIME_set(time, spec.next_update.value_or(test_now() + 86400));
    X509_CRL_set1_nextUpdate(crl, time);
  }
  ASN1_TIME_free(time);
  add_entries(crl, spec);
  if (spec.authority_key_id && X509_get0_subject_key_id(ca) != nullptr) {
    AUTHORITY_KEYID* const id = AUTHORITY_KEYID_new();
    id->keyid = ASN1_OCTET_STRING_dup(X509_get0_subject_key_id(ca));
    X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, id, 0, 0);
    AUTHORITY_KEYID_free(id);
  }
  if (!spec.number.empty()) add_number(crl, NID_crl_number, spec.number, 0);
  if (!spec.base_number.empty()) add_number(crl, NID_delta_crl, spec.base_number, 1);
  if (spec.only_user || spec.only_ca || spec.only_attribute || spec.indirect || spec.some_reasons ||
      !spec.point_uri.empty()) {
    add_distribution_point(crl, spec);
  }
  for (RawExtension const& raw : spec.extensions) {
    X509_EXTENSION* const extension = make_extension(raw);
    X509_CRL_add_ext(crl, extension, -1);
    X509_EXTENSION_free(extension);
  }
  sign(crl, spec, (signer != nullptr ? *signer : issuer).key.handle());
  unsigned char* der = nullptr;
  int const size = i2d_X509_CRL(crl, &der);
  require(size > 0, "i2d_X509_CRL");
  std::string bytes(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  X509_free(ca);
  X509_CRL_free(crl);
  return bytes;
}

x509::Crl::Pointer read_crl(std::string der) {
  auto crl = x509::Crl::parse_der(std::move(der));
  require(crl.has_value(), crl ? "" : crl.error().detail.c_str());
  return *crl;
}

}  // namespace certgate::testing
