// What each operator and each kind of missing value means, row by row of the language's definition.
#include "certgate/rules/program.hpp"

#include <gtest/gtest.h>

#include <string>

#include "sample.hpp"

namespace certgate::rules {
namespace {

struct Case {
  char const* name;
  std::string expression;
  bool matches;
};
void PrintTo(Case const& each, std::ostream* out) { *out << each.expression; }

class Evaluates : public testing::TestWithParam<Case> {};

TEST_P(Evaluates, to) {
  test::Sample sample;
  EXPECT_EQ(sample.outcome(GetParam().expression), GetParam().matches ? "match" : "no match")
      << GetParam().expression;
}

auto const name_of_case = [](auto const& info) { return std::string(info.param.name); };

INSTANTIATE_TEST_SUITE_P(
    Literals, Evaluates,
    testing::Values(Case{"escapes", R"(odd eq "a\"b\\c\x0a\200*")", true},
                    Case{"raw_string", R"(text eq r"Hello World")", true},
                    Case{"raw_string_with_quote", "odd contains r#\"a\"b\\c\"#", true},
                    Case{"raw_string_with_two_hashes", "odd contains r##\"a\"b\"##", true},
                    Case{"byte_string", "text contains 48:65-6c.6C", true},
                    Case{"hexadecimal", "port eq 0x1bB", true}, Case{"octal", "port eq 0673", true},
                    Case{"negative", "debt eq -7", true}, Case{"minus_zero", "debt lt -0", true},
                    Case{"integer_range", "port in {1..10 400..500}", true},
                    Case{"overlapping_ranges", "port in {1..450 440..500 443}", true},
                    Case{"set_without_separators", R"(text in{"a""Hello World""b"})", true},
                    Case{"duplicates_in_a_set", R"(text in {"a" "a" "Hello World" "a"})", true},
                    Case{"empty_set", "text in {}", false},
                    Case{"empty_integer_set", "port in {}", false},
                    Case{"empty_address_set", "ip in {}", false},
                    Case{"new_line_in_string", "text ne \"a\nb\"", true},
                    Case{"tab_as_space", "\tport\teq\t443\t", true},
                    Case{"line_ends_as_space", "port\r\neq\n443", true}),
    name_of_case);

INSTANTIATE_TEST_SUITE_P(
    Words, Evaluates,
    testing::Values(Case{"no_space_after_keyword", R"(text eq"Hello World")", true},
                    Case{"no_space_after_and", "yes andyes", true},
                    Case{"no_space_after_not", "notoff", true},
                    Case{"operator_after_number", "port eq 443and yes", true},
                    Case{"operator_after_bytes", "text contains 48:65and yes", true},
                    Case{"symbols", "yes && !off || off ^^ off", true},
                    Case{"double_not", "!!yes", true}, Case{"not_not", "not not off", false},
                    Case{"tilde", R"(text ~ "^Hello")", true},
                    Case{"space_before_parenthesis", R"(starts_with (text, "Hell"))", true}),
    name_of_case);

INSTANTIATE_TEST_SUITE_P(Logic, Evaluates,
                         testing::Values(Case{"not_binds_tightest", "not yes and off", false},
                                         Case{"and_before_or", "yes or yes and off", true},
                                         Case{"and_before_xor", "yes xor yes and off", true},
                                         Case{"xor_before_or", "yes or yes xor yes", true},
                                         Case{"parentheses", "(yes or yes) xor yes", false},
                                         Case{"xor_of_three", "yes xor yes xor yes", true},
                                         Case{"xor_inside_xor", "yes xor (off xor (yes xor off))",
                                              false},
                                         Case{"not_of_comparison", "not port eq 443 or yes", true},
                                         Case{"not_before_parenthesis", "not(off)", true}),
                         name_of_case);

INSTANTIATE_TEST_SUITE_P(
    Comparisons, Evaluates,
    testing::Values(Case{"bytes_less", R"(text lt "Help")", true},
                    Case{"bytes_less_self", R"(text < "Hello World")", false},
                    Case{"bytes_le", R"(text <= "Hello World")", true},
                    Case{"bytes_gt", R"(text gt "Hello")", true},
                    Case{"bytes_ge", R"(text >= "Hellp")", false},
                    Case{"bytes_ne", R"(text != "x")", true},
                    Case{"bytes_are_unsigned", R"(odd lt "a\"b\\c\x0a\xff")", true},
                    Case{"int_lt", "debt lt 0", true}, Case{"int_le", "port le 443", true},
                    Case{"int_gt", "port > 443", false}, Case{"int_ge", "port >= 443", true},
                    Case{"int_ne", "port ne 80", true}, Case{"int_eq", "port == 80", false},
                    Case{"bits", "port & 1", true}, Case{"bits_none", "port bitwise_and 4", false},
                    Case{"ip_eq", "ip eq 192.0.2.7", true}, Case{"ip_ne", "ip ne 192.0.2.7", false},
                    Case{"ip_families_differ", "ip ne ::1", true},
                    Case{"ip_lt", "ip lt 192.0.2.8", true}, Case{"ip_le", "ip le 192.0.2.7", true},
                    Case{"ip_gt", "ip gt 9.9.9.9", true}, Case{"ip_ge", "ip >= 192.0.2.8", false},
                    Case{"ip_order_across_families", "ip lt ::ff", false},
                    Case{"ip_order_across_families_other", "ip gt ::", false},
                    Case{"mapped_is_not_v4", "ip eq ::ffff:192.0.2.7", false},
                    Case{"ip_network", "ip in {10.0.0.0/8 192.0.2.0/29}", true},
                    Case{"ip_range", "ip in {192.0.2.5..192.0.2.9}", true},
                    Case{"ip6_network", "ip6 in {2001:db8::/32}", true},
                    Case{"ip_host_network", "ip in {192.0.2.7/32}", true},
                    Case{"ip_everything", "ip in {0.0.0.0/0}", true},
                    Case{"ip6_not_in_v4", "ip6 in {0.0.0.0/0}", false},
                    Case{"contains", R"(text contains "o W")", true},
                    Case{"contains_is_case_sensitive", R"(text contains "hello")", false},
                    Case{"contains_empty", R"(empty contains "")", true},
                    Case{"contains_too_long", R"(empty contains "a")", false},
                    Case{"list_of_addresses", "ip in $ips", true},
                    Case{"list_of_integers", "port in $ports", true},
                    Case{"list_of_strings", "text in $words", true},
                    Case{"list_of_hosts", "host in $hosts", true},
                    Case{"not_in_list", "not debt in $ports", true},
                    Case{"folded_field_and_literal", R"(host eq "API.Example.COM")", true},
                    Case{"folded_field_in_set", R"(host in {"x" "API.example.com"})", true},
                    Case{"folded_argument", R"(ends_with(host, ".EXAMPLE.com"))", true},
                    Case{"folded_through_lower", R"(lower(host) eq "api.EXAMPLE.com")", true}),
    name_of_case);

INSTANTIATE_TEST_SUITE_P(
    Wildcards, Evaluates,
    testing::Values(Case{"whole_value", R"(path wildcard "/v1/*")", true},
                    Case{"not_a_part", R"(path wildcard "v1")", false},
                    Case{"ignores_case", R"(path wildcard "/V1/users/*")", true},
                    Case{"strict_heeds_case", R"(path strict wildcard "/v1/users/*")", false},
                    Case{"strict_matches", R"(path strict wildcard "/v1/Users/*")", true},
                    Case{"star_may_be_empty", R"(path wildcard "/v1/Users/42*")", true},
                    Case{"star_crosses_slashes", R"(path wildcard "/*42")", true},
                    Case{"several_stars", R"(path wildcard "/*1/*s/*2")", true},
                    Case{"question_mark_is_ordinary", R"(path wildcard "/v?/Users/42")", false},
                    Case{"overlap_is_not_counted_twice", R"(text wildcard "Hello World*d")", false},
                    Case{"escaped_star", R"(odd wildcard r"*\*")", true},
                    Case{"escaped_star_only", R"(text wildcard "Hello\\*")", false},
                    Case{"escaped_backslash", R"(odd wildcard r"*\\c*")", true},
                    Case{"empty_pattern", R"(empty wildcard "")", true},
                    Case{"empty_pattern_not", R"(text wildcard "")", false},
                    Case{"star_alone", R"(empty wildcard "*")", true}),
    name_of_case);

INSTANTIATE_TEST_SUITE_P(
    Regexes, Evaluates,
    testing::Values(Case{"anywhere", R"(text matches "lo W")", true},
                    Case{"anchored", R"(text matches "^World")", false},
                    Case{"end", R"(text matches "World$")", true},
                    Case{"end_is_not_before_new_line", R"(odd matches "c$")", false},
                    Case{"dot_is_not_new_line", R"(odd matches "c.")", false},
                    Case{"dot_all", R"(odd matches "(?s)c.")", true},
                    Case{"ignore_case", R"(text matches "(?i)HELLO")", true},
                    Case{"class_with_quote", R"(odd matches "[a-z"]+b")", true},
                    Case{"escaped_quote", R"(odd matches "a\"b")", true},
                    Case{"escape_is_passed_through", R"(path matches "^/v\d+/")", true},
                    Case{"raw_regex", R"(path matches r"^/v\d+/")", true},
                    Case{"byte_escape", R"(odd matches "\x80")", true},
                    Case{"named_group", R"(text matches "(?<first>H)ello")", true},
                    Case{"named_group_python", R"(text matches "(?P<first>H)e")", true},
                    Case{"unicode_flag", R"(text matches "(?u)\p{Lu}ello")", true},
                    Case{"alternation", R"(text matches "^(x|Hello) W")", true},
                    Case{"empty_regex", R"(text matches "")", true},
                    Case{"empty_alternative", R"(text matches "|")", true},
                    Case{"shortcut_equals", R"(text matches "^Hello World$")", true},
                    Case{"shortcut_escape", R"(host matches "^api\.example\.com$")", true},
                    Case{"repetition_is_not_literal", R"(text matches "^Hellox?")", true},
                    Case{"white_space_class", R"(text matches "o\sW")", true},
                    Case{"vertical_tab_is_white_space", "empty matches \"\\s\"", false}),
    name_of_case);

INSTANTIATE_TEST_SUITE_P(
    Missing, Evaluates,
    testing::Values(
        Case{"eq", R"(gone eq "")", false}, Case{"ne", R"(gone ne "x")", false},
        Case{"not_ne", R"(not gone ne "x")", true}, Case{"lt", "gone_int lt 5", false},
        Case{"int_ne", "gone_int ne 5", false}, Case{"ip_ne", "gone_ip ne 1.1.1.1", false},
        Case{"in_set", R"(gone in {"a"})", false}, Case{"in_list", "gone in $words", false},
        Case{"contains", R"(gone contains "")", false},
        Case{"matches", R"(gone matches "")", false},
        Case{"wildcard", R"(gone wildcard "*")", false}, Case{"bits", "gone_int & 1", false},
        Case{"boolean", "gone_bool", false}, Case{"not_boolean", "not gone_bool", true},
        Case{"beyond_the_end", R"(names[3] eq "x")", false},
        Case{"beyond_the_end_ne", R"(names[3] ne "x")", false},
        Case{"no_such_key", R"(headers["x"][0] ne "y")", false},
        Case{"any_of_nothing", R"(any(nobody[*] ne "x"))", false},
        Case{"all_of_nothing", R"(all(nobody[*] eq "x"))", true},
        Case{"any_of_missing", R"(any(gone_names[*] ne "x"))", false},
        Case{"all_of_missing", R"(all(gone_names[*] eq "x"))", true},
        Case{"all_of_missing_key", R"(all(headers["x"][*] eq "y"))", true},
        Case{"any_of_missing_array", "any(gone_flags)", false},
        Case{"all_of_missing_array", "all(gone_flags)", false},
        Case{"all_of_missing_value", R"(all(switches["x"]))", false},
        Case{"all_of_empty_array", R"(all(switches["none"]))", true},
        Case{"not_all_of_missing", "not all(gone_flags)", true},
        Case{"function_of_missing", R"(lower(gone) eq "")", false},
        Case{"function_of_missing_ne", R"(lower(gone) ne "x")", false},
        Case{"starts_with_missing", R"(starts_with(gone, ""))", false},
        Case{"key_exists", R"(len(headers["accept"]) >= 0)", true},
        Case{"key_is_absent", R"(not len(headers["x"]) >= 0)", true},
        Case{"empty_is_not_missing", R"(empty ne "x")", true}),
    name_of_case);

INSTANTIATE_TEST_SUITE_P(
    Arrays, Evaluates,
    testing::Values(
        Case{"any", R"(any(names[*] eq "Bob"))", true},
        Case{"all", R"(all(names[*] eq "Bob"))", false},
        Case{"all_in", R"(all(numbers[*] in {1..3}))", true},
        Case{"at", R"(names[1] eq "Bob")", true},
        Case{"at_hexadecimal", R"(names[0x1] eq "Bob")", true},
        Case{"key", "ages[\"ann\"] eq 31", true},
        Case{"keys_are_exact", "ages[\"Ann\"] eq 31", false},
        Case{"map_values", "any(ages[*] lt 18)", true},
        Case{"deep", R"(deep["k"]["l"][0] eq "m")", true},
        Case{"deep_each", R"(any(deep[*][*][*] eq "m"))", true},
        Case{"flattened", R"(any(parts[*][*] eq "c"))", true},
        Case{"skips_what_has_no_first", R"(all(parts[*][0] in {"a" "c"}))", true},
        Case{"function_of_each", R"(any(lower(names[*])[*] eq "bob"))", true},
        Case{"function_of_each_indexed", R"(lower(names[*])[0] eq "ann")", true},
        Case{"condition_of_each", R"(any(starts_with(names[*], "B")))", true},
        Case{"not_each", R"(any(not names[*] eq "Bob"))", true},
        Case{"all_not", R"(all(not names[*] eq "Dan"))", true},
        Case{"any_or", R"(any((names[*] eq "x") or (names[*] eq "Cy")))", true},
        Case{"all_and", R"(all((names[*] ne "x") and (names[*] ne "y")))", true},
        Case{"xor_each", R"(all((names[*] eq "Ann") xor (names[*] ne "Ann")))", true},
        Case{"shorter_side_counts", R"(all((names[*] ne "x") and (flags)))", false},
        Case{"bool_array", "any(flags)", true}, Case{"all_bool_array", "all(flags)", false},
        Case{"no_flags", "all(no_flags)", true}, Case{"any_no_flags", "any(no_flags)", false},
        Case{"set_of_each", R"(any(headers["accept"][*] contains "html"))", true},
        Case{"regex_of_each", R"(any(names[*] matches "^C"))", true},
        Case{"lengths", "all(len(names[*])[*] in {2 3})", true},
        Case{"concat_each", R"(any(concat(names[*], "!")[*] eq "Bob!"))", true},
        Case{"undecodable_are_left_out", R"(all(decode_base64(names[*])[*] eq "x"))", true}),
    name_of_case);

TEST(Program, needs_only_the_fields_it_says) {
  test::Sample sample;
  auto const compiled =
      compile(sample.scheme(), R"(port eq 1 and (lower(names[*])[0] eq "x" or off))");
  std::vector<std::string> names;
  for (auto const id : compiled->program.fields_used().ids()) {
    names.push_back(sample.scheme().field(id).name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"off", "port", "names"}));
}

TEST(Program, fails_when_the_scratch_is_too_small) {
  test::Sample sample;
  auto const compiled = compile(sample.scheme(), R"(concat(text, text) eq "x")");
  Scratch exact(2 * sizeof(ValueView) + sizeof(ValueView) + 22);
  EXPECT_EQ(evaluate(compiled->program, sample.values(), exact), Outcome::no_match);
  Scratch small(2 * sizeof(ValueView) + sizeof(ValueView) + 21);
  EXPECT_EQ(evaluate(compiled->program, sample.values(), small), Outcome::failed);
  Scratch none(1);
  EXPECT_EQ(evaluate(compiled->program, sample.values(), none), Outcome::failed);
  EXPECT_TRUE(evaluate_value(compiled->program, sample.values(), none).failed);
}

TEST(Program, an_empty_one_never_matches) {
  test::Sample sample;
  EXPECT_EQ(evaluate(Program(), sample.values(), sample.scratch()), Outcome::no_match);
  EXPECT_TRUE(Program().fields_used().empty());
}

// ---- limits, at their edges

std::string repeated(std::string_view part, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += part;
  return out;
}

TEST(Limits, length_counts_a_run_of_white_space_once) {
  test::Sample sample;
  auto const expression = [](std::size_t length) {
    return R"(text eq ")" + std::string(length - 10, 'x') + '"';
  };
  EXPECT_EQ(sample.outcome(expression(4096)), "no match");
  EXPECT_EQ(sample.outcome(expression(4097)), "the expression has 4097 characters, more than 4096");
  EXPECT_EQ(sample.outcome("yes" + repeated("   \n", 5000) + "or off"), "match");
  EXPECT_EQ(sample.outcome("yes or off", {.expression_length = 9}),
            "the expression has 10 characters, more than 9");
}

TEST(Limits, nesting) {
  test::Sample sample;
  EXPECT_EQ(sample.outcome(repeated("(", 128) + "yes" + repeated(")", 128)), "match");
  EXPECT_EQ(sample.outcome(repeated("(", 129) + "yes" + repeated(")", 129)),
            "nested more than 128 deep: each parenthesis, `not` and function call counts");
  EXPECT_EQ(sample.outcome(repeated("!", 128) + "yes"), "match");
  EXPECT_EQ(sample.outcome(repeated("!", 129) + "yes").substr(0, 6), "nested");
  EXPECT_EQ(sample.outcome(repeated("lower(", 127) + "text" + repeated(")", 127) + R"( ne "")"),
            "match");
  EXPECT_EQ(sample.outcome(repeated("(yes xor ", 128) + "yes" + repeated(")", 128)), "match");
}

TEST(Limits, regexes) {
  test::Sample sample;
  auto const expression = [](std::size_t count) {
    return "off" + repeated(R"( or text ~ "a.b")", count);
  };
  EXPECT_EQ(sample.outcome(expression(64)), "no match");
  EXPECT_EQ(sample.outcome(expression(65)), "the expression has more than 64 regular expressions");
}

TEST(Limits, raw_string_hashes) {
  test::Sample sample;
  auto const hashes = [](std::size_t count) { return std::string(count, '#'); };
  EXPECT_EQ(sample.outcome("text eq r" + hashes(255) + "\"x\"" + hashes(255)), "no match");
  EXPECT_EQ(sample.outcome("text eq r" + hashes(256) + "\"x\"" + hashes(256)),
            "a raw string takes at most 255 `#`");
}

TEST(Limits, thousands_of_operands_need_no_stack) {
  test::Sample sample;
  EXPECT_EQ(sample.outcome("off" + repeated(" or off", 100000), {.expression_length = 1 << 20}),
            "no match");
}

}  // namespace
}  // namespace certgate::rules
