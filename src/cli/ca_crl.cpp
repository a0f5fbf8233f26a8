// `certgate ca crl`: signs revocation lists, once or for as long as it runs.
#include <csignal>
#include <ctime>

#include <algorithm>
#include <iostream>

#include "ca_report.hpp"
#include "ca_revoking.hpp"
#include "ca_subcommands.hpp"
#include "ca_times.hpp"

namespace certgate::cli {
namespace {

struct CrlOptions {
  std::string directory;
  int days = 0;
  bool if_due = false;
  bool watch = false;
  std::string root_password_file;
};

constexpr UnixSeconds root_list_warning = 30 * seconds_per_day;
// A watch looks this often, so that a CA restored from a backup or a set clock is noticed.
constexpr UnixSeconds longest_pause = 60;

// Half of its life is over: there is as much time again to notice when signing fails.
bool is_due(std::optional<pki::SignedList> const& list, UnixSeconds now) {
  return !list || now >= list->this_update + (list->next_update - list->this_update) / 2;
}

void tell_signed(CaDirectory const& directory, std::string const& issuer,
                 pki::SignedList const& list, CaReport& report) {
  report.text() << "Signed CRL number " << list.number << " of the " << issuer << ", next update "
                << format_moment(list.next_update) << ": "
                << (directory.path() / "crl" / (issuer + ".crl")).string() << std::endl;
}

// Both lists as they are out now, and whether this run signed them.
Result<void> report_lists(CaDirectory& directory, bool signed_intermediate, bool signed_root,
                          CaReport& report) {
  if (!report.is_json()) return {};
  for (std::string const issuer : {"intermediate", "root"}) {
    CERTGATE_TRY(auto const list, directory.store().last_list(issuer));
    if (!list) continue;
    auto json = list_as_json(directory.path(), issuer, *list);
    json["signed"] = issuer == "root" ? signed_root : signed_intermediate;
    report.answer()["crls"].push_back(std::move(json));
  }
  return {};
}

// The root's list lives long and its key may be elsewhere: it is signed when due and possible.
Result<std::optional<pki::SignedList>> sign_root_list_if_due(CaDirectory& directory,
                                                             std::string const& password,
                                                             UnixSeconds now,
                                                             CaReport& report) {
  CERTGATE_TRY(auto const last, directory.store().last_list("root"));
  if (!is_due(last, now)) return std::optional<pki::SignedList>();
  auto authority = directory.open_root(password);
  if (authority && *authority) {
    CERTGATE_TRY(auto list, directory.sign_list(**authority, "root", now, root_list_lifetime));
    return std::optional(std::move(list));
  }
  if (!last || last->next_update - now < root_list_warning) {
    report.warn("the root's CRL ends at " +
                (last ? format_moment(last->next_update) : std::string("once")) +
                " and cannot be signed: " +
                (authority ? directory.root_key().string() + " is not here"
                           : authority.error().detail) +
                "; bring the root's key back and run `certgate ca crl` again");
  }
  return std::optional<pki::SignedList>();
}

Result<void> sign_lists(CrlOptions const& options, bool only_when_due, CaReport& report) {
  std::string root_password;
  if (!options.root_password_file.empty()) {
    CERTGATE_TRY(root_password, read_password(options.root_password_file));
  }
  CERTGATE_TRY(auto directory, CaDirectory::open(options.directory));
  auto const now = now_in_seconds();
  CERTGATE_TRY(auto const lock, directory.lock_for_change());
  CERTGATE_TRY(auto const last, directory.store().last_list("intermediate"));
  CERTGATE_TRY(auto change, StoreChange::begin(directory.store()));
  std::optional<pki::SignedList> signed_list;
  if (!only_when_due || is_due(last, now)) {
    CERTGATE_TRY(auto lifetime, list_lifetime(directory));
    if (options.days > 0) lifetime = options.days * seconds_per_day;
    CERTGATE_TRY(auto const authority, directory.open_intermediate());
    CERTGATE_TRY(signed_list, directory.sign_list(authority, "intermediate", now, lifetime));
  } else if (!options.watch) {
    report.text() << "CRL number " << last->number << " is fresh until "
                  << format_moment(last->this_update + (last->next_update - last->this_update) / 2)
                  << "; nothing to do\n";
  }
  CERTGATE_TRY(auto const root_list, sign_root_list_if_due(directory, root_password, now, report));
  if (auto done = change.commit(); !done) return done;
  if (auto done = directory.publish_lists(); !done) return done;
  if (signed_list) tell_signed(directory, "intermediate", *signed_list, report);
  if (root_list) tell_signed(directory, "root", *root_list, report);
  return report_lists(directory, signed_list.has_value(), root_list.has_value(), report);
}

// Until SIGTERM or SIGINT. A failure is reported and tried again; the list that is out stays good
// for the other half of its life.
Result<void> watch(CrlOptions const& options, CaReport& report) {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  sigprocmask(SIG_BLOCK, &ending, nullptr);
  CERTGATE_TRY(auto const first, CaDirectory::open(options.directory));
  std::cout << "Keeping the CRLs of " << first.path().string() << " fresh" << std::endl;
  UnixSeconds pause = 1;
  for (;;) {
    auto const done = sign_lists(options, true, report);
    if (!done) {
      std::cerr << "certgate ca crl: " << done.error().detail << "; trying again in " << pause
                << " s" << std::endl;
    }
    timespec const wait{done ? longest_pause : pause, 0};
    pause = done ? 1 : std::min(pause * 2, longest_pause);
    if (sigtimedwait(&ending, nullptr, &wait) > 0) return {};
  }
}

}  // namespace

void add_ca_crl(CLI::App& ca, int& exit_status) {
  auto* const command = ca.add_subcommand("crl", "Sign the certificate revocation lists");
  auto const options = std::make_shared<CrlOptions>();
  command->add_option("DIR", options->directory, "The CA")->required();
  command
      ->add_option("--days", options->days, "How long the list is valid (usual: as init was told)")
      ->check(CLI::Range(1, 3650));
  command->add_flag("--if-due", options->if_due, "Only when half of the list's life is over");
  auto* const watching =
      command->add_flag("--watch", options->watch, "Keep running and sign whenever it is due");
  command->add_option("--root-password-file", options->root_password_file,
                      "Opens the root's key, for the root's CRL");
  command->footer(
      "Example:\n"
      "  certgate ca crl /var/lib/certgate/ca\n"
      "  certgate ca crl /var/lib/certgate/ca --watch\n"
      "\n"
      "Revoking signs a new list at once; this keeps it from running out. The systemd timer\n"
      "certgate-ca-crl.timer runs it with --if-due.");
  auto const report = CaReport::add_to(*command);
  command->get_option("--json")->excludes(watching);
  run_when_chosen(command, exit_status, report, [options](CaReport& to) {
    return options->watch ? watch(*options, to) : sign_lists(*options, options->if_due, to);
  });
}

}  // namespace certgate::cli
