// `certgate ca issue`, `ca sign` and `ca renew`: three ways to ask for a certificate.
#include "ca_bulk.hpp"
#include "ca_issuing.hpp"
#include "ca_report.hpp"
#include "ca_revoking.hpp"
#include "ca_subcommands.hpp"
#include "ca_times.hpp"
#include "certgate/base/encoding.hpp"

namespace certgate::cli {
namespace {

struct IssueOptions {
  std::string directory;
  std::string name;
  std::string from;
  std::string request;
  std::string profile;
  std::vector<std::string> dns, uri, email, ip;
  std::string unit;
  int days = 0;
  std::string not_after;
  std::string key_type = "p256";
  bool phone = false;
  bool no_phone = false;
  std::string p12_password_file;
  std::string out;
  bool no_requested_names = false;
  bool keep_key = false;
  bool revoke_old = false;
};

Result<void> add_names(std::vector<pki::AlternativeName>& to, pki::NameKind kind,
                       std::vector<std::string> const& texts) {
  for (auto const& text : texts) {
    CERTGATE_TRY(auto name, pki::AlternativeName::parse(kind, text));
    to.push_back(std::move(name));
  }
  return {};
}

// Everything but the name.
Result<IssueOrder> order_of(IssueOptions const& options, UnixSeconds now) {
  IssueOrder order;
  auto const profile = pki::parse_profile(options.profile);
  if (!profile) return fail(ErrorCode::invalid, "unknown profile " + options.profile);
  order.profile = *profile;
  order.unit = options.unit;
  Result<void> done = add_names(order.names, pki::NameKind::dns, options.dns);
  if (done) done = add_names(order.names, pki::NameKind::uri, options.uri);
  if (done) done = add_names(order.names, pki::NameKind::email, options.email);
  if (done) done = add_names(order.names, pki::NameKind::ip, options.ip);
  if (!done) return fail(std::move(done).error());
  if (options.days > 0) order.not_after = now + options.days * seconds_per_day;
  if (!options.not_after.empty()) {
    CERTGATE_TRY(order.not_after, parse_moment(options.not_after, now));
  }
  auto const key_type = pki::parse_key_type(options.key_type);
  if (!key_type) return fail(ErrorCode::invalid, "unknown key type " + options.key_type);
  order.key_type = *key_type;
  order.bundles = options.no_phone ? Bundles::none
                  : options.phone  ? Bundles::phone
                                   : Bundles::by_profile;
  if (!options.p12_password_file.empty()) {
    order.bundles = Bundles::phone;
    CERTGATE_TRY(order.p12_password, read_password(options.p12_password_file));
  }
  return order;
}

void tell_issued(CaDirectory const& directory, Parcel const& parcel, std::string const& out,
                 CaReport& report) {
  auto const place = out.empty() ? directory.issued(parcel.entry.name) : std::filesystem::path(out);
  report.text() << "Issued " << parcel.entry.name << " (" << parcel.entry.profile << "), serial "
                << parcel.entry.serial.hex() << ", until "
                << format_moment(parcel.entry.not_after) << '\n';
  for (auto const& file : parcel.files) {
    report.text() << "  " << (place / file.name).string() << '\n';
  }
  report.answer()["certificates"] = CaReport::Json::array({parcel_as_json(parcel, place)});
}

Result<void> deliver_one(CaDirectory& directory, Parcel const& parcel, SameName same_name,
                         std::string const& out, CaReport& report) {
  auto done = directory.deliver(std::span(&parcel, 1), same_name);
  if (done && !out.empty()) {
    done = copy_out(parcel, out);
    if (!done) {
      return fail(done.error().code, done.error().detail +
                                         "; the certificate was issued, its files are in " +
                                         directory.issued(parcel.entry.name).string());
    }
  }
  if (done) tell_issued(directory, parcel, out, report);
  return done;
}

Result<void> issue(IssueOptions const& options, CaReport& report) {
  if (options.name.empty() == options.from.empty()) {
    return fail(ErrorCode::invalid, "say who: either --name NAME or --from devices.csv");
  }
  auto const now = now_in_seconds();
  CERTGATE_TRY(auto order, order_of(options, now));
  CERTGATE_TRY(auto directory, CaDirectory::open(options.directory));
  if (!options.from.empty()) {
    if (!options.out.empty()) {
      return fail(ErrorCode::invalid, "--out is for one certificate; those of a table lie in " +
                                          (directory.path() / "issued").string());
    }
    CERTGATE_TRY(auto text, read_file(options.from, max_csv_bytes));
    SourceText const source(options.from, std::move(text));
    auto orders = parse_devices(source, order, now);
    if (!orders) {
      report.add_mistakes(orders.error());
      return fail(ErrorCode::invalid, "nothing was issued; mend the table and run this again");
    }
    return issue_in_bulk(directory, *orders, report);
  }
  order.name = options.name;
  CERTGATE_TRY(auto const issuer, Issuer::open(directory));
  CERTGATE_TRY(auto const parcel, issuer.prepare(order, now));
  return deliver_one(directory, parcel, SameName::conflict, options.out, report);
}

Result<void> sign(IssueOptions const& options, CaReport& report) {
  auto const now = now_in_seconds();
  CERTGATE_TRY(auto order, order_of(options, now));
  CERTGATE_TRY(auto const text, read_file(options.request, pki::max_request_bytes));
  auto request = pki::CertificateRequest::parse(text);
  if (!request) {
    return fail(ErrorCode::crypto, options.request + ": " + request.error().detail);
  }
  pki::filter_by_profile(*request, pki::profile_of(order.profile));
  order.name = options.name.empty() ? request->subject.common_name : options.name;
  if (order.name.empty()) {
    return fail(ErrorCode::invalid, "the request names nobody; say who it is for with --name");
  }
  if (!request->subject.common_name.empty() && request->subject.common_name != order.name) {
    auto what = std::string("the common name ");
    append_json_escaped(what, request->subject.common_name);  // it may hold any control character
    request->ignored.push_back(std::move(what));
  }
  report.answer()["given"] = CaReport::Json::array();
  report.answer()["not_given"] = CaReport::Json::array();
  for (auto& name : request->alternative_names) {
    if (options.no_requested_names) {
      request->ignored.push_back("the " + std::string(pki::name_of(name.kind())) + " name " +
                                 name.text());
    } else {
      auto const what = "the " + std::string(pki::name_of(name.kind())) + " name " + name.text();
      report.text() << "Requested and given: " << what << '\n';
      report.answer()["given"].push_back(what);
      order.names.push_back(std::move(name));
    }
  }
  for (auto const& what : request->ignored) {
    report.text() << "Requested and not given: " << what << '\n';
    report.answer()["not_given"].push_back(what);
  }
  order.public_key_der = std::move(request->public_key_der);
  CERTGATE_TRY(auto directory, CaDirectory::open(options.directory));
  if (auto done = check_key_is_free(directory, order.public_key_der, order.name, now); !done) {
    return done;
  }
  CERTGATE_TRY(auto const issuer, Issuer::open(directory));
  CERTGATE_TRY(auto const parcel, issuer.prepare(order, now));
  return deliver_one(directory, parcel, SameName::conflict, options.out, report);
}

// The certificate that a renewal continues: the newest of that name.
Result<pki::LedgerEntry> entry_to_renew(CaDirectory& directory, std::string const& name) {
  CERTGATE_TRY(auto entries, directory.store().find_by_name(name));
  if (entries.empty() || entries.back().issuer != "intermediate") {
    return fail(ErrorCode::not_found, "no certificate was issued for " + name +
                                          "; see `certgate ca list " + directory.path().string() +
                                          "`, or issue one with `ca issue`");
  }
  auto entry = std::move(entries.back());
  if (entry.state == pki::RecordedState::held) {
    return fail(ErrorCode::conflict, name + " is on hold; `ca restore` it first");
  }
  if (entry.state == pki::RecordedState::revoked) {
    return fail(ErrorCode::conflict, name + " was revoked (" +
                                         std::string(pki::name_of(entry.reason)) +
                                         "); issue a new certificate with `ca issue`");
  }
  return entry;
}

Result<void> give_key(IssueOrder& order, CaDirectory const& directory,
                      pki::LedgerEntry const& entry, pki::Certificate const& old,
                      IssueOptions const& options) {
  if (!options.request.empty()) {
    CERTGATE_TRY(auto const text, read_file(options.request, pki::max_request_bytes));
    auto request = pki::CertificateRequest::parse(text);
    if (!request) return fail(ErrorCode::crypto, options.request + ": " + request.error().detail);
    order.public_key_der = std::move(request->public_key_der);
  } else if (entry.key_origin == pki::KeyOrigin::device) {
    order.public_key_der = old.public_key_der();
  } else if (options.keep_key) {
    auto const path = directory.path() / "issued" / ".serials" / entry.serial.hex() / "key.pem";
    CERTGATE_TRY(auto const pem, read_file(path, max_pem_file_bytes));
    CERTGATE_TRY(order.key, pki::PrivateKey::parse_pem(pem));
  } else if (options.key_type.empty()) {
    order.key_type = pki::key_type_of(old.public_key_der()).value_or(pki::KeyType::p256);
  }
  return {};
}

Result<void> renew(IssueOptions options, CaReport& report) {
  auto const now = now_in_seconds();
  CERTGATE_TRY(auto directory, CaDirectory::open(options.directory));
  CERTGATE_TRY(auto const entry, entry_to_renew(directory, options.name));
  CERTGATE_TRY(auto const old, pki::Certificate::parse_der(entry.certificate_der));
  bool const key_type_given = !options.key_type.empty();
  options.profile = entry.profile;
  options.key_type = key_type_given ? options.key_type : "p256";
  CERTGATE_TRY(auto order, order_of(options, now));
  if (!key_type_given) options.key_type.clear();
  order.name = entry.name;
  order.unit = old.subject().unit;
  order.names = old.alternative_names();
  if (!order.not_after) {
    auto const lifetime = entry.not_after - entry.issued_at;
    order.not_after = std::min(now + lifetime, directory.intermediate().validity().not_after);
  }
  std::error_code code;
  bool const had_bundles =
      std::filesystem::exists(directory.path() / "issued" / ".serials" / entry.serial.hex() /
                                  (file_name_of(entry.name) + ".p12"),
                              code);
  if (had_bundles && !options.no_phone) order.bundles = Bundles::phone;
  if (auto done = give_key(order, directory, entry, old, options); !done) return done;
  if (!order.public_key_der.empty()) {
    auto done = check_key_is_free(directory, order.public_key_der, order.name, now);
    if (!done) return done;
  }
  CERTGATE_TRY(auto const issuer, Issuer::open(directory));
  CERTGATE_TRY(auto const parcel, issuer.prepare(order, now));
  auto const done = deliver_one(directory, parcel, SameName::allowed, options.out, report);
  if (!done) return done;
  if (options.revoke_old) {
    return revoke_one(directory, entry.serial, pki::RevocationReason::superseded, report);
  }
  report.answer()["replaces"] = certificate_as_json(entry, now);
  report.text() << "The old certificate stays good until " << format_moment(entry.not_after)
                << "; revoke it when the device has the new one:\n  certgate ca revoke "
                << options.directory << ' ' << entry.serial.hex() << " --reason superseded\n";
  return {};
}

void add_lifetime(CLI::App* command, IssueOptions& options) {
  auto* const days =
      command->add_option("--days", options.days, "Lifetime in days")->check(CLI::Range(1, 36500));
  command
      ->add_option("--not-after", options.not_after,
                   "End instead: 2027-01-31, 2027-01-31T12:00:00Z, or a length (90d, 12h)")
      ->excludes(days);
}

void add_names(CLI::App* command, IssueOptions& options) {
  add_repeated(command, "--dns", options.dns, "DNS name");
  add_repeated(command, "--uri", options.uri, "URI, such as spiffe://example.org/sensor-7");
  add_repeated(command, "--email", options.email, "E-mail address");
  add_repeated(command, "--ip", options.ip, "IP address");
  command->add_option("--unit", options.unit, "Organizational unit in the subject");
}

void add_profile(CLI::App* command, IssueOptions& options, char const* usual) {
  options.profile = usual;
  command
      ->add_option("--profile", options.profile,
                   "mobile, iot (clientAuth), service (both), server (serverAuth)")
      ->check(CLI::IsMember({"mobile", "iot", "service", "server"}))
      ->capture_default_str();
}

void add_key_type(CLI::App* command, IssueOptions& options) {
  command->add_option("--key-type", options.key_type, "p256, p384, rsa2048, rsa4096, ed25519")
      ->check(CLI::IsMember({"p256", "p384", "rsa2048", "rsa4096", "ed25519"}))
      ->capture_default_str();
}

void add_bundle_options(CLI::App* command, IssueOptions& options) {
  auto* const phone =
      command->add_flag("--p12", options.phone,
                        "Also write PKCS#12 and .mobileconfig files (profile mobile always does)");
  command->add_flag("--no-p12", options.no_phone, "Write PEM files only")->excludes(phone);
  command->add_option("--p12-password-file", options.p12_password_file,
                      "Protect them with the first line of this file (otherwise a password is "
                      "made and put beside them)");
}

void add_out(CLI::App* command, IssueOptions& options) {
  command->add_option("--out", options.out, "Copy the files into this directory too");
}

}  // namespace

void add_ca_issue(CLI::App& ca, int& exit_status) {
  auto* const command =
      ca.add_subcommand("issue", "Make a key and a certificate, one or thousands");
  auto const options = std::make_shared<IssueOptions>();
  command->add_option("DIR", options->directory, "The CA")->required();
  command->add_option("--name", options->name, "Who it is for; the subject's common name");
  command->add_option("--from", options->from,
                      "A table instead (CSV; columns name, profile, dns, uri, email, ip, unit, "
                      "days, key_type); run it again to resume");
  add_profile(command, *options, "mobile");
  add_names(command, *options);
  add_lifetime(command, *options);
  add_key_type(command, *options);
  add_bundle_options(command, *options);
  add_out(command, *options);
  command->footer(
      "Example:\n"
      "  certgate ca issue /var/lib/certgate/ca --name sensor-7 --profile iot \\\n"
      "      --uri spiffe://example.org/sensor-7 --days 365\n"
      "  certgate ca issue /var/lib/certgate/ca --from devices.csv --profile iot");
  auto const report = CaReport::add_to(*command);
  run_when_chosen(command, exit_status, report,
                  [options](CaReport& to) { return issue(*options, to); });
}

void add_ca_sign(CLI::App& ca, int& exit_status) {
  auto* const command = ca.add_subcommand("sign", "Sign a device's own request (PKCS#10)");
  auto const options = std::make_shared<IssueOptions>();
  command->add_option("DIR", options->directory, "The CA")->required();
  command->add_option("CSR", options->request, "The request, PEM or DER")->required();
  command->add_option("--name", options->name, "Who it is for, whatever the request says");
  add_profile(command, *options, "iot");
  add_names(command, *options);
  command->add_flag("--no-requested-names", options->no_requested_names,
                    "Give only the alternative names that stand on this command line");
  add_lifetime(command, *options);
  add_out(command, *options);
  command->footer(
      "Example:\n"
      "  certgate ca sign /var/lib/certgate/ca sensor-7.csr --name sensor-7 --out .");
  auto const report = CaReport::add_to(*command);
  run_when_chosen(command, exit_status, report,
                  [options](CaReport& to) { return sign(*options, to); });
}

void add_ca_renew(CLI::App& ca, int& exit_status) {
  auto* const command =
      ca.add_subcommand("renew", "Issue again with the same names, also after the end");
  auto const options = std::make_shared<IssueOptions>();
  options->key_type.clear();
  command->add_option("DIR", options->directory, "The CA")->required();
  command->add_option("NAME", options->name, "Whose certificate")->required();
  auto* const keep = command->add_flag("--keep-key", options->keep_key,
                                       "Keep the private key (a device's own key is always kept)");
  command->add_option("--csr", options->request, "The device's new key, as a request")
      ->excludes(keep);
  add_lifetime(command, *options);
  add_key_type(command, *options);
  add_bundle_options(command, *options);
  command->add_flag("--revoke-old", options->revoke_old, "Revoke the old one at once (superseded)");
  add_out(command, *options);
  command->footer("Example:\n  certgate ca renew /var/lib/certgate/ca sensor-7 --days 365");
  auto const report = CaReport::add_to(*command);
  run_when_chosen(command, exit_status, report,
                  [options](CaReport& to) { return renew(*options, to); });
}

}  // namespace certgate::cli
