// The certificate zoo: client certificates of every kind, each with what the product must say of
// it.
//
// Expected field values come from OpenSSL's own formatting or are written out by hand, never from
// the product. The same zoo is used in memory by unit tests and, written to a directory by
// certgate_zoo, by black-box tests.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "support/test_ca.hpp"

namespace certgate::testing {

struct ZooAnimal {
  std::string name;   // a file name's stem
  std::string story;  // what is special about it
  Issued leaf;
  std::vector<Issued> others;  // sent after the leaf
  bool chain_verified = false;  // where no CRL is asked for
  bool verified = false;        // with the zoo's CRLs: its issuer has one, too
  bool revoked = false;                // with crl_check: leaf
  bool revoked_in_chain_mode = false;  // with crl_check: chain
  std::string reason;                  // "SUCCESS" or "FAILED:…"
  // Without "cf.tls_client_auth.": cert_subject_dn and so on; booleans as "true" and "false".
  std::map<std::string, std::string> fields;
};

struct Zoo {
  std::vector<Issued> anchors;
  std::vector<std::string> crls;  // DER, one for each of the anchors
  std::vector<ZooAnimal> animals;
  Issued server;  // for 127.0.0.1 and localhost, from a CA of its own
  Issued server_ca;

  ZooAnimal const& animal(std::string const& name) const;  // aborts when there is none
};

// Takes about a second (RSA keys). All validities are relative to `now`.
Zoo build_zoo(UnixSeconds now);

// What OpenSSL says of a certificate, for each field; `issuer` is the certificate that the product
// can know as its issuer, or null.
std::map<std::string, std::string> openssl_fields(Issued const& leaf, Issued const* issuer,
                                                  std::vector<Issued> const& others);

// PEM files and zoo.json into an existing directory; false when a file cannot be written.
bool write_zoo(Zoo const& zoo, std::string const& directory);

}  // namespace certgate::testing
