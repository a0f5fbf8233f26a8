// `certgate ca revoke` and `ca restore`.
#include <charconv>

#include "ca_revoking.hpp"
#include "ca_subcommands.hpp"
#include "ca_times.hpp"

namespace certgate::cli {
namespace {

std::string joined(std::vector<std::string_view> const& words) {
  std::string text;
  for (auto const word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

// Signs the next list of every issuer that the entries belong to.
Result<void> sign_lists_of(CaDirectory& directory, std::vector<pki::LedgerEntry> const& entries,
                           std::string const& root_password) {
  auto const now = now_in_seconds();
  bool of_root = false;
  bool of_intermediate = false;
  for (auto const& entry : entries) (entry.issuer == "root" ? of_root : of_intermediate) = true;
  if (of_intermediate) {
    CERTGATE_TRY(auto const authority, directory.open_intermediate());
    CERTGATE_TRY(auto const lifetime, list_lifetime(directory));
    CERTGATE_TRY(auto const list, directory.sign_list(authority, "intermediate", now, lifetime));
  }
  if (of_root) {
    CERTGATE_TRY(auto const authority, directory.open_root(root_password));
    if (!authority) {
      return fail(ErrorCode::not_found, "only the root can revoke an intermediate, and " +
                                            directory.root_key().string() +
                                            " is not here; bring the root's key back for this");
    }
    CERTGATE_TRY(auto const list, directory.sign_list(*authority, "root", now, root_list_lifetime));
  }
  return {};
}

struct RevokeOptions {
  std::string directory;
  std::vector<std::string> who;
  std::string reason = "unspecified";
  std::string root_password_file;
};

Result<std::vector<pki::LedgerEntry>> find_all_meant(CaDirectory& directory,
                                                     std::vector<std::string> const& who) {
  std::vector<pki::LedgerEntry> entries;
  for (auto const& each : who) {
    CERTGATE_TRY(auto meant, find_meant(directory, each));
    for (auto& entry : meant) {
      bool known = false;
      for (auto const& other : entries) known = known || other.serial == entry.serial;
      if (!known) entries.push_back(std::move(entry));
    }
  }
  return entries;
}

// The certificates as they are now, under `what`, and the lists that were signed for them.
Result<void> report_changed(CaDirectory& directory, std::vector<pki::LedgerEntry> const& entries,
                            char const* what, CaReport& report) {
  if (!report.is_json()) return {};
  auto& answer = report.answer();
  bool by_root = false;
  bool by_intermediate = false;
  for (auto const& meant : entries) {
    (meant.issuer == "root" ? by_root : by_intermediate) = true;
    CERTGATE_TRY(auto const entry, directory.store().find(meant.serial));
    answer[what].push_back(certificate_as_json(entry ? *entry : meant, now_in_seconds()));
  }
  for (std::string const issuer : {"intermediate", "root"}) {
    if (!(issuer == "root" ? by_root : by_intermediate)) continue;
    CERTGATE_TRY(auto const list, directory.store().last_list(issuer));
    if (list) answer["crls"].push_back(list_as_json(directory.path(), issuer, *list));
  }
  return {};
}

Result<void> revoke(RevokeOptions const& options, CaReport& report) {
  auto const reason = pki::parse_reason(options.reason);
  if (!reason) {
    return fail(ErrorCode::invalid, "unknown reason " + options.reason + "; reasons are " +
                                        joined(pki::reason_names()));
  }
  std::string root_password;
  if (!options.root_password_file.empty()) {
    CERTGATE_TRY(root_password, read_password(options.root_password_file));
  }
  CERTGATE_TRY(auto directory, CaDirectory::open(options.directory));
  CERTGATE_TRY(auto const entries, find_all_meant(directory, options.who));
  return revoke_all(directory, entries, *reason, root_password, report);
}

Result<void> restore(RevokeOptions const& options, CaReport& report) {
  CERTGATE_TRY(auto directory, CaDirectory::open(options.directory));
  CERTGATE_TRY(auto const lock, directory.lock_for_change());
  CERTGATE_TRY(auto const meant, find_all_meant(directory, options.who));
  CERTGATE_TRY(auto change, StoreChange::begin(directory.store()));
  std::vector<pki::LedgerEntry> restored;
  for (auto const& entry : meant) {
    // A name stands for all its certificates: the active ones among them need nothing.
    if (meant.size() > 1 && entry.state == pki::RecordedState::active) continue;
    auto const state = pki::state_after_restoring(entry.state);
    if (!state) {
      return fail(state.error().code,
                  entry.name + " (serial " + entry.serial.hex() + "): " + state.error().detail);
    }
    auto const done =
        directory.store().set_state(entry.serial, *state, pki::RevocationReason::unspecified, 0);
    if (!done) return done;
    restored.push_back(entry);
  }
  if (restored.empty()) return fail(ErrorCode::conflict, "none of them is on hold");
  if (auto done = sign_lists_of(directory, restored, {}); !done) return done;
  if (auto done = change.commit(); !done) return done;
  if (auto done = directory.publish_lists(); !done) return done;
  for (auto const& entry : restored) {
    report.text() << "Restored " << entry.name << ", serial " << entry.serial.hex() << '\n';
  }
  report.text() << "New CRL: " << (directory.path() / "crl/intermediate.crl").string() << '\n';
  return report_changed(directory, restored, "restored", report);
}

}  // namespace

Result<std::vector<pki::LedgerEntry>> find_meant(CaDirectory& directory, std::string const& who) {
  CERTGATE_TRY(auto const named, directory.store().find_by_name(who));
  std::vector<pki::LedgerEntry> entries;
  for (auto const& entry : named) {
    if (entry.state != pki::RecordedState::revoked) entries.push_back(entry);
  }
  if (!entries.empty()) return entries;
  if (auto const serial = pki::Serial::parse(who)) {
    CERTGATE_TRY(auto const entry, directory.store().find(*serial));
    if (entry) return std::vector{*entry};
  }
  if (!named.empty()) {
    return fail(ErrorCode::conflict, "all certificates of " + who + " are revoked for good already");
  }
  return fail(ErrorCode::not_found, "no certificate has the name or serial " + who +
                                        "; see `certgate ca list " + directory.path().string() +
                                        "`");
}

Result<UnixSeconds> list_lifetime(CaDirectory& directory) {
  CERTGATE_TRY(auto const text, directory.store().setting("crl_days"));
  int days = 7;
  if (text) std::from_chars(text->data(), text->data() + text->size(), days);
  return days * seconds_per_day;
}

Result<void> revoke_all(CaDirectory& directory, std::vector<pki::LedgerEntry> const& entries,
                        pki::RevocationReason reason, std::string const& root_password,
                        CaReport& report) {
  CERTGATE_TRY(auto const lock, directory.lock_for_change());
  CERTGATE_TRY(auto change, StoreChange::begin(directory.store()));
  auto const now = now_in_seconds();
  for (auto const& meant : entries) {
    // Again, because another run may have changed it since it was looked up.
    CERTGATE_TRY(auto const entry, directory.store().find(meant.serial));
    auto const state = pki::state_after_revoking(entry ? entry->state : meant.state, reason);
    if (!state) {
      return fail(state.error().code,
                  meant.name + " (serial " + meant.serial.hex() + "): " + state.error().detail);
    }
    if (meant.profile == "root") {
      return fail(ErrorCode::conflict,
                  "a root cannot revoke itself; take it out of every gateway's ca instead");
    }
    auto const done = directory.store().set_state(meant.serial, *state, reason, now);
    if (!done) return done;
  }
  if (auto done = sign_lists_of(directory, entries, root_password); !done) return done;
  if (auto done = change.commit(); !done) return done;
  if (auto done = directory.publish_lists(); !done) return done;
  for (auto const& entry : entries) {
    report.text() << (reason == pki::RevocationReason::certificate_hold ? "Put on hold "
                                                                        : "Revoked ")
                  << entry.name << ", serial " << entry.serial.hex() << " ("
                  << pki::name_of(reason) << ")\n";
  }
  bool const by_root = entries.front().issuer == "root";
  report.text() << "New CRL: "
                << (directory.path() / (by_root ? "crl/root.crl" : "crl/intermediate.crl")).string()
                << '\n';
  return report_changed(directory, entries, "revoked", report);
}

Result<void> revoke_one(CaDirectory& directory, pki::Serial const& serial,
                        pki::RevocationReason reason, CaReport& report) {
  CERTGATE_TRY(auto const entry, directory.store().find(serial));
  if (!entry) return fail(ErrorCode::not_found, "no certificate has the serial " + serial.hex());
  return revoke_all(directory, {*entry}, reason, {}, report);
}

void add_ca_revoke(CLI::App& ca, int& exit_status) {
  auto* const command =
      ca.add_subcommand("revoke", "Revoke, or put on hold, and sign the new CRL at once");
  auto const options = std::make_shared<RevokeOptions>();
  command->add_option("DIR", options->directory, "The CA")->required();
  command
      ->add_option("SERIAL|NAME", options->who,
                   "Which certificates; a name stands for all of its certificates")
      ->required();
  command
      ->add_option("--reason", options->reason,
                   joined(pki::reason_names()) + "; only certificateHold can be taken back")
      ->capture_default_str();
  command->add_option("--root-password-file", options->root_password_file,
                      "Opens the root's key, to revoke an intermediate");
  command->footer(
      "Example:\n"
      "  certgate ca revoke /var/lib/certgate/ca ann-phone --reason keyCompromise\n"
      "  certgate ca revoke /var/lib/certgate/ca 4F2A90 --reason certificateHold");
  auto const report = CaReport::add_to(*command);
  run_when_chosen(command, exit_status, report,
                  [options](CaReport& to) { return revoke(*options, to); });
}

void add_ca_restore(CLI::App& ca, int& exit_status) {
  auto* const command = ca.add_subcommand("restore", "Take back a hold");
  auto const options = std::make_shared<RevokeOptions>();
  command->add_option("DIR", options->directory, "The CA")->required();
  command->add_option("SERIAL|NAME", options->who, "Which certificates")->required();
  command->footer("Example:\n  certgate ca restore /var/lib/certgate/ca ann-phone");
  auto const report = CaReport::add_to(*command);
  run_when_chosen(command, exit_status, report,
                  [options](CaReport& to) { return restore(*options, to); });
}

}  // namespace certgate::cli
