// From what was asked for to a parcel: key, certificate, chain and the bundles for phones.
//
// Nothing here touches the ledger; a parcel that is not delivered was never there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ca_directory.hpp"
#include "ca_report.hpp"
#include "certgate/pki/csr.hpp"

namespace certgate::cli {

// phone: both PKCS#12 files and the .mobileconfig; by_profile: for profile mobile.
enum class Bundles { by_profile, none, phone };

struct IssueOrder {
  std::string name;
  std::string unit;
  pki::ProfileKind profile = pki::ProfileKind::mobile;
  std::vector<pki::AlternativeName> names;
  std::optional<UnixSeconds> not_after;  // absent: the profile's default, within the authority's
  pki::KeyType key_type = pki::KeyType::p256;
  Bundles bundles = Bundles::by_profile;
  std::string p12_password;  // empty: one is made and put beside the files
  // A key that exists already: the device's (public part only) or the one being renewed.
  std::string public_key_der;
  std::optional<pki::PrivateKey> key;
};

// Everything that stays the same from one certificate to the next.
class Issuer {
 public:
  static Result<Issuer> open(CaDirectory& directory);
  Result<Parcel> prepare(IssueOrder const& order, UnixSeconds now) const;
  pki::Certificate const& certificate() const { return authority_.certificate(); }

 private:
  Issuer(pki::Authority authority, std::string organization, std::vector<std::string> crl_urls);
  Result<void> add_bundles(Parcel& parcel, IssueOrder const& order, pki::PrivateKey const& key,
                           pki::Certificate const& certificate) const;
  pki::Authority authority_;
  std::string organization_;
  std::vector<std::string> crl_urls_;
};

// Whether a key may be certified for this name: not one that was given up as compromised, and not
// one that is in use under another name.
Result<void> check_key_is_free(CaDirectory& directory, std::string_view public_key_der,
                               std::string_view name, UnixSeconds now);

// A parcel whose files lie in `place`.
CaReport::Json parcel_as_json(Parcel const& parcel, std::filesystem::path const& place);

// Copies the parcel's files to `out` as well, each whole or not at all.
Result<void> copy_out(Parcel const& parcel, std::filesystem::path const& out);

}  // namespace certgate::cli
