// Every byte of an expression leads back to its own byte of the YAML file.
#include <gtest/gtest.h>

#include "sample.hpp"

namespace certgate::config {
namespace {

struct Case {
  std::string name;
  std::string yaml;  // what stands behind `expression:`
  std::string text;  // what the expression is
  std::string word;  // found in both; its place is compared
};
void PrintTo(Case const& each, std::ostream* out) { *out << each.name; }

class Places : public testing::TestWithParam<Case> {};

Result<Config, Diagnostics> parse_rule(std::string const& expression) {
  std::string text = sample_with();
  std::size_t const tests = text.find("tests:");
  text.insert(tests, "  - name: tested\n    action: block\n    expression: " + expression + "\n");
  return parse_text(text);
}

TEST_P(Places, LeadBackToTheFile) {
  auto const config = parse_rule(GetParam().yaml);
  ASSERT_TRUE(config) << render(config.error());
  ExpressionText const& expression = config->rules.back().expression;
  ASSERT_EQ(expression.text(), GetParam().text);
  std::string_view const source = config->sources.front()->text();
  std::size_t const at = expression.text().find(GetParam().word);
  ASSERT_NE(at, std::string::npos);
  std::size_t const from = expression.source_offset_of(at);
  EXPECT_EQ(source.substr(from, GetParam().word.size()), GetParam().word);
  // Every byte that is not white space or escaped is found again, in order.
  std::size_t last = 0;
  bool const escaped = GetParam().yaml.starts_with('"');
  for (std::size_t i = 0; i < expression.text().size(); ++i) {
    std::size_t const offset = expression.source_offset_of(i);
    EXPECT_GE(offset, last) << "at " << i;
    last = offset;
    char const c = expression.text()[i];
    ASSERT_LT(offset, source.size());
    if (c == ' ' || c == '\n') {
      EXPECT_TRUE(source[offset] == ' ' || source[offset] == '\n' || source[offset] == '\r' ||
                  escaped)
          << "at " << i;
    } else if (!escaped || source[offset] != '\\') {
      EXPECT_EQ(source[offset], c) << "at " << i << " of " << expression.text();
    }
  }
  EXPECT_GE(expression.source_offset_of(expression.text().size()), last);
}

INSTANTIATE_TEST_SUITE_P(
    Config, Places,
    testing::Values(
        Case{"plain", "a.b == 1 and c.d", "a.b == 1 and c.d", "c.d"},
        Case{"plain_on_the_next_line", "\n      a.b == 1", "a.b == 1", "a.b"},
        Case{"plain_over_lines", "a.b\n      and c.d\n      or e.f", "a.b and c.d or e.f", "e.f"},
        Case{"plain_with_blank_line", "a.b\n\n      and c.d", "a.b\nand c.d", "c.d"},
        Case{"plain_trailing_blanks", "a.b   \n      and c.d  ", "a.b and c.d", "c.d"},
        Case{"plain_inner_blanks", "a.b    and   c.d", "a.b    and   c.d", "c.d"},
        Case{"plain_with_comment", "a.b and c.d   # why", "a.b and c.d", "c.d"},
        Case{"single_quoted", "'a.b == \"x\" and c.d'", "a.b == \"x\" and c.d", "c.d"},
        Case{"single_quoted_quote", "'a == \"it''s\" and c.d'", "a == \"it's\" and c.d", "c.d"},
        Case{"single_quoted_over_lines", "'a.b\n      and c.d'", "a.b and c.d", "c.d"},
        Case{"double_quoted", "\"a.b and c.d\"", "a.b and c.d", "c.d"},
        Case{"double_quoted_escapes", "\"a == \\\"x\\\" and c.d\"", "a == \"x\" and c.d", "c.d"},
        Case{"double_quoted_hex", "\"a == \\x22\\u00e9\\U0001F600\\x22 and c.d\"",
             "a == \"\xC3\xA9\xF0\x9F\x98\x80\" and c.d", "c.d"},
        Case{"double_quoted_newline", "\"a.b\\nand c.d\"", "a.b\nand c.d", "c.d"},
        Case{"double_quoted_joined_lines", "\"a.b \\\n      and c.d\"", "a.b and c.d", "c.d"},
        Case{"double_quoted_escaped_blank", "\"a.b\\ and\\tc.d\"", "a.b and\tc.d", "c.d"},
        Case{"double_quoted_over_lines", "\"a.b\n      and c.d\"", "a.b and c.d", "c.d"},
        Case{"literal", "|\n      a.b\n      and c.d", "a.b\nand c.d", "c.d"},
        Case{"literal_indented_lines", "|\n      a.b\n        and (\n          c.d)",
             "a.b\n  and (\n    c.d)", "c.d"},
        Case{"literal_blank_lines", "|\n      a.b\n\n\n      and c.d", "a.b\n\n\nand c.d", "c.d"},
        Case{"literal_with_header_comment", "|  # why\n      a.b\n      and c.d", "a.b\nand c.d",
             "c.d"},
        Case{"literal_trailing_blanks", "|\n      a.b  \n      and c.d", "a.b  \nand c.d", "c.d"},
        Case{"literal_indicator", "|1\n      a.b\n      and c.d", " a.b\n and c.d", "c.d"},
        Case{"folded_strip", ">-\n      a.b\n      and c.d", "a.b and c.d", "c.d"},
        Case{"folded", ">\n      a.b\n      and c.d", "a.b and c.d", "c.d"},
        Case{"folded_keep", ">+\n      a.b\n      and c.d\n\n", "a.b and c.d", "c.d"},
        Case{"folded_blank_line", ">-\n      a.b\n\n      and c.d", "a.b\nand c.d", "c.d"},
        Case{"folded_indented_lines", ">-\n      a.b\n        and x\n      and c.d",
             "a.b\n  and x\nand c.d", "c.d"},
        Case{"folded_trailing_blanks", ">-\n      a.b  \n      and c.d", "a.b   and c.d", "c.d"},
        Case{"crlf_literal", "|\r\n      a.b\r\n      and c.d", "a.b\nand c.d", "c.d"},
        Case{"crlf_folded", ">-\r\n      a.b\r\n      and c.d", "a.b and c.d", "c.d"},
        Case{"crlf_plain", "a.b\r\n      and c.d", "a.b and c.d", "c.d"},
        Case{"anchored", "&rule a.b and c.d", "a.b and c.d", "c.d"},
        Case{"anchored_folded", "&rule >-\n      a.b\n      and c.d", "a.b and c.d", "c.d"},
        Case{"not_ascii", "a.b == \"caf\xC3\xA9\" and c.d", "a.b == \"caf\xC3\xA9\" and c.d",
             "c.d"},
        Case{"not_ascii_folded", ">-\n      \"\xE2\x82\xAC\" in x\n      and c.d",
             "\"\xE2\x82\xAC\" in x and c.d", "c.d"}),
    [](auto const& each) { return each.param.name; });

TEST(ExpressionText, ACaretLandsOnTheRightLine) {
  auto const config = parse_text(
      sample_with("rules[]", "description: |\n      two\n      lines\n") + "rule_files: r.yaml\n",
      {{"r.yaml",
        "- name: b\n  action: block\n  expression: >-\n"
        "    http.host == \"x\"\n    and not cert_verified\n"}});
  ASSERT_TRUE(config) << render(config.error());
  ExpressionText const& expression = config->rules.back().expression;
  std::size_t const at = expression.text().find("cert_verified");
  EXPECT_EQ(render(expression.diagnostic(at, 13, "unknown field `cert_verified`")),
            "r.yaml:5:13: unknown field `cert_verified`\n"
            "    5 |     and not cert_verified\n"
            "      |             ^^^^^^^^^^^^^\n");
  Place const place = expression.place_of(0);
  EXPECT_EQ(place.file, "r.yaml");
  EXPECT_EQ(place.line, 4u);
  EXPECT_EQ(place.column, 5u);
}

// A span over a line end is cut at the line it starts on.
TEST(ExpressionText, ASpanOverLinesIsCut) {
  auto const config = parse_rule("|\n      a.b\n      and c.d");
  ASSERT_TRUE(config);
  auto const diagnostic = config->rules.back().expression.diagnostic(0, 11, "x");
  EXPECT_EQ(diagnostic.length, 3u);
}

TEST(ExpressionText, MarksAnAliasWhereItsTextStands) {
  auto const config = parse_text(
      "listeners: [{address: \"127.0.0.1:1\"}]\n"
      "hosts: [{names: x, certificate: c, private_key: k, origin: o}]\n"
      "origins: {o: {servers: \"http://a\"}}\n"
      "rules:\n"
      "  - {name: a, action: log, expression: &same http.host}\n"
      "  - {name: b, action: block, expression: *same}\n");
  ASSERT_TRUE(config) << render(config.error());
  EXPECT_EQ(config->rules[1].expression.place_of(0).line, 5u);
  EXPECT_EQ(config->rules[1].expression.text(), "http.host");
}

}  // namespace
}  // namespace certgate::config
