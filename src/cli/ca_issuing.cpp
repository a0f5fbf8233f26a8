#include "ca_issuing.hpp"

#include <algorithm>

#include "ca_times.hpp"
#include "certgate/pki/mobile_config.hpp"
#include "certgate/pki/pkcs12.hpp"

namespace certgate::cli {

Issuer::Issuer(pki::Authority authority, std::string organization,
               std::vector<std::string> crl_urls)
    : authority_(std::move(authority)),
      organization_(std::move(organization)),
      crl_urls_(std::move(crl_urls)) {}

Result<Issuer> Issuer::open(CaDirectory& directory) {
  CERTGATE_TRY(auto const own, directory.store().find(directory.intermediate().serial()));
  if (own && own->state != pki::RecordedState::active) {
    return fail(ErrorCode::conflict,
                "the intermediate of this CA was revoked, so nobody would accept what it signs; "
                "make a new CA with `ca init`");
  }
  CERTGATE_TRY(auto authority, directory.open_intermediate());
  CERTGATE_TRY(auto const organization, directory.store().setting("organization"));
  CERTGATE_TRY(auto const lines, directory.store().setting("crl_urls"));
  std::vector<std::string> urls;
  auto const text = lines.value_or("");
  for (std::size_t at = 0; at < text.size();) {
    auto const end = text.find('\n', at);
    urls.push_back(text.substr(at, end - at));
    at = end == std::string::npos ? text.size() : end + 1;
  }
  return Issuer(std::move(authority), organization.value_or(""), std::move(urls));
}

Result<Parcel> Issuer::prepare(IssueOrder const& order, UnixSeconds now) const {
  auto const& profile = pki::profile_of(order.profile);
  auto const own = authority_.certificate().validity();
  if (now > own.not_after) {
    return fail(ErrorCode::conflict, "the CA itself ended at " + format_moment(own.not_after) +
                                         "; make a new one with `ca init`");
  }
  if (order.not_after && *order.not_after > own.not_after) {
    return fail(ErrorCode::invalid, "the certificate would outlive the CA, which ends at " +
                                        format_moment(own.not_after) + "; ask for less");
  }
  if (order.not_after && *order.not_after <= now) {
    return fail(ErrorCode::invalid, "the certificate would end before it is issued");
  }

  auto key = order.key;
  if (!key && order.public_key_der.empty()) {
    CERTGATE_TRY(key, pki::PrivateKey::make(order.key_type));
  }
  CERTGATE_TRY(auto serial, pki::Serial::random());
  pki::CertificateOrder wanted{std::move(serial)};
  wanted.validity.not_before = std::max(now - pki::clock_skew_allowance, own.not_before);
  wanted.validity.not_after = order.not_after.value_or(
      std::min(now + profile.default_days * seconds_per_day, own.not_after));
  wanted.subject = {order.name, organization_, order.unit};
  wanted.alternative_names = order.names;
  wanted.profile = order.profile;
  wanted.public_key_der = key ? key->public_key_der() : order.public_key_der;
  wanted.crl_urls = crl_urls_;
  CERTGATE_TRY(auto const certificate, authority_.issue(wanted));

  Parcel parcel{pki::LedgerEntry{certificate.serial()}, {}};
  parcel.entry.issuer = "intermediate";
  parcel.entry.name = order.name;
  parcel.entry.profile = std::string(profile.name);
  parcel.entry.key_origin = key ? pki::KeyOrigin::authority : pki::KeyOrigin::device;
  parcel.entry.issued_at = now;
  parcel.entry.not_before = certificate.validity().not_before;
  parcel.entry.not_after = certificate.validity().not_after;
  parcel.entry.certificate_der = certificate.der();
  parcel.entry.public_key_sha256 = pki::sha256(wanted.public_key_der);
  parcel.files.push_back({"cert.pem", certificate.pem(), FileMode::open});
  parcel.files.push_back(
      {"chain.pem", certificate.pem() + authority_.certificate().pem(), FileMode::open});
  if (key) {
    CERTGATE_TRY(auto pem, key->pem());
    parcel.files.push_back({"key.pem", std::move(pem), FileMode::secret});
    bool const phone =
        order.bundles == Bundles::phone ||
        (order.bundles == Bundles::by_profile && order.profile == pki::ProfileKind::mobile);
    if (phone) {
      if (auto done = add_bundles(parcel, order, *key, certificate); !done) {
        return fail(std::move(done).error());
      }
    }
  }
  return parcel;
}

Result<void> Issuer::add_bundles(Parcel& parcel, IssueOrder const& order,
                                 pki::PrivateKey const& key,
                                 pki::Certificate const& certificate) const {
  auto password = order.p12_password;
  auto strength = pki::PasswordStrength::unknown;
  if (password.empty()) {
    strength = pki::PasswordStrength::random;
    CERTGATE_TRY(password, pki::make_password());
    parcel.files.push_back({"p12-password.txt", password + '\n', FileMode::secret});
  }
  pki::Pkcs12Order bundle{key,      certificate, {authority_.certificate()},   order.name,
                          password, strength,    pki::Pkcs12Encryption::modern};
  auto const stem = file_name_of(order.name);
  CERTGATE_TRY(auto modern, pki::format_pkcs12(bundle));
  parcel.files.push_back({stem + ".p12", std::move(modern), FileMode::secret});
  bundle.encryption = pki::Pkcs12Encryption::legacy;
  CERTGATE_TRY(auto legacy, pki::format_pkcs12(bundle));
  pki::MobileConfigOrder profile;
  profile.identifier = "certgate.identity." + stem;
  profile.display_name = order.name;
  profile.organization = organization_;
  profile.pkcs12 = legacy;
  parcel.files.push_back({stem + "-legacy.p12", std::move(legacy), FileMode::secret});
  parcel.files.push_back(
      {stem + ".mobileconfig", pki::format_mobile_config(profile), FileMode::secret});
  return {};
}

Result<void> check_key_is_free(CaDirectory& directory, std::string_view public_key_der,
                               std::string_view name, UnixSeconds now) {
  CERTGATE_TRY(auto const entries,
               directory.store().find_by_public_key(pki::sha256(public_key_der)));
  for (auto const& entry : entries) {
    if (entry.state == pki::RecordedState::revoked &&
        entry.reason == pki::RevocationReason::key_compromise) {
      return fail(ErrorCode::permission, "this key was revoked as compromised (serial " +
                                             entry.serial.hex() + "); make a new key");
    }
    auto const status = pki::status_at(entry.state, entry.not_after, now);
    if (entry.name != name && (status == pki::Status::active || status == pki::Status::held)) {
      return fail(ErrorCode::conflict, "this key already belongs to " + entry.name + " (serial " +
                                           entry.serial.hex() +
                                           "); every device needs a key of its own");
    }
  }
  return {};
}

CaReport::Json parcel_as_json(Parcel const& parcel, std::filesystem::path const& place) {
  auto json = certificate_as_json(parcel.entry, parcel.entry.issued_at);
  for (auto const& file : parcel.files) json["files"].push_back((place / file.name).string());
  return json;
}

Result<void> copy_out(Parcel const& parcel, std::filesystem::path const& out) {
  std::error_code code;
  if (!std::filesystem::is_directory(out, code)) {
    if (auto done = make_directory(out, FileMode::secret); !done) return done;
  }
  for (auto const& file : parcel.files) {
    if (auto done = replace_file(out / file.name, file.bytes, file.mode); !done) return done;
  }
  return {};
}

}  // namespace certgate::cli
