// One host's client CAs: does a presented chain lead to one of them?
//
// Built once per Generation and shared by hosts with the same CAs and by threads; immutable.
// verify() does all of RFC 5280 §6 that OpenSSL's X509_verify_cert does (purpose: TLS client,
// security level, path lengths, name constraints), and nothing from outside: no system store, no
// CRL (x509/revocation_index.hpp does that per request), no policies, no fetching. It takes
// 200 to 800 µs; x509/verification_cache.hpp remembers.
//
// Errors: build() refuses an empty set, a certificate that OpenSSL cannot read, and one that is
//         malformed. verify() cannot fail: it answers with a Verification.
// Units:  times are seconds since 1970; the caller says what time it is.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/base/result.hpp"
#include "certgate/x509/certificate.hpp"
#include "certgate/x509/client_chain.hpp"

struct stack_st_X509;  // OpenSSL's STACK_OF(X509)

namespace certgate::x509 {

struct TrustOptions {
  unsigned max_depth = 4;                    // certificates between the leaf and the anchor
  std::size_t max_presented = 10;            // certificates in the client's message, leaf included
  std::size_t max_presented_bytes = 64 * 1024;
  unsigned min_rsa_bits = 2048;
  unsigned min_ec_bits = 224;
  unsigned max_key_bits = 8192;              // a larger RSA key costs milliseconds to verify with
  int security_level = 2;                    // OpenSSL's: 2 is 112 bits, no SHA-1, RSA 2048 and up
};

// One certificate of the verified path and who issued it.
struct PathElement {
  Certificate::Pointer certificate;
  IssuerId issuer;            // meaningful when issuer_known
  bool issuer_known = false;  // false only for an anchor whose own issuer is not an anchor
};

struct Verification {
  bool verified = false;
  int error = 0;             // X509_V_ERR_*; 0 when verified
  std::string_view reason;   // "SUCCESS", or "FAILED:certificate has expired"; never freed
  // From the leaf to the last anchor that is known, so that every issuer a CRL may speak for is in
  // it. Empty when not verified.
  std::vector<PathElement> path;
  Certificate::Pointer issuer;  // of the leaf: verified, or if not, the presented one that fits
  // The first and the last second at which this answer holds.
  UnixSeconds from = 0;
  UnixSeconds until = 0;

  // The serial and key identifier of the leaf's direct issuer: of `issuer` if there is one, else
  // what the leaf's authority key identifier claims; "" when neither says.
  std::string_view issuer_serial(Certificate const& leaf) const;
  std::string_view issuer_key_id(Certificate const& leaf) const;
};

// "certificate has expired" for X509_V_ERR_CERT_HAS_EXPIRED: OpenSSL's words.
std::string_view describe_verify_error(int error);

class Trust {
 public:
  using Pointer = std::shared_ptr<Trust const>;

  // Anchors may be roots or intermediates; duplicates are dropped.
  static Result<Pointer> build(std::vector<Certificate::Pointer> anchors,
                               TrustOptions const& options = {});
  virtual ~Trust() = default;

  // Decodes the chain's DER anew (0.05 to 0.15 ms for each certificate).
  virtual Verification verify(ClientChain const& chain, UnixSeconds now) const = 0;
  // With what the handshake decoded: `leaf` and `presented` (leaf included or not, may be null) are
  // the certificates of `chain`. REQUIRES: they are.
  virtual Verification verify_openssl(ClientChain const& chain, x509_st* leaf,
                                      stack_st_X509* presented, UnixSeconds now) const = 0;

  // Equal for equal sets of anchors with equal options: sessions and verdicts are scoped by it.
  virtual Digest const& digest() const = 0;
  virtual std::vector<Certificate::Pointer> const& anchors() const = 0;
  virtual TrustOptions const& options() const = 0;
};

}  // namespace certgate::x509
