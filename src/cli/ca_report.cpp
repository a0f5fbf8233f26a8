#include "ca_report.hpp"

#include <iostream>

#include "ca_subcommands.hpp"
#include "ca_times.hpp"
#include "certgate/base/encoding.hpp"
#include "certgate/gateway/build.hpp"
#include "certgate/pki/certificate.hpp"

namespace certgate::cli {
namespace {

CaReport::Json text_or_null(std::string text) {
  return text.empty() ? CaReport::Json() : CaReport::Json(std::move(text));
}

}  // namespace

std::shared_ptr<CaReport> CaReport::add_to(CLI::App& command) {
  auto report = std::make_shared<CaReport>();
  report->command_ = command.get_name();
  command.add_flag("--json", report->is_json_, "Print one JSON object");
  return report;
}

std::ostream& CaReport::text() { return is_json_ ? nowhere_ : std::cout; }

void CaReport::warn(std::string const& sentence) {
  if (is_json_) {
    answer_["warnings"].push_back(sentence);
  } else {
    std::cerr << "certgate ca " << command_ << ": warning: " << sentence << '\n';
  }
}

void CaReport::add_mistakes(Diagnostics const& mistakes) {
  if (is_json_) {
    answer_["diagnostics"] = Json::parse(gateway::format_diagnostics_json(mistakes));
  } else {
    std::cerr << render(mistakes);
  }
}

void CaReport::print(Error const* problem) const {
  if (!is_json_) {
    if (problem == nullptr) return;
    std::cout.flush();
    std::cerr << "certgate ca " << command_ << ": " << problem->detail << '\n';
    return;
  }
  Json whole = {{"done", problem == nullptr}};
  if (problem != nullptr) whole["problem"] = problem->detail;
  for (auto const& [name, value] : answer_.items()) whole[name] = value;
  std::cout << whole.dump(1, ' ', false, Json::error_handler_t::replace) << '\n';
}

void run_when_chosen(CLI::App* command, int& exit_status, std::shared_ptr<CaReport> report,
                     std::function<Result<void>(CaReport&)> work) {
  command->callback([&exit_status, report = std::move(report), work = std::move(work)] {
    run_as_ca(exit_status, [&] { return work(*report); },
              [&](Error const* problem) { report->print(problem); });
  });
}

CaReport::Json certificate_as_json(pki::LedgerEntry const& entry, UnixSeconds now) {
  bool const is_gone = entry.state != pki::RecordedState::active;
  return {
      {"name", entry.name},
      {"serial", entry.serial.hex()},
      {"profile", entry.profile},
      {"status", pki::name_of(pki::status_at(entry.state, entry.not_after, now))},
      {"issued_at", format_moment(entry.issued_at)},
      {"not_before", format_moment(entry.not_before)},
      {"not_after", format_moment(entry.not_after)},
      {"reason", text_or_null(is_gone ? std::string(pki::name_of(entry.reason)) : std::string())},
      {"revoked_at", text_or_null(is_gone ? format_moment(entry.revoked_at) : std::string())},
      {"issuer", entry.issuer},
      {"key_origin", entry.key_origin == pki::KeyOrigin::device ? "device" : "authority"},
      {"fingerprint_sha256",
       format_hex(as_bytes(pki::sha256(entry.certificate_der)), HexCase::lower)},
  };
}

CaReport::Json list_as_json(std::filesystem::path const& directory, std::string const& issuer,
                            pki::SignedList const& list) {
  auto const place = (directory / "crl" / issuer).string();
  return {
      {"issuer", issuer},
      {"number", list.number},
      {"this_update", format_moment(list.this_update)},
      {"next_update", format_moment(list.next_update)},
      {"files", {place + ".crl", place + ".der"}},
  };
}

}  // namespace certgate::cli
