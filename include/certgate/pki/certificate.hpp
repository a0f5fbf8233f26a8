// A certificate that an authority of ours signed or signs with.
//
// Immutable and shared; any thread may use it. For judging certificates of strangers there is
// x509::Certificate; this one only answers what issuing, renewing and listing need.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/base/result.hpp"
#include "certgate/pki/alternative_name.hpp"
#include "certgate/pki/serial.hpp"

struct x509_st;

namespace certgate::pki {

// Both ends belong to the validity, as in RFC 5280 §4.1.2.5.
struct Validity {
  UnixSeconds not_before = 0;
  UnixSeconds not_after = 0;
};

class Certificate {
 public:
  static Result<Certificate> parse_der(std::string_view der);
  // The first certificate of the text.
  static Result<Certificate> parse_pem(std::string_view pem);
  static Result<Certificate> adopt(std::shared_ptr<x509_st> certificate);

  std::string const& der() const { return der_; }
  std::string pem() const;
  Serial const& serial() const { return serial_; }
  Validity validity() const { return validity_; }
  // Common name, organization and unit; empty where absent.
  Subject subject() const;
  std::vector<AlternativeName> alternative_names() const;
  std::vector<std::string> crl_urls() const;
  std::string public_key_der() const;
  // SHA-256, raw bytes.
  std::string fingerprint() const;
  bool is_authority() const;
  x509_st* handle() const { return certificate_.get(); }

 private:
  Certificate(std::shared_ptr<x509_st> certificate, std::string der, Serial serial,
              Validity validity);
  std::shared_ptr<x509_st> certificate_;
  std::string der_;
  Serial serial_;
  Validity validity_;
};

// SHA-256 of any bytes, raw.
std::string sha256(std::string_view bytes);
// PEM with this label around DER.
std::string format_pem(std::string_view label, std::string_view der);

}  // namespace certgate::pki
