// What a person is told about each mistake: tests/golden/rules/*.golden.
//
// A block is "=== name", the expression, "---", and the rendered diagnostics. With
// CERTGATE_UPDATE_GOLDEN=1 the files are written anew; read the difference before committing it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "certgate/rules/program.hpp"
#include "documented_scheme.hpp"

namespace certgate::rules {
namespace {

auto const name_of_row = [](auto const& info) { return std::string(info.param); };

Scheme scheme_with_mistakes_in_mind() {
  auto scheme = test::documented_scheme();
  scheme.add_unavailable_field(
      "cf.bot.magic", {"it is computed inside Cloudflare's network", "remove this condition"});
  scheme.add_list("office", parse_list(ListKind::ip, "192.0.2.0/24\n").value());
  return scheme;
}

std::string rendered(Scheme const& scheme, std::string const& expression) {
  auto const compiled = compile(scheme, expression);
  auto const& mistakes = compiled ? compiled->warnings : compiled.error();
  return render(to_diagnostics(mistakes, SourceText("rule", expression)));
}

std::string read(std::filesystem::path const& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Block {
  std::string name;
  std::string expression;
};

std::vector<Block> blocks_of(std::string const& text) {
  std::vector<Block> blocks;
  std::istringstream lines(text);
  bool in_expression = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("=== ")) {
      blocks.push_back({line.substr(4), ""});
      in_expression = true;
    } else if (line == "---") {
      in_expression = false;
    } else if (in_expression) {
      auto& expression = blocks.back().expression;
      expression += (expression.empty() ? "" : "\n") + line;
    }
  }
  return blocks;
}

class Mistakes : public testing::TestWithParam<char const*> {};

TEST_P(Mistakes, are_explained) {
  auto const path = std::filesystem::path(CERTGATE_TEST_DIR) / "golden/rules" /
                    (std::string(GetParam()) + ".golden");
  auto const scheme = scheme_with_mistakes_in_mind();
  auto const expected = read(path);
  std::string actual;
  for (auto const& block : blocks_of(expected)) {
    auto const told = rendered(scheme, block.expression);
    EXPECT_FALSE(told.empty()) << block.name;
    actual += "=== " + block.name + "\n" + block.expression + "\n---\n" + told;
  }
  if (std::getenv("CERTGATE_UPDATE_GOLDEN")) {
    std::ofstream(path) << actual;
  } else {
    EXPECT_EQ(actual, expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, Mistakes,
                         testing::Values("words", "strings", "names", "types", "shape", "numbers",
                                         "patterns", "warnings"),
                         name_of_row);

}  // namespace
}  // namespace certgate::rules
