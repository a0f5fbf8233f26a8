// `certgate ca init`: a root and an intermediate, made beside their place and renamed into it.
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "ca_directory.hpp"
#include "ca_report.hpp"
#include "ca_subcommands.hpp"
#include "ca_times.hpp"

namespace certgate::cli {
namespace fs = std::filesystem;
namespace {

struct InitOptions {
  std::string directory;
  std::string name = "certgate";
  std::string organization;
  std::string key_type = "p256";
  std::string root_key_type;
  int root_days = 7300;
  int days = 3650;
  int crl_days = 7;
  std::vector<std::string> crl_urls;
  std::string root_password_file;
  std::vector<std::string> permit_dns, permit_uri, permit_email, permit_ip;
  std::vector<std::string> exclude_dns, exclude_uri, exclude_email, exclude_ip;
};

constexpr int root_crl_days = 365;

Result<void> add_subtrees(std::vector<pki::NameSubtree>& to, pki::NameKind kind,
                          std::vector<std::string> const& texts) {
  for (auto const& text : texts) {
    CERTGATE_TRY(auto subtree, pki::NameSubtree::parse(kind, text));
    to.push_back(std::move(subtree));
  }
  return {};
}

Result<pki::NameConstraints> constraints_of(InitOptions const& options) {
  using pki::NameKind;
  pki::NameConstraints constraints;
  Result<void> done;
  auto const add = [&done](auto& to, NameKind kind, std::vector<std::string> const& texts) {
    if (done) done = add_subtrees(to, kind, texts);
  };
  add(constraints.permitted, NameKind::dns, options.permit_dns);
  add(constraints.permitted, NameKind::uri, options.permit_uri);
  add(constraints.permitted, NameKind::email, options.permit_email);
  add(constraints.permitted, NameKind::ip, options.permit_ip);
  add(constraints.excluded, NameKind::dns, options.exclude_dns);
  add(constraints.excluded, NameKind::uri, options.exclude_uri);
  add(constraints.excluded, NameKind::email, options.exclude_email);
  add(constraints.excluded, NameKind::ip, options.exclude_ip);
  if (!done) return fail(std::move(done).error());
  return constraints;
}

// An address that nobody can fetch from would stand in every certificate for years.
Result<void> check_crl_urls(std::vector<std::string> const& urls) {
  for (auto const& url : urls) {
    auto const scheme = url.substr(0, url.find("://"));
    bool const is_fetched = scheme == "http" || scheme == "https" || scheme == "ldap";
    bool const has_more = url.size() > scheme.size() + 3;
    if (is_fetched && has_more && pki::AlternativeName::parse(pki::NameKind::uri, url)) continue;
    return fail(ErrorCode::invalid, "`" + url +
                                        "` is not the address of a CRL (such as "
                                        "http://crl.example.com/devices.crl)");
  }
  return {};
}

pki::LedgerEntry entry_of_authority(pki::Certificate const& certificate, pki::ProfileKind profile,
                                    UnixSeconds now) {
  pki::LedgerEntry entry{certificate.serial()};
  entry.issuer = "root";
  entry.name = certificate.subject().common_name;
  entry.profile = std::string(pki::profile_of(profile).name);
  entry.issued_at = now;
  entry.not_before = certificate.validity().not_before;
  entry.not_after = certificate.validity().not_after;
  entry.certificate_der = certificate.der();
  entry.public_key_sha256 = pki::sha256(certificate.public_key_der());
  return entry;
}

// Two authorities with their keys, in memory.
struct NewAuthorities {
  pki::Authority root;
  pki::Authority intermediate;
  std::string root_key_pem;
  std::string intermediate_key_pem;
};

Result<NewAuthorities> make_authorities(InitOptions const& options, UnixSeconds now) {
  auto const root_type =
      pki::parse_key_type(options.root_key_type.empty() ? options.key_type : options.root_key_type);
  auto const type = pki::parse_key_type(options.key_type);
  if (!type || !root_type) return fail(ErrorCode::invalid, "unknown key type");
  CERTGATE_TRY(auto const constraints, constraints_of(options));
  std::string root_password;
  if (!options.root_password_file.empty()) {
    CERTGATE_TRY(root_password, read_password(options.root_password_file));
  }
  auto const begin = now - 2 * pki::clock_skew_allowance;

  CERTGATE_TRY(auto root_key, pki::PrivateKey::make(*root_type));
  CERTGATE_TRY(auto root_key_pem, root_key.pem(root_password));
  CERTGATE_TRY(auto root_serial, pki::Serial::random());
  pki::CertificateOrder order{root_serial};
  order.validity = {begin, now + options.root_days * seconds_per_day};
  order.subject = {options.name + " Root CA", options.organization, {}};
  order.path_length = 1;
  order.constraints = constraints;
  CERTGATE_TRY(auto root, pki::Authority::make_root(order, root_key));

  CERTGATE_TRY(auto key, pki::PrivateKey::make(*type));
  CERTGATE_TRY(auto key_pem, key.pem());
  CERTGATE_TRY(order.serial, pki::Serial::random());
  order.validity.not_after =
      std::min(order.validity.not_after, now + options.days * seconds_per_day);
  order.subject.common_name = options.name + " Issuing CA";
  order.profile = pki::ProfileKind::intermediate;
  order.path_length = 0;
  order.public_key_der = key.public_key_der();
  CERTGATE_TRY(auto certificate, root.issue(order));
  CERTGATE_TRY(auto intermediate, pki::Authority::open(std::move(certificate), std::move(key)));
  return NewAuthorities{std::move(root), std::move(intermediate), std::move(root_key_pem),
                        std::move(key_pem)};
}

Result<void> fill_ledger(fs::path const& directory, NewAuthorities const& made,
                         InitOptions const& options, UnixSeconds now) {
  CERTGATE_TRY(auto store, CaStore::create(directory / "certgate-ca.db"));
  CERTGATE_TRY(auto change, StoreChange::begin(store));
  std::string urls;
  for (auto const& url : options.crl_urls) urls += url + '\n';
  auto done =
      store.record(entry_of_authority(made.root.certificate(), pki::ProfileKind::root, now));
  if (done) {
    done = store.record(
        entry_of_authority(made.intermediate.certificate(), pki::ProfileKind::intermediate, now));
  }
  if (done) done = store.set_setting("crl_days", std::to_string(options.crl_days));
  if (done) done = store.set_setting("crl_urls", urls);
  if (done) done = store.set_setting("organization", options.organization);
  if (!done) return done;
  auto const sign = [&](pki::Authority const& authority, std::string const& issuer,
                        int days) -> Result<void> {
    CERTGATE_TRY(auto const list,
                 pki::sign_next_list(authority, store, issuer, now, days * seconds_per_day));
    auto const place = directory / "crl" / issuer;
    auto wrote = write_new_file(place.string() + ".der", list.der, FileMode::open);
    if (!wrote) return wrote;
    return write_new_file(place.string() + ".crl", pki::format_pem("X509 CRL", list.der),
                          FileMode::open);
  };
  if (done = sign(made.intermediate, "intermediate", options.crl_days); !done) return done;
  if (done = sign(made.root, "root", root_crl_days); !done) return done;
  return change.commit();
}

Result<void> fill_directory(fs::path const& directory, NewAuthorities const& made,
                            InitOptions const& options, UnixSeconds now) {
  auto const root_pem = made.root.certificate().pem();
  auto const intermediate_pem = made.intermediate.certificate().pem();
  Result<void> done;
  auto const folder = [&](char const* name, FileMode mode) {
    if (done) done = make_directory(directory / name, mode);
  };
  auto const file = [&](char const* name, std::string const& bytes, FileMode mode) {
    if (done) done = write_new_file(directory / name, bytes, mode);
  };
  folder("root", FileMode::secret);
  folder("intermediate", FileMode::secret);
  folder("issued", FileMode::secret);
  folder("issued/.serials", FileMode::secret);
  folder("crl", FileMode::open);
  file("root/root.pem", root_pem, FileMode::open);
  file("root/root.key", made.root_key_pem, FileMode::secret);
  file("intermediate/intermediate.pem", intermediate_pem, FileMode::open);
  file("intermediate/intermediate.key", made.intermediate_key_pem, FileMode::secret);
  file("ca.pem", intermediate_pem + root_pem, FileMode::open);
  if (done) done = fill_ledger(directory, made, options, now);
  for (char const* name : {"root", "intermediate", "issued", "crl", ""}) {
    if (done) done = sync_directory(directory / name);
  }
  return done;
}

// What lies in a new CA, in the order in which it is needed.
std::vector<std::string> files_of(fs::path const& directory) {
  std::vector<std::string> files;
  for (char const* name :
       {"ca.pem", "crl/intermediate.crl", "crl/intermediate.der", "crl/root.crl", "crl/root.der",
        "intermediate/intermediate.pem", "intermediate/intermediate.key", "root/root.pem",
        "root/root.key", "certgate-ca.db"}) {
    files.push_back((directory / name).string());
  }
  return files;
}

Result<void> tell_made(fs::path const& directory, NewAuthorities const& made, UnixSeconds now,
                       CaReport& report) {
  auto const& root = made.root.certificate();
  auto const& intermediate = made.intermediate.certificate();
  report.text() << "Made a CA in " << directory.string() << ":\n"
                << "  root          " << root.subject().common_name << ", until "
                << format_moment(root.validity().not_after) << '\n'
                << "  intermediate  " << intermediate.subject().common_name << ", until "
                << format_moment(intermediate.validity().not_after)
                << "\n\nThe gateway trusts it with:\n  client_auth:\n    ca: "
                << (fs::absolute(directory) / "ca.pem").string()
                << "\n    crl: " << (fs::absolute(directory) / "crl/intermediate.crl").string()
                << "\n\nNext:\n  certgate ca issue " << directory.string() << " --name ann-phone\n"
                << "  move " << (directory / "root/root.key").string()
                << " to a safe place offline: it is needed only to revoke the intermediate and "
                   "once a year for the root's CRL\n";
  if (!report.is_json()) return {};
  auto& answer = report.answer();
  answer["directory"] = directory.string();
  answer["files"] = files_of(directory);
  answer["certificates"] = {
      certificate_as_json(entry_of_authority(root, pki::ProfileKind::root, now), now),
      certificate_as_json(entry_of_authority(intermediate, pki::ProfileKind::intermediate, now),
                          now)};
  CERTGATE_TRY(auto store, CaStore::open(directory / "certgate-ca.db"));
  for (std::string const issuer : {"intermediate", "root"}) {
    CERTGATE_TRY(auto const list, store.last_list(issuer));
    if (list) answer["crls"].push_back(list_as_json(directory, issuer, *list));
  }
  return {};
}

Result<void> init(InitOptions const& options, CaReport& report) {
  auto directory = fs::path(options.directory).lexically_normal();
  if (!directory.has_filename()) directory = directory.parent_path();
  std::error_code code;
  if (fs::exists(directory, code) &&
      !(fs::is_directory(directory, code) && fs::is_empty(directory, code))) {
    return fail(ErrorCode::conflict,
                fs::exists(directory / "certgate-ca.db", code)
                    ? directory.string() + " already holds a CA; choose another directory"
                    : directory.string() + " exists and is not empty; choose another directory");
  }
  auto const parent = directory.has_parent_path() ? directory.parent_path() : fs::path(".");
  if (!fs::is_directory(parent, code)) {
    return fail(ErrorCode::not_found,
                parent.string() + " is not a directory; create it first (mkdir -p)");
  }
  if (auto known = check_crl_urls(options.crl_urls); !known) return known;
  auto const now = now_in_seconds();
  CERTGATE_TRY(auto const made, make_authorities(options, now));

  // Two runs for the same directory meet here; what a killed run left is swept away.
  auto const staged = parent / (std::string(temporary_prefix) + directory.filename().string());
  CERTGATE_TRY(auto const lock, FileLock::take(staged.string() + ".lock", lock_patience));
  auto done = remove_tree(staged);
  if (done) done = make_directory(staged, FileMode::open);
  if (done) done = fill_directory(staged, made, options, now);
  if (done && ::rename(staged.c_str(), directory.c_str()) != 0) {
    done = errno == EEXIST || errno == ENOTEMPTY
               ? fail(ErrorCode::conflict,
                      directory.string() + " was made by another run in the meantime")
               : fail(system_error("create", directory, errno));
  }
  if (!done) static_cast<void>(remove_tree(staged));
  ::unlink((staged.string() + ".lock").c_str());
  if (!done) return done;
  if (done = sync_directory(parent); !done) return done;
  return tell_made(directory, made, now, report);
}

}  // namespace

void add_ca_init(CLI::App& ca, int& exit_status) {
  auto* const command = ca.add_subcommand("init", "Make a root and the intermediate that signs");
  auto const options = std::make_shared<InitOptions>();
  command->add_option("DIR", options->directory, "Where the CA is to live")->required();
  command->add_option("--name", options->name, "Name of the CA, for both certificates")
      ->capture_default_str();
  command->add_option("--organization", options->organization,
                      "Organization in every certificate of this CA");
  CLI::IsMember const key_types({"p256", "p384", "rsa2048", "rsa4096", "ed25519"});
  command->add_option("--key-type", options->key_type, "Key of both authorities")
      ->check(key_types)
      ->capture_default_str();
  command->add_option("--root-key-type", options->root_key_type, "Key of the root, if different")
      ->check(key_types);
  command->add_option("--root-days", options->root_days, "Lifetime of the root")
      ->check(CLI::Range(1, 36500))
      ->capture_default_str();
  command->add_option("--days", options->days, "Lifetime of the intermediate")
      ->check(CLI::Range(1, 36500))
      ->capture_default_str();
  command->add_option("--crl-days", options->crl_days, "How long a CRL is valid")
      ->check(CLI::Range(1, 3650))
      ->capture_default_str();
  add_repeated(command, "--crl-url", options->crl_urls,
               "Where crl/intermediate.der will be served; put into every certificate");
  command->add_option("--root-password-file", options->root_password_file,
                      "Encrypt the root's key with the first line of this file");
  add_repeated(command, "--permit-dns", options->permit_dns, "Only DNS names within this domain");
  add_repeated(command, "--permit-uri", options->permit_uri, "Only URIs of this host or .domain");
  add_repeated(command, "--permit-email", options->permit_email,
               "Only e-mail of this host or .domain");
  add_repeated(command, "--permit-ip", options->permit_ip, "Only addresses within this network");
  add_repeated(command, "--exclude-dns", options->exclude_dns, "No DNS names within this domain");
  add_repeated(command, "--exclude-uri", options->exclude_uri, "No URIs of this host or .domain");
  add_repeated(command, "--exclude-email", options->exclude_email,
               "No e-mail of this host or .domain");
  add_repeated(command, "--exclude-ip", options->exclude_ip, "No addresses within this network");
  auto const report = CaReport::add_to(*command);
  command->footer(
      "Example:\n"
      "  certgate ca init /var/lib/certgate/ca --name 'Example Devices' \\\n"
      "      --permit-dns devices.example.com --crl-url http://crl.example.com/devices.crl");
  run_when_chosen(command, exit_status, report,
                  [options](CaReport& to) { return init(*options, to); });
}

}  // namespace certgate::cli
