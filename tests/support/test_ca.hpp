// A certificate authority for tests: makes any certificate, sound or hostile, with OpenSSL.
//
// Nothing here uses the product's own reading of certificates except to hand out the facts, so what
// it makes can be the oracle for that reading. Keys are made at run time; failures abort the test
// program, because a test cannot go on without its certificate.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/x509/certificate.hpp"
#include "certgate/x509/crl.hpp"

struct evp_pkey_st;

namespace certgate::testing {

enum class KeyKind { p256, p384, p521, rsa1024, rsa2048, rsa3072, rsa4096, rsa_pss2048, ed25519 };

class TestKey {
 public:
  TestKey() = default;  // no key
  static TestKey make(KeyKind kind);
  // The same key at every call with the same kind: for RSA, which takes long to make.
  static TestKey const& cached(KeyKind kind);
  evp_pkey_st* handle() const { return key_.get(); }
  std::string pem() const;  // PKCS#8, not encrypted

 private:
  explicit TestKey(evp_pkey_st* key);
  std::shared_ptr<evp_pkey_st> key_;
};

struct NameAttribute {
  std::string type;          // "CN", "O", …, or an OID in dots
  std::string value;         // bytes as they shall stand in the certificate
  int string_type = 12;      // universal tag: 12 UTF8String, 19 Printable, 20 T61, 22 IA5, 30 BMP
  bool in_same_rdn = false;  // as the attribute before (a multi-valued RDN)
};

struct AltName {
  x509::SanType type;
  std::string value;  // raw bytes; an IP address as 4 or 16 bytes
};

struct RawExtension {
  std::string oid;
  bool critical = false;
  std::string der;
};

struct CertificateSpec {
  std::vector<NameAttribute> subject;
  std::string serial = "";  // hex, may start with '-'; "" for a fresh positive one of 16 bytes
  std::optional<UnixSeconds> not_before, not_after;  // else a day ago and in a year
  bool ca = false;
  int path_length = -1;
  std::string key_usage;           // OpenSSL's words: "critical,digitalSignature"; "" for none
  std::string extended_key_usage;  // "clientAuth,serverAuth"; "" for none
  std::string name_constraints;    // "permitted;DNS:.example.com"; "" for none
  std::vector<AltName> alt_names;
  std::vector<RawExtension> extensions;
  std::vector<std::string> crl_points;  // URIs of cRLDistributionPoints
  bool subject_key_id = true;
  bool authority_key_id = true;
  std::string digest = "SHA256";
  bool version_1 = false;  // no extensions at all
};

// A certificate and its key.
struct Issued {
  std::string der;
  TestKey key;
  x509::Certificate::Pointer facts;  // null when the product refuses to read it
  std::string pem() const;
};

// The time that "now" means for default validities; tests that need real clients set it to theirs.
UnixSeconds test_now();
void set_test_now(UnixSeconds now);

// `issuer` null: self-signed.
Issued issue(CertificateSpec const& spec, TestKey const& key, Issued const* issuer);
// With a fresh P-256 key.
Issued issue(CertificateSpec const& spec, Issued const* issuer);
// A CA certificate named CN=`name`, allowed to sign certificates and CRLs.
Issued make_ca(std::string const& name, Issued const* issuer = nullptr,
               KeyKind kind = KeyKind::p256);
// What most tests need: CN=`name`, clientAuth, digitalSignature.
CertificateSpec client_spec(std::string const& name);
Issued make_client(std::string const& name, Issued const& issuer);

struct CrlEntrySpec {
  std::string serial;  // hex
  int reason = -1;     // -1: no reason extension
  std::optional<UnixSeconds> revoked_at;
  std::vector<RawExtension> extensions;
};
struct CrlSpec {
  std::vector<CrlEntrySpec> entries;
  std::optional<UnixSeconds> this_update, next_update;  // else an hour ago, in a day
  bool no_next_update = false;
  std::string number = "01";  // hex; "" for none
  std::string base_number;    // hex; set for a delta
  // Issuing distribution point.
  bool only_user = false, only_ca = false, only_attribute = false, indirect = false;
  std::string point_uri;
  bool some_reasons = false;
  std::vector<RawExtension> extensions;
  bool authority_key_id = true;
  std::string digest = "SHA256";
  bool pss = false;  // sign with RSA-PSS parameters
};
// DER. Signed with `signer`'s key in `issuer`'s name (the same, mostly).
std::string make_crl(CrlSpec const& spec, Issued const& issuer, Issued const* signer = nullptr);
x509::Crl::Pointer read_crl(std::string der);  // aborts when it is not one

// Ends the test program when `condition` does not hold.
void require(bool condition, char const* what);

}  // namespace certgate::testing
