// `certgate ca list`: who has which certificate, for people and for scripts.
#include <algorithm>
#include <iomanip>
#include <iostream>

#include "ca_directory.hpp"
#include "ca_report.hpp"
#include "ca_subcommands.hpp"
#include "ca_times.hpp"
#include "certgate/base/encoding.hpp"

namespace certgate::cli {
namespace {

struct ListOptions {
  std::string directory;
  std::string name;
  std::string status;
  std::string expiring_within;
  bool all = false;
  bool json = false;
  bool csv = false;
};

struct ListedCertificate {
  pki::LedgerEntry entry;
  pki::Status status;
};

// RFC 4180 §2: fields with commas, quotes or line breaks are quoted. A leading = + - @ would be a
// formula to a spreadsheet.
std::string csv_field(std::string const& text) {
  std::string safe = text;
  if (!safe.empty() && std::string_view("=+-@").find(safe.front()) != std::string_view::npos) {
    safe.insert(0, "'");
  }
  if (safe.find_first_of(",\"\r\n") == std::string::npos) return safe;
  std::string out = "\"";
  for (char const c : safe) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

bool is_gone(pki::RecordedState state) { return state != pki::RecordedState::active; }

std::string reason_of(pki::LedgerEntry const& entry) {
  return is_gone(entry.state) ? std::string(pki::name_of(entry.reason)) : std::string();
}

std::string revoked_at(pki::LedgerEntry const& entry) {
  return is_gone(entry.state) ? format_moment(entry.revoked_at) : std::string();
}

std::string fingerprint_of(pki::LedgerEntry const& entry) {
  return format_hex(as_bytes(pki::sha256(entry.certificate_der)), HexCase::lower);
}

std::string origin_of(pki::LedgerEntry const& entry) {
  return entry.key_origin == pki::KeyOrigin::device ? "device" : "authority";
}

void print_json(std::vector<ListedCertificate> const& rows, UnixSeconds now) {
  std::cout << '[';
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto const row = certificate_as_json(rows[i].entry, now);
    std::cout << (i == 0 ? "\n" : ",\n") << "  "
              << row.dump(-1, ' ', false, CaReport::Json::error_handler_t::replace);
  }
  std::cout << (rows.empty() ? "]\n" : "\n]\n");
}

void print_csv(std::vector<ListedCertificate> const& rows) {
  std::cout << "name,serial,profile,status,issued_at,not_before,not_after,reason,revoked_at,issuer,"
               "key_origin,fingerprint_sha256\r\n";
  for (auto const& [entry, status] : rows) {
    std::cout << csv_field(entry.name) << ',' << entry.serial.hex() << ',' << entry.profile << ','
              << pki::name_of(status) << ',' << format_moment(entry.issued_at) << ','
              << format_moment(entry.not_before) << ',' << format_moment(entry.not_after) << ','
              << reason_of(entry) << ',' << revoked_at(entry) << ',' << entry.issuer << ','
              << origin_of(entry) << ',' << fingerprint_of(entry) << "\r\n";
  }
}

void print_table(std::vector<ListedCertificate> const& rows, UnixSeconds now) {
  std::size_t width = 4;
  for (auto const& row : rows) width = std::max(width, row.entry.name.size());
  auto const name_width = static_cast<int>(std::min<std::size_t>(width, 64));
  std::cout << std::left << std::setw(name_width) << "NAME"
            << "  " << std::setw(32) << "SERIAL"
            << "  PROFILE       STATUS   UNTIL\n";
  for (auto const& [entry, status] : rows) {
    std::cout << std::setw(name_width) << entry.name << "  " << std::setw(32) << entry.serial.hex()
              << "  " << std::setw(12) << entry.profile << "  " << std::setw(7)
              << pki::name_of(status) << "  " << format_moment(entry.not_after);
    if (status == pki::Status::active) {
      auto const days = (entry.not_after - now) / seconds_per_day;
      std::cout << " (" << days << (days == 1 ? " day)" : " days)");
    } else if (is_gone(entry.state)) {
      std::cout << " (" << pki::name_of(entry.reason) << ' ' << format_moment(entry.revoked_at)
                << ')';
    }
    std::cout << '\n';
  }
  std::cout << rows.size() << (rows.size() == 1 ? " certificate\n" : " certificates\n");
}

Result<void> list(ListOptions const& options) {
  auto const now = now_in_seconds();
  auto ends_before = std::optional<UnixSeconds>();
  if (!options.expiring_within.empty()) {
    CERTGATE_TRY(ends_before, parse_moment(options.expiring_within, now));
  }
  CERTGATE_TRY(auto directory, CaDirectory::open(options.directory));
  CERTGATE_TRY(auto entries, directory.store().all());
  std::vector<ListedCertificate> rows;
  for (auto& entry : entries) {
    auto const status = pki::status_at(entry.state, entry.not_after, now);
    bool const authority = entry.profile == "root" || entry.profile == "intermediate";
    if (authority && !options.all) continue;
    if (!options.name.empty() && entry.name != options.name) continue;
    if (!options.status.empty() && pki::name_of(status) != options.status) continue;
    if (ends_before && (status != pki::Status::active || entry.not_after > *ends_before)) continue;
    rows.push_back({std::move(entry), status});
  }
  if (options.json) {
    print_json(rows, now);
  } else if (options.csv) {
    print_csv(rows);
  } else {
    print_table(rows, now);
  }
  return {};
}

}  // namespace

void add_ca_list(CLI::App& ca, int& exit_status) {
  auto* const command = ca.add_subcommand("list", "Who has which certificate, and until when");
  auto const options = std::make_shared<ListOptions>();
  command->add_option("DIR", options->directory, "The CA")->required();
  command->add_option("--name", options->name, "Only this name");
  command->add_option("--status", options->status, "Only these: active, held, revoked, expired")
      ->check(CLI::IsMember({"active", "held", "revoked", "expired"}));
  command->add_option("--expiring-within", options->expiring_within,
                      "Only active ones that end within this length (30d) or by this day");
  command->add_flag("--all", options->all, "The root and the intermediate too");
  auto* const json = command->add_flag("--json", options->json, "One JSON array");
  command->add_flag("--csv", options->csv, "A table for spreadsheets")->excludes(json);
  command->footer("Example:\n  certgate ca list /var/lib/certgate/ca --expiring-within 30d --json");
  run_when_chosen(command, exit_status, [options] { return list(*options); });
}

}  // namespace certgate::cli
