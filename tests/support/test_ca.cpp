// Makes keys and certificates with OpenSSL's own encoders.
#include "support/test_ca.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <mutex>

#include "certgate/x509/pem.hpp"
#include "support/openssl_parts.hpp"

namespace certgate::testing {
namespace {

UnixSeconds now_of_tests = 0;

EVP_PKEY* make_key(KeyKind kind) {
  switch (kind) {
    case KeyKind::p256:
      return EVP_EC_gen("P-256");
    case KeyKind::p384:
      return EVP_EC_gen("P-384");
    case KeyKind::p521:
      return EVP_EC_gen("P-521");
    case KeyKind::rsa1024:
      return EVP_RSA_gen(1024);
    case KeyKind::rsa2048:
      return EVP_RSA_gen(2048);
    case KeyKind::rsa3072:
      return EVP_RSA_gen(3072);
    case KeyKind::rsa4096:
      return EVP_RSA_gen(4096);
    case KeyKind::ed25519:
      return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    case KeyKind::rsa_pss2048: {
      EVP_PKEY_CTX* const context = EVP_PKEY_CTX_new_from_name(nullptr, "RSA-PSS", nullptr);
      EVP_PKEY* key = nullptr;
      require(EVP_PKEY_keygen_init(context) == 1, "RSA-PSS keygen");
      EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048);
      EVP_PKEY_generate(context, &key);
      EVP_PKEY_CTX_free(context);
      return key;
    }
  }
  return nullptr;
}

X509_NAME* make_name(std::vector<NameAttribute> const& attributes) {
  X509_NAME* const name = X509_NAME_new();
  for (NameAttribute const& attribute : attributes) {
    ASN1_OBJECT* const type = OBJ_txt2obj(attribute.type.c_str(), 0);
    require(type != nullptr, attribute.type.c_str());
    X509_NAME_ENTRY* entry = X509_NAME_ENTRY_new();
    X509_NAME_ENTRY_set_object(entry, type);
    ASN1_OBJECT_free(type);
    // Bytes as given: OpenSSL checks neither length nor contents of a string of a stated type.
    require(X509_NAME_ENTRY_set_data(entry, attribute.string_type,
                                     reinterpret_cast<unsigned char const*>(attribute.value.data()),
                                     static_cast<int>(attribute.value.size())) == 1,
            "X509_NAME_ENTRY_set_data");
    require(X509_NAME_add_entry(name, entry, -1, attribute.in_same_rdn ? -1 : 0) == 1,
            "X509_NAME_add_entry");
    X509_NAME_ENTRY_free(entry);
  }
  return name;
}

std::string fresh_serial() {
  static std::uint64_t counter = 0x1000;
  char text[40];
  std::snprintf(text, sizeof text, "5E71A100C0FFEE00%016llX",
                static_cast<unsigned long long>(++counter));
  return text;
}

void add_configured(X509* certificate, X509* issuer, int nid, std::string const& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  require(extension != nullptr, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

void add_alt_names(X509* certificate, std::vector<AltName> const& names) {
  GENERAL_NAMES* const list = GENERAL_NAMES_new();
  for (AltName const& name : names) {
    GENERAL_NAME* const general = GENERAL_NAME_new();
    bool const is_ip = name.type == x509::SanType::ip;
    ASN1_STRING* const value = ASN1_STRING_type_new(is_ip ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    ASN1_STRING_set(value, name.value.data(), static_cast<int>(name.value.size()));
    int const type = is_ip                             ? GEN_IPADD
                     : name.type == x509::SanType::dns ? GEN_DNS
                     : name.type == x509::SanType::uri ? GEN_URI
                                                       : GEN_EMAIL;
    GENERAL_NAME_set0_value(general, type, value);
    sk_GENERAL_NAME_push(list, general);
  }
  require(X509_add1_ext_i2d(certificate, NID_subject_alt_name, list, 0, 0) == 1, "subjectAltName");
  GENERAL_NAMES_free(list);
}

void add_extensions(X509* certificate, X509* issuer, CertificateSpec const& spec) {
  if (spec.ca) {
    std::string value = "critical,CA:TRUE";
    if (spec.path_length >= 0) value += ",pathlen:" + std::to_string(spec.path_length);
    add_configured(certificate, issuer, NID_basic_constraints, value);
  }
  if (spec.subject_key_id) {
    add_configured(certificate, issuer, NID_subject_key_identifier, "hash");
  }
  bool const issuer_has_id = X509_get0_subject_key_id(issuer) != nullptr;
  if (spec.authority_key_id && issuer_has_id) {
    add_configured(certificate, issuer, NID_authority_key_identifier, "keyid:always");
  }
  if (!spec.key_usage.empty()) {
    add_configured(certificate, issuer, NID_key_usage, spec.key_usage);
  }
  if (!spec.extended_key_usage.empty()) {
    add_configured(certificate, issuer, NID_ext_key_usage, spec.extended_key_usage);
  }
  if (!spec.name_constraints.empty()) {
    add_configured(certificate, issuer, NID_name_constraints, spec.name_constraints);
  }
  for (std::string const& uri : spec.crl_points) {
    add_configured(certificate, issuer, NID_crl_distribution_points, "URI:" + uri);
  }
  if (!spec.alt_names.empty()) add_alt_names(certificate, spec.alt_names);
  for (RawExtension const& raw : spec.extensions) {
    X509_EXTENSION* const extension = make_extension(raw);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
}

}  // namespace

void require(bool condition, char const* what) {
  if (condition) return;
  std::fprintf(stderr, "test support: %s failed\n", what);
  ERR_print_errors_fp(stderr);
  std::abort();
}

UnixSeconds test_now() {
  if (now_of_tests == 0) now_of_tests = std::time(nullptr);
  return now_of_tests;
}
void set_test_now(UnixSeconds now) { now_of_tests = now; }

TestKey::TestKey(evp_pkey_st* key) : key_(key, EVP_PKEY_free) {}

TestKey TestKey::make(KeyKind kind) {
  EVP_PKEY* const key = make_key(kind);
  require(key != nullptr, "key generation");
  return TestKey(key);
}

TestKey const& TestKey::cached(KeyKind kind) {
  static std::mutex mutex;
  static std::map<KeyKind, TestKey> keys;
  std::lock_guard const lock(mutex);
  auto at = keys.find(kind);
  if (at == keys.end()) at = keys.emplace(kind, make(kind)).first;
  return at->second;
}

std::string TestKey::pem() const {
  BIO* const bio = BIO_new(BIO_s_mem());
  require(
      PEM_write_bio_PKCS8PrivateKey(bio, key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1,
      "PEM_write_bio_PKCS8PrivateKey");
  return take_text(bio);
}

std::string Issued::pem() const { return x509::format_pem("CERTIFICATE", as_bytes(der)); }

Issued issue(CertificateSpec const& spec, TestKey const& key, Issued const* issuer) {
  X509* const certificate = X509_new();
  X509_set_version(certificate, spec.version_1 ? 0 : 2);
  ASN1_INTEGER* const serial = make_integer(spec.serial.empty() ? fresh_serial() : spec.serial);
  X509_set_serialNumber(certificate, serial);
  ASN1_INTEGER_free(serial);
  ASN1_TIME_set(X509_getm_notBefore(certificate), spec.not_before.value_or(test_now() - 86400));
  ASN1_TIME_set(X509_getm_notAfter(certificate),
                spec.not_after.value_or(test_now() + UnixSeconds{365} * 86400));
  X509_NAME* const subject = make_name(spec.subject);
  X509_set_subject_name(certificate, subject);
  X509_NAME_free(subject);
  X509_set_pubkey(certificate, key.handle());
  X509* issuer_certificate = certificate;
  if (issuer != nullptr) issuer_certificate = decode(issuer->der);
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer_certificate));
  if (!spec.version_1) add_extensions(certificate, issuer_certificate, spec);
  EVP_PKEY* const signer = issuer != nullptr ? issuer->key.handle() : key.handle();
  bool const has_own_digest = EVP_PKEY_get_base_id(signer) == EVP_PKEY_ED25519;
  EVP_MD const* const digest = has_own_digest ? nullptr : EVP_get_digestbyname(spec.digest.c_str());
  require(X509_sign(certificate, signer, digest) > 0, "X509_sign");
  Issued issued{encode(certificate), key, nullptr};
  if (issuer != nullptr) X509_free(issuer_certificate);
  X509_free(certificate);
  if (auto facts = x509::Certificate::parse_der(as_bytes(issued.der))) issued.facts = *facts;
  return issued;
}

Issued issue(CertificateSpec const& spec, Issued const* issuer) {
  return issue(spec, TestKey::make(KeyKind::p256), issuer);
}

Issued make_ca(std::string const& name, Issued const* issuer, KeyKind kind) {
  CertificateSpec spec;
  spec.subject = {{"O", "Test"}, {"CN", name}};
  spec.ca = true;
  spec.key_usage = "critical,keyCertSign,cRLSign";
  bool const is_rsa = kind == KeyKind::rsa2048 || kind == KeyKind::rsa4096;
  return issue(spec, is_rsa ? TestKey::cached(kind) : TestKey::make(kind), issuer);
}

CertificateSpec client_spec(std::string const& name) {
  CertificateSpec spec;
  spec.subject = {{"C", "US"}, {"O", "Test"}, {"CN", name}};
  spec.subject[0].string_type = 19;
  spec.key_usage = "critical,digitalSignature";
  spec.extended_key_usage = "clientAuth";
  return spec;
}

Issued make_client(std::string const& name, Issued const& issuer) {
  return issue(client_spec(name), &issuer);
}

}  // namespace certgate::testing
