// A certificate as facts, read once from DER.
//
// Immutable and shared: any thread may read. One allocation holds the DER and every text, so a
// certificate costs about 1 KiB beside its DER; no OpenSSL object is kept. The facts of an
// unverified certificate are what its sender claims.
//
// Errors: parse_* refuse what is not one whole DER certificate (RFC 5280 §4.1) of at most
// max_certificate_bytes. A certificate whose names or extensions are odd is still read, says so
// (has_control_characters(), is_malformed()), and never verifies (x509/trust.hpp).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/base/encoding.hpp"
#include "certgate/base/result.hpp"
#include "certgate/x509/digest.hpp"

struct x509_st;  // OpenSSL's X509

namespace certgate::x509 {

inline constexpr std::size_t max_certificate_bytes = 64 * 1024;
// Cloudflare's caps on the RFC 9440 text, colons included.
inline constexpr std::size_t max_rfc9440_bytes = 10 * 1024;
inline constexpr std::size_t max_rfc9440_chain_bytes = 16 * 1024;

enum class KeyType : std::uint8_t { other, rsa, rsa_pss, ec, ed25519, ed448, dsa };
std::string_view name_of(KeyType type);  // "RSA", "RSA-PSS", "EC", "Ed25519", "Ed448", "DSA", "other"

enum class SanType : std::uint8_t { dns, uri, email, ip };
struct SubjectAltName {
  SanType type;
  std::string_view value;  // length-exact bytes as sent; an IP address as RFC 5952 text
};

// RFC 5280 §4.2.1.3, as a bit mask.
enum KeyUsage : std::uint16_t {
  digital_signature = 1, content_commitment = 2, key_encipherment = 4, data_encipherment = 8,
  key_agreement = 16, key_cert_sign = 32, crl_sign = 64, encipher_only = 128, decipher_only = 256,
};
// RFC 5280 §4.2.1.12, as a bit mask; `other_purpose` for any OID not named here.
enum ExtendedKeyUsage : std::uint16_t {
  server_auth = 1, client_auth = 2, code_signing = 4, email_protection = 8, time_stamping = 16,
  ocsp_signing = 32, any_purpose = 64, other_purpose = 128,
};

// `Mar 21 13:35:00 2022 GMT`, the day padded with a space: what OpenSSL prints.
std::string format_time(UnixSeconds seconds);

class Certificate {
  struct Private {};

 public:
  using Pointer = std::shared_ptr<Certificate const>;

  static Result<Pointer> parse_der(Bytes der);
  // From a certificate that OpenSSL has decoded already; nothing of `certificate` is kept.
  static Result<Pointer> parse_openssl(x509_st* certificate);

  Bytes der() const { return {bytes(0), der_size_}; }

  // RFC 4514: most specific first, UTF-8 as it is: `CN=James Royal,OU=Access Admins,C=US`.
  std::string_view subject_dn() const { return text(subject_.rfc4514); }
  std::string_view issuer_dn() const { return text(issuer_.rfc4514); }
  // As above, with bytes above 0x7F escaped as \XX (OpenSSL's XN_FLAG_RFC2253).
  std::string_view subject_dn_rfc2253() const { return text(subject_.rfc2253); }
  std::string_view issuer_dn_rfc2253() const { return text(issuer_.rfc2253); }
  // OpenSSL's "oneline": `/C=US/OU=Access Admins/CN=James Royal`.
  std::string_view subject_dn_legacy() const { return text(subject_.legacy); }
  std::string_view issuer_dn_legacy() const { return text(issuer_.legacy); }
  std::string_view subject_common_name() const { return text(common_name_); }  // the last CN, or ""
  Bytes subject_name_der() const { return slice(subject_.der); }
  Bytes issuer_name_der() const { return slice(issuer_.der); }

  // Upper-case hex, two digits a byte, no sign byte: `527E0F20`; `00` for zero, `-80` if negative.
  std::string_view serial() const { return text(serial_text_); }
  // Big-endian without leading zeros (empty for zero); of a negative one its two's complement, which
  // is unique together with the sign.
  Bytes serial_bytes() const { return slice(serial_); }
  bool serial_is_negative() const { return serial_negative_; }

  Digest const& fingerprint() const { return fingerprint_; }
  std::string_view fingerprint_sha256() const { return text(fingerprint_sha256_); }  // lower case
  std::string_view fingerprint_sha1() const { return text(fingerprint_sha1_); }      // lower case

