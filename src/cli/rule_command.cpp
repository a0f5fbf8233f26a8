// Prints what the mTLS rule form compiles to.
#include "rule_command.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <memory>

#include "certgate/base/encoding.hpp"
#include "certgate/policy/mtls_rule.hpp"

namespace certgate::cli {
namespace {

int preview(policy::MtlsForm const& form, bool as_json) {
  auto const expression = policy::format_mtls_expression(form);
  if (!expression) {
    std::cerr << "certgate rule preview: " << expression.error().detail << '\n';
    return 2;
  }
  if (as_json) {
    std::string text;
    append_json_escaped(text, *expression);
    std::cout << "{\"expression\": \"" << text << "\"}\n";
  } else {
    std::cout << *expression << '\n';
  }
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
  auto const as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "Print one JSON object");
  command->footer(
      "Example:\n"
      "  certgate rule preview --host api.example.com --path /v1\n"
      "\n"
      "Exit codes: 0 done, 2 bad usage.");
  command->callback([form, allow_revoked, as_json, &exit_status] {
    form->block_revoked = !*allow_revoked;
    exit_status = preview(*form, *as_json);
  });
}

}  // namespace certgate::cli
