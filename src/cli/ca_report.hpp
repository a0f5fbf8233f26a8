// What a subcommand of `certgate ca` tells: sentences for people, or with --json one object.
//
// The object has `done`, and `problem` when it was not done; a script reads the rest. A certificate
// is told as `ca list --json` tells it.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <string_view>

#include "certgate/base/clock.hpp"
#include "certgate/base/diagnostic.hpp"
#include "certgate/base/result.hpp"
#include "certgate/pki/ledger.hpp"

namespace certgate::cli {

class CaReport {
 public:
  using Json = nlohmann::ordered_json;

  // Adds --json to the command.
  static std::shared_ptr<CaReport> add_to(CLI::App& command);

  bool is_json() const { return is_json_; }
  // For people; swallowed with --json.
  std::ostream& text();
  // What the object is to hold; nobody sees it without --json.
  Json& answer() { return answer_; }
  // Something to look after although it was done.
  void warn(std::string const& sentence);
  // Of a text that was typed, before anything was done.
  void add_mistakes(Diagnostics const& mistakes);
  // With --json the object, else the problem, if any, on standard error.
  void print(Error const* problem) const;

 private:
  std::string command_;
  bool is_json_ = false;
  std::ostream nowhere_{nullptr};
  Json answer_ = Json::object();
};

// As run_when_chosen() without a report; an Error becomes the report's problem.
void run_when_chosen(CLI::App* command, int& exit_status, std::shared_ptr<CaReport> report,
                     std::function<Result<void>(CaReport&)> work);

// A certificate with its status at `now`.
CaReport::Json certificate_as_json(pki::LedgerEntry const& entry, UnixSeconds now);
// A list of the CA in `directory`: issuer, number, times, files.
CaReport::Json list_as_json(std::filesystem::path const& directory, std::string const& issuer,
                            pki::SignedList const& list);

}  // namespace certgate::cli
