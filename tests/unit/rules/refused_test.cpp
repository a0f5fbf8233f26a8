// What the language's definition calls an error, row by row, and that each is told with its place.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "certgate/rules/program.hpp"
#include "sample.hpp"

namespace certgate::rules {
namespace {

struct Rows {
  char const* name;
  std::vector<std::string> expressions;
};
void PrintTo(Rows const& rows, std::ostream* out) { *out << rows.name; }

class Refused : public testing::TestWithParam<Rows> {};

TEST_P(Refused, with_a_place_and_a_reason) {
  test::Sample sample;
  for (auto const& expression : GetParam().expressions) {
    auto const compiled = compile(sample.scheme(), expression);
    ASSERT_FALSE(compiled) << expression;
    for (auto const& mistake : compiled.error()) {
      EXPECT_FALSE(mistake.message.empty()) << expression;
      EXPECT_LE(mistake.span.end(), expression.size()) << expression << ": " << mistake.message;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Definition, Refused,
    testing::Values(
        Rows{"words_and_space",
             {"", " ", "()", "yes AND yes", "yes OR yes", "NOT yes", "port EQ 443", "Port eq 443",
              "yes # c", "yes // c", "/* c */ yes", "path strict  wildcard \"a\"",
              "path strict\nwildcard \"a\"", "path strictwildcard \"a\"", "yes & yes",
              "yes | yes", "yes ^ yes", "yes yes", "yes and", "and yes", "(yes", "yes)",
              "text not eq \"a\"", "text not in {\"a\"}"}},
        Rows{"strings",
             {R"(text eq "\n")", R"(text eq "\t")", R"(text eq "\/")", R"(text eq "\8")",
              R"(text eq "\1")", R"(text eq "\400")", R"(text eq "\x4")", R"(text eq R"x")",
              "text eq 'x'", "text eq \"x", "text eq r#\"x\"", "text eq x", "text eq x.example",
              R"(text eq \"x\")", "text eq “x”"}},
        Rows{"byte_strings",
             {"text eq 61", "text eq 61:6", "text eq 61::62", "text matches 61:62",
              "path wildcard 61:62", "path strict wildcard 61:62", "headers[61:62][0] eq \"a\""}},
        Rows{"integers",
             {"port eq -0x1", "port eq +1", "port eq - 1", "port eq 1_000", "port eq 1.5",
              "port eq 1e3", "port eq 10fe", "port eq 08", "port eq 0X10",
              "port eq 9223372036854775808", "port eq -9223372036854775809", "port in {5..1}",
              "port in {1 .. 5}", "port in {1, 2}", "port in {1 \"a\"}", "port eq 1..2",
              "port eq {1}", "port in 1", "port in {1", "port eq \"443\""}},
        Rows{"addresses",
             {"ip eq 10.0.0.0/8", "ip in {10.0.0.1/8}", "ip in {2001:db8::1/32}", "ip in {10.0.0}",
              "ip in {10}", "ip eq 010.0.0.1", "ip in 10.0.0.0/8", "ip in {1.1.1.2..1.1.1.1}",
              "ip in {1.1.1.1..::1}", "ip in {1.2.3.4/33}", "ip in {::/129}", "ip eq \"10.0.0.1\"",
              "ip eq 256.1.1.1", "ip eq 10.0.0.1 and"}},
        Rows{"lists",
             {"ip in {$ips}", "ip in $Ips", "ip in $.ips", "ip in $ips.", "ip in $", "ip eq $ips",
              "text in $ips", "ip in $words", "yes in $ips", "names in $words", "ip in $other",
              "ip in $cf.malware"}},
        Rows{"booleans",
             {"true", "yes eq true", "yes eq \"true\"", "yes == 1", "yes in {1}",
              "starts_with(text, \"a\") eq true", "yes eq yes", "yes lt yes"}},
        Rows{"types",
             {"text", "port", "ip", "names", "headers", "not text", "yes and text",
              "names eq \"a\"", "headers eq \"a\"", "port contains 1", "port matches \"1\"",
              "port wildcard \"1\"", "ip contains \"1\"", "text & 1", "ip & 1", "port & 1 == 1",
              "text eq path", "lower(text) eq lower(path)", "\"a\" eq text", "1 eq port",
              "yes and (names[*] eq \"a\")"}},
        Rows{"wildcards",
             {R"~(path wildcard "a**")~", R"~(path wildcard "\\a")~", R"~(path wildcard r"\?")~",
              "path wildcard {\"a\"}"}},
        Rows{"regular_expressions",
             {R"~(text matches "\p{L}")~", R"~(text matches "(?=a)")~", R"~(text matches "(?!a)")~",
              R"~(text matches "(?<=a)")~", R"~(text matches "(a)\1")~", R"~(text matches "\141")~",
              R"~(text matches "\Z")~", R"~(text matches "\e")~", R"~(text matches "(?>a)")~",
              R"~(text matches "[")~", R"~(text matches "(")~", R"~(text matches "a{1001}")~",
              R"~(text matches "*a")~", R"~(text matches "(?x)a")~"}},
        Rows{"indexes",
             {"names [0] eq \"a\"", "names[-1] eq \"a\"", "names[4294967296] eq \"a\"",
              "names[\"a\"] eq \"a\"", "names[] eq \"a\"", "names[0 eq \"a\"", "text[0] eq \"a\"",
              "headers[0][0] eq \"a\"", "headers[r\"a\"][0] eq \"a\"", "headers['a'][0] eq \"a\"",
              "headers[a][0] eq \"a\"", "headers[\"\\xff\"][0] eq \"a\"", "names[*] eq \"a\"",
              "concat(\"a\", names[*]) eq \"b\""}},
        Rows{"any_and_all",
             {R"(any(names[*] == "x" or names[*] == "y"))", R"(any(names[0] == "x"))",
              "any(names)", "any()", "all()", "any(flags, flags)", "any(\"a\")", "any(yes)",
              R"(any(starts_with(names[*], "A")[*]))", R"(any((names[*] eq "x") or yes))",
              "any(flags) eq 1"}},
        Rows{"calls",
             {"lower(text,) eq \"a\"", "lower() eq \"\"", "lower(text text) eq \"a\"",
              "lower(text, text) eq \"a\"", "lower(port) eq \"a\"", "lower(text eq \"a\"",
              "lower eq \"a\"", "unknown(text)", "Lower(text) eq \"a\"", "text(\"a\")",
              "starts_with(\"a\", \"b\")", "ends_with(\"a\", \"b\")", "concat(text) eq \"a\"",
              "concat(text, port) eq \"a\"", "split(text, \"\", 3)[0] eq \"a\"",
              "split(text, text, 3)[0] eq \"a\"", "substring(\"abc\", 1) eq \"a\"",
              "wildcard_replace(\"a\", \"*\", \"x\") eq \"a\"",
              "regex_replace(text, text, \"x\") eq \"a\"", "url_decode(\"a\") eq \"a\"",
              "decode_base64(\"YQ==\") eq \"a\"", "cidr(1.2.3.4, 24, 64) eq 1.2.3.0",
              "has_key(names, \"a\")", "has_value(headers, \"a\")", "has_value(ages, \"1\")",
              "is_jwt_valid(\"a\")", "is_jwt_present(\"a\")", "bit_slice(text, 0, 1) eq 1"}}),
    [](auto const& rows) {
  return std::string(rows.param.name); });

}  // namespace
}  // namespace certgate::rules
