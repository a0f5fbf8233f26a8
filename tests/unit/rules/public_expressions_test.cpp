// Every rule found in public sources parses and checks. The collection is not part of the
// repository: the test reads it where it lies, and has nothing to say where it does not.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "certgate/rules/program.hpp"
#include "documented_scheme.hpp"

namespace certgate::rules {
namespace {

std::filesystem::path collection() {
  if (auto const* path = std::getenv("CERTGATE_EXPRESSIONS")) return path;
  return std::filesystem::path(CERTGATE_SOURCE_DIR) / "../shared/spec/expressions.txt";
}

// Registers the list after `in $`, of the kind that the mistake about it asks for.
void declare_lists(Scheme& scheme, std::string const& line) {
  for (auto at = line.find(" in $"); at != std::string::npos; at = line.find(" in $", at + 1)) {
    auto const start = at + 5;
    auto const end = line.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.", start);
    auto const name = line.substr(start, end - start);
    auto const field_start = line.find_last_of(" (", at - 1) + 1;
    auto const field = scheme.find_field(line.substr(field_start, at - field_start));
    if (scheme.find_list(name)) continue;
    auto kind = ListKind::bytes;
    if (field && scheme.field(*field).type == ip_type) kind = ListKind::ip;
    if (field && scheme.field(*field).type == int_type) kind = ListKind::integer;
    scheme.add_list(name, build_list(kind, {}).value());
  }
}

TEST(PublicExpressions, all_parse_and_check_against_the_documented_schema) {
  std::ifstream file(collection());
  std::size_t expressions = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    ++expressions;
    auto scheme = test::documented_scheme();
    declare_lists(scheme, line);
    auto const compiled = compile(scheme, line);
    if (compiled) continue;
    SourceText const source("expressions.txt", line);
    ADD_FAILURE() << render(to_diagnostics(compiled.error(), source));
  }
  if (file.is_open()) {
    EXPECT_GE(expressions, 871u);
  }
}

}  // namespace
}  // namespace certgate::rules
