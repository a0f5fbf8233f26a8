#include "certgate/pki/certificate.hpp"

#include <openssl/pem.h>
#include <openssl/sha.h>

#include "certgate/base/encoding.hpp"
#include "openssl.hpp"
#include "subject_alternative_names.hpp"
#include "times.hpp"

namespace certgate::pki {
namespace {

std::string text_entry(X509_NAME const* name, int nid) {
  int const index = X509_NAME_get_index_by_NID(name, nid, -1);
  if (index < 0) return {};
  auto* const value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index));
  unsigned char* utf8 = nullptr;
  int const length = ASN1_STRING_to_UTF8(&utf8, value);
  if (length < 0) return {};
  std::string text(reinterpret_cast<char*>(utf8), static_cast<std::size_t>(length));
  OPENSSL_free(utf8);
  return text;
}

}  // namespace

Subject subject_of(X509_NAME const* name) {
  return {text_entry(name, NID_commonName), text_entry(name, NID_organizationName),
          text_entry(name, NID_organizationalUnitName)};
}

Certificate::Certificate(std::shared_ptr<X509> certificate, std::string der, Serial serial,
                         Validity validity)
    : certificate_(std::move(certificate)),
      der_(std::move(der)),
      serial_(std::move(serial)),
      validity_(validity) {}

Result<Certificate> Certificate::parse_der(std::string_view der) {
  auto const* cursor = reinterpret_cast<unsigned char const*>(der.data());
  auto const* const end = cursor + der.size();
  std::shared_ptr<X509> certificate(d2i_X509(nullptr, &cursor, static_cast<long>(der.size())),
                                    X509_free);
  if (!certificate || cursor != end) return fail(openssl_error("cannot read the certificate"));
  return adopt(std::move(certificate));
}

Result<Certificate> Certificate::parse_pem(std::string_view pem) {
  auto const bio = memory_bio(pem);
  std::shared_ptr<X509> certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr),
                                    X509_free);
  if (!certificate) return fail(openssl_error("cannot read the certificate"));
  return adopt(std::move(certificate));
}

Result<Certificate> Certificate::adopt(std::shared_ptr<X509> certificate) {
  BignumOwner const number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate.get()), nullptr));
  if (!number || BN_is_negative(number.get())) {
    return fail(ErrorCode::invalid, "the certificate's serial is not a positive number");
  }
  std::string bytes(static_cast<std::size_t>(BN_num_bytes(number.get())), '\0');
  BN_bn2bin(number.get(), reinterpret_cast<unsigned char*>(bytes.data()));
  auto serial = Serial::from_bytes(bytes);
  if (!serial) return fail(ErrorCode::invalid, "the certificate's serial is zero or too long");
  auto const not_before = unix_seconds_of(X509_get0_notBefore(certificate.get()));
  auto const not_after = unix_seconds_of(X509_get0_notAfter(certificate.get()));
  if (!not_before || !not_after) {
    return fail(ErrorCode::invalid, "the certificate's validity cannot be read");
  }
  auto der = der_of(certificate.get(), i2d_X509);
  return Certificate(std::move(certificate), std::move(der), std::move(*serial),
                     Validity{*not_before, *not_after});
}

std::string Certificate::pem() const { return format_pem("CERTIFICATE", der_); }

Subject Certificate::subject() const {
  return subject_of(X509_get_subject_name(certificate_.get()));
}

std::vector<AlternativeName> Certificate::alternative_names() const {
  GeneralNamesOwner const names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate_.get(), NID_subject_alt_name, nullptr, nullptr)));
  return names ? read_general_names(names.get()).names : std::vector<AlternativeName>{};
}

std::vector<std::string> Certificate::crl_urls() const {
  std::vector<std::string> urls;
  std::unique_ptr<CRL_DIST_POINTS, Release<CRL_DIST_POINTS_free>> const points(
      static_cast<CRL_DIST_POINTS*>(
          X509_get_ext_d2i(certificate_.get(), NID_crl_distribution_points, nullptr, nullptr)));
  for (int i = 0; points && i < sk_DIST_POINT_num(points.get()); ++i) {
    auto const* const point = sk_DIST_POINT_value(points.get(), i)->distpoint;
    if (!point || point->type != 0) continue;
    for (auto& name : read_general_names(point->name.fullname).names) {
      if (name.kind() == NameKind::uri) urls.push_back(name.text());
    }
  }
  return urls;
}

std::string Certificate::public_key_der() const {
  return der_of(X509_get_X509_PUBKEY(certificate_.get()), i2d_X509_PUBKEY);
}

std::string Certificate::fingerprint() const { return sha256(der_); }

bool Certificate::is_authority() const { return X509_check_ca(certificate_.get()) == 1; }

std::string sha256(std::string_view bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<unsigned char const*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

std::string format_pem(std::string_view label, std::string_view der) {
  auto const base64 = format_base64(as_bytes(der));
  std::string out = "-----BEGIN " + std::string(label) + "-----\n";
  for (std::size_t at = 0; at < base64.size(); at += 64) {
    out.append(base64, at, 64);
    out += '\n';
  }
  return out + "-----END " + std::string(label) + "-----\n";
}

}  // namespace certgate::pki