  UnixSeconds not_before() const { return not_before_; }
  UnixSeconds not_after() const { return not_after_; }
  std::string_view not_before_text() const { return text(not_before_text_); }
  std::string_view not_after_text() const { return text(not_after_text_); }

  // Upper-case hex, "" when absent.
  std::string_view subject_key_id() const { return text(subject_key_id_); }
  std::string_view authority_key_id() const { return text(authority_key_id_); }
  // authorityCertSerialNumber of the authority key identifier, as serial() is; mostly absent.
  std::string_view authority_serial() const { return text(authority_serial_); }

  std::size_t alt_name_count() const { return alt_names_.size(); }
  SubjectAltName alt_name(std::size_t index) const;
  // Names of a kind not in SanType (otherName, directoryName, …) that were passed over.
  bool has_other_alt_names() const { return has_other_alt_names_; }

  KeyType key_type() const { return key_type_; }
  unsigned key_bits() const { return key_bits_; }  // 0 when the curve is not known
  bool is_ca() const { return is_ca_; }            // basicConstraints say so
  int path_length() const { return path_length_; }  // -1: no limit stated
  bool has_key_usage() const { return has_key_usage_; }
  std::uint16_t key_usage() const { return key_usage_; }
  bool has_extended_key_usage() const { return has_extended_key_usage_; }
  std::uint16_t extended_key_usage() const { return extended_key_usage_; }
  std::string_view signature_algorithm() const { return text(signature_algorithm_); }  // OpenSSL's name
  bool is_self_issued() const { return self_issued_; }  // subject and issuer are the same name

  // A control byte (NUL, CR, LF, …) inside a name of the subject, the issuer or a SAN.
  bool has_control_characters() const { return control_characters_; }
  // A name is not valid in its own encoding, or an extension read here is broken or repeated.
  bool is_malformed() const { return malformed_; }

  // This certificate as an issuer of others. Computed at each call (about 1 µs).
  IssuerId id_as_issuer() const;
  // Content of the cRLDistributionPoints extension, DER; empty when absent.
  Bytes crl_distribution_points() const { return slice(crl_distribution_points_); }
  // Likewise of freshestCRL.
  Bytes freshest_crl() const { return slice(freshest_crl_); }

  // RFC 9440 §2.1: the DER as `:base64:`. Too large means longer than max_rfc9440_bytes.
  bool is_rfc9440_too_large() const { return base64_length(der_size_) + 2 > max_rfc9440_bytes; }
  // Appends nothing when too large.
  void append_rfc9440(std::string& out) const;

  std::size_t memory_bytes() const;

  explicit Certificate(Private) {}
  Certificate(Certificate const&) = delete;
  Certificate& operator=(Certificate const&) = delete;

 private:
  friend class CertificateReader;
  struct Slice {
    std::uint32_t offset = 0;
    std::uint32_t size = 0;
  };
  struct NameSlices {
    Slice der, rfc4514, rfc2253, legacy;
  };
  struct AltNameSlice {
    SanType type;
    Slice value;
  };
  std::uint8_t const* bytes(std::uint32_t offset) const {
    return reinterpret_cast<std::uint8_t const*>(arena_.get()) + offset;
  }
  Bytes slice(Slice s) const { return {bytes(s.offset), s.size}; }
  std::string_view text(Slice s) const { return {arena_.get() + s.offset, s.size}; }

  std::unique_ptr<char[]> arena_;  // the DER, then the texts
  std::uint32_t der_size_ = 0;
  std::uint32_t arena_size_ = 0;
  NameSlices subject_, issuer_;
  Slice common_name_, serial_, serial_text_, fingerprint_sha256_, fingerprint_sha1_;
  Slice not_before_text_, not_after_text_, subject_key_id_, authority_key_id_, authority_serial_;
  Slice signature_algorithm_, public_key_, crl_distribution_points_, freshest_crl_;
  std::vector<AltNameSlice> alt_names_;
  Digest fingerprint_;
  UnixSeconds not_before_ = 0, not_after_ = 0;
  std::uint32_t key_bits_ = 0;
  std::int32_t path_length_ = -1;
  std::uint16_t key_usage_ = 0, extended_key_usage_ = 0;
  KeyType key_type_ = KeyType::other;
  bool serial_negative_ = false, is_ca_ = false, has_key_usage_ = false;
  bool has_extended_key_usage_ = false, self_issued_ = false, has_other_alt_names_ = false;
  bool control_characters_ = false, malformed_ = false;
};

}  // namespace certgate::x509
