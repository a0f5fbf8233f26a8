// Prints what the mTLS rule form compiles to.
#include "rule_command.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <memory>

#include "certgate/policy/mtls_rule.hpp"

namespace certgate::cli {
namespace {

int preview(policy::MtlsForm const& form) {
  auto const expression = policy::format_mtls_expression(form);
  if (!expression) {
    std::cerr << "certgate rule preview: " << expression.error().detail << '\n';
    return 2;
  }
  std::cout << *expression << '\n';
  return 0;
}

}  // namespace

void add_rule_command(CLI::App& root, int& exit_status) {
  auto* const rule = root.add_subcommand("rule", "Write rules");
  rule->require_subcommand(1);
  auto* const command =
      rule->add_subcommand("preview", "Print the expression that an mTLS rule form means");
  auto const form = std::make_shared<policy::MtlsForm>();
  auto const allow_revoked = std::make_shared<bool>(false);
  command->add_option("--host", form->hosts, "A host name, *.example.com or * (may be repeated)")
      ->required();
  command->add_option("--path", form->paths,
                      "A path; covers what is below it, too (may be repeated)");
  command->add_flag("--allow-revoked", *allow_revoked,
                    "Do not block revoked certificates (block_revoked: false)");
  command->footer(
      "Example:\n"
      "  certgate rule preview --host api.example.com --path /v1\n"
      "\n"
      "Exit codes: 0 done, 2 bad usage.");
  command->callback([form, allow_revoked, &exit_status] {
    form->block_revoked = !*allow_revoked;
    exit_status = preview(*form);
  });
}

}  // namespace certgate::cli
