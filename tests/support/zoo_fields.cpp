// What OpenSSL prints for each field of a certificate: the oracle of the zoo.
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "support/openssl_parts.hpp"
#include "support/zoo.hpp"

namespace certgate::testing {
namespace {

std::string name_text(X509_NAME const* name, unsigned long flags) {
  BIO* const bio = BIO_new(BIO_s_mem());
  X509_NAME_print_ex(bio, name, 0, flags);
  return take_text(bio);
}

std::string name_oneline(X509_NAME const* name) {
  if (X509_NAME_entry_count(name) == 0) return "";
  char* const text = X509_NAME_oneline(name, nullptr, 0);
  std::string const copy(text);
  OPENSSL_free(text);
  return copy;
}

std::string time_text(ASN1_TIME const* time) {
  BIO* const bio = BIO_new(BIO_s_mem());
  ASN1_TIME_print(bio, time);
  return take_text(bio);
}

std::string serial_text(ASN1_INTEGER const* serial) {
  BIO* const bio = BIO_new(BIO_s_mem());
  i2a_ASN1_INTEGER(bio, serial);
  return take_text(bio);
}

std::string hex_of(unsigned char const* data, std::size_t size, bool upper) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) {
    char digits[3];
    std::snprintf(digits, sizeof digits, upper ? "%02X" : "%02x", data[i]);
    text += digits;
  }
  return text;
}

std::string digest_text(X509* certificate, EVP_MD const* md) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  X509_digest(certificate, md, digest, &size);
  return hex_of(digest, size, false);
}

std::string key_id_text(ASN1_OCTET_STRING const* id) {
  if (id == nullptr) return "";
  return hex_of(ASN1_STRING_get0_data(id), static_cast<std::size_t>(ASN1_STRING_length(id)), true);
}

std::string base64_of(std::string const& der) {
  std::string text((der.size() + 2) / 3 * 4 + 1, '\0');
  int const size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<unsigned char const*>(der.data()),
                                   static_cast<int>(der.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

void add_rfc9440(std::map<std::string, std::string>& fields, Issued const& leaf,
                 std::vector<Issued> const& others) {
  std::string const encoded = ":" + base64_of(leaf.der) + ":";
  bool const large = encoded.size() > 10240;
  fields["cert_rfc9440"] = large ? "" : encoded;
  fields["cert_rfc9440_too_large"] = large ? "true" : "false";
  std::string chain;
  for (Issued const& other : others) {
    if (!chain.empty()) chain += ", ";
    chain += ":" + base64_of(other.der) + ":";
  }
  bool const large_chain = chain.size() > 16384;
  fields["cert_chain_rfc9440"] = large_chain ? "" : chain;
  fields["cert_chain_rfc9440_too_large"] = large_chain ? "true" : "false";
}

}  // namespace

std::map<std::string, std::string> openssl_fields(Issued const& leaf, Issued const* issuer,
                                                  std::vector<Issued> const& others) {
  X509* const certificate = decode(leaf.der);
  X509_NAME const* const subject_name = X509_get_subject_name(certificate);
  X509_NAME const* const issuer_name = X509_get_issuer_name(certificate);
  // RFC 4514 leaves UTF-8 as it is; RFC 2253 as OpenSSL prints it escapes it.
  unsigned long const rfc2253 = XN_FLAG_RFC2253;
  unsigned long const rfc4514 = XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB);
  std::map<std::string, std::string> fields;
  fields["cert_presented"] = "true";
  fields["cert_subject_dn"] = name_text(subject_name, rfc4514);
  fields["cert_issuer_dn"] = name_text(issuer_name, rfc4514);
  fields["cert_subject_dn_rfc2253"] = name_text(subject_name, rfc2253);
  fields["cert_issuer_dn_rfc2253"] = name_text(issuer_name, rfc2253);
  fields["cert_subject_dn_legacy"] = name_oneline(subject_name);
  fields["cert_issuer_dn_legacy"] = name_oneline(issuer_name);
  fields["cert_serial"] = serial_text(X509_get0_serialNumber(certificate));
  fields["cert_fingerprint_sha256"] = digest_text(certificate, EVP_sha256());
  fields["cert_fingerprint_sha1"] = digest_text(certificate, EVP_sha1());
  fields["cert_not_before"] = time_text(X509_get0_notBefore(certificate));
  fields["cert_not_after"] = time_text(X509_get0_notAfter(certificate));
  fields["cert_ski"] = key_id_text(X509_get0_subject_key_id(certificate));
  fields["cert_issuer_ski"] = key_id_text(X509_get0_authority_key_id(certificate));
  fields["cert_issuer_serial"] = "";
  if (issuer != nullptr) {
    X509* const issuer_certificate = decode(issuer->der);
    fields["cert_issuer_serial"] = serial_text(X509_get0_serialNumber(issuer_certificate));
    std::string const id = key_id_text(X509_get0_subject_key_id(issuer_certificate));
    if (!id.empty()) fields["cert_issuer_ski"] = id;
    X509_free(issuer_certificate);
  }
  X509_free(certificate);
  add_rfc9440(fields, leaf, others);
  return fields;
}

}  // namespace certgate::testing
