// The subcommands of `certgate ca`: each adds its options and, when chosen, runs.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "certgate/base/clock.hpp"
#include "certgate/base/result.hpp"

namespace certgate::cli {

void add_ca_init(CLI::App& ca, int& exit_status);
void add_ca_issue(CLI::App& ca, int& exit_status);
void add_ca_sign(CLI::App& ca, int& exit_status);
void add_ca_renew(CLI::App& ca, int& exit_status);
void add_ca_revoke(CLI::App& ca, int& exit_status);
void add_ca_restore(CLI::App& ca, int& exit_status);
void add_ca_list(CLI::App& ca, int& exit_status);
void add_ca_crl(CLI::App& ca, int& exit_status);
void add_ca_hand_out(CLI::App& ca, int& exit_status);

// Runs `work` when `command` is chosen; an Error is printed to standard error and becomes status 2
// when it is `invalid` (what was typed), else 1.
void run_when_chosen(CLI::App* command, int& exit_status, std::function<Result<void>()> work);
// What both kinds of commands, with a report and without, do: `tell` gets null or the problem.
void run_as_ca(int& exit_status, std::function<Result<void>()> const& work,
               std::function<void(Error const*)> const& tell);

// An option that may be given several times, each with one value (so that it never swallows DIR).
void add_repeated(CLI::App* command, std::string const& name, std::vector<std::string>& values,
                  std::string const& description);

UnixSeconds now_in_seconds();

}  // namespace certgate::cli
