// Every function with its edges.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string>

#include "certgate/base/encoding.hpp"
#include "sample.hpp"

namespace certgate::rules {
namespace {

auto const name_of_row = [](auto const& info) { return std::string(info.param.name); };

struct Case {
  char const* name;
  char const* expression;
  char const* value;  // as format_value() shows it, or the mistake
};
void PrintTo(Case const& each, std::ostream* out) { *out << each.expression; }

class Computes : public testing::TestWithParam<Case> {};

TEST_P(Computes, to) {
  test::Sample sample;
  EXPECT_EQ(sample.value(GetParam().expression), GetParam().value) << GetParam().expression;
}

INSTANTIATE_TEST_SUITE_P(
    Text, Computes,
    testing::Values(
        Case{"lower", "lower(text)", R"("hello world")"},
        Case{"upper", "upper(text)", R"("HELLO WORLD")"},
        Case{"lower_is_ascii_only", "lower(odd)", R"("a\"b\\c\x0a\x80*")"},
        Case{"lower_missing", "lower(gone)", "missing"},
        Case{"lower_literal", R"(lower("AbC"))", R"("abc")"}, Case{"len", "len(text)", "11"},
        Case{"len_array", "len(names)", "3"}, Case{"len_map", "len(headers)", "2"},
        Case{"len_empty", "len(empty)", "0"}, Case{"len_missing", "len(gone)", "missing"},
        Case{"len_of_int", "len(port)", "len() counts Bytes, arrays or maps, not Int"},
        Case{"starts_with", R"(starts_with(text, "Hell"))", "true"},
        Case{"starts_with_case", R"(starts_with(text, "hell"))", "false"},
        Case{"starts_with_longer", R"(starts_with(empty, "h"))", "false"},
        Case{"starts_with_field", "starts_with(text, empty)", "true"},
        Case{"starts_with_literal_first", R"(starts_with("a", "a"))",
             "argument 1 of starts_with() (the string) must be a field or a call, not a literal"},
        Case{"ends_with", R"(ends_with(text, "World"))", "true"},
        Case{"ends_with_missing", R"(ends_with(gone, "x"))", "missing"},
        Case{"substring", "substring(text, 6)", R"("World")"},
        Case{"substring_end", "substring(text, 0, 5)", R"("Hello")"},
        Case{"substring_negative", "substring(text, -5, -1)", R"("Worl")"},
        Case{"substring_beyond", "substring(text, 20)", R"("")"},
        Case{"substring_clamped", "substring(text, -100, 100)", R"("Hello World")"},
        Case{"substring_reversed", "substring(text, 5, 2)", R"("")"},
        Case{"substring_extremes", "substring(text, -9223372036854775808, 9223372036854775807)",
             R"("Hello World")"},
        Case{"remove_bytes", R"(remove_bytes(text, "lo"))", R"("He Wrd")"},
        Case{"remove_no_bytes", R"(remove_bytes(text, ""))", R"("Hello World")"},
        Case{"to_string_int", "to_string(debt)", R"("-7")"},
        Case{"to_string_bool", "to_string(yes)", R"("true")"},
        Case{"to_string_false", "to_string(off)", R"("false")"},
        Case{"to_string_ip", "to_string(ip)", R"("192.0.2.7")"},
        Case{"to_string_ip6", "to_string(ip6)", R"("2001:db8::7")"},
        Case{"to_string_condition", "to_string(port eq 443)", R"("true")"},
        Case{"to_string_least", "to_string(-9223372036854775808)", R"("-9223372036854775808")"},
        Case{"to_string_ip_literal", "to_string(::1)", R"("::1")"},
        Case{"to_string_unspecified", "to_string(::)", R"("::")"},
        Case{"to_string_mapped", "to_string(::ffff:1.2.3.4)", R"("::ffff:1.2.3.4")"},
        Case{"to_string_first_of_equal_runs", "to_string(1:0:0:2:0:0:3:4)", R"("1::2:0:0:3:4")"},
        Case{"to_string_single_zero", "to_string(1:0:2:3:4:5:6:7)", R"("1:0:2:3:4:5:6:7")"},
        Case{"to_string_ends_in_zeros", "to_string(1:2:3:4:5:6:0:0)", R"("1:2:3:4:5:6::")"},
        Case{"concat", R"(concat("a", text, "b"))", R"("aHello Worldb")"},
        Case{"concat_skips_missing", R"(concat("a", gone, "b"))", R"("ab")"},
        Case{"concat_all_missing", "concat(gone, gone)", "missing"},
        Case{"concat_one", "concat(text)", "concat() takes at least 2 arguments, not 1"},
        Case{"concat_int", "concat(text, port)", "concat() joins Bytes or arrays, not Int"},
        Case{"concat_mixed", "concat(text, names)",
             "concat() takes arguments of one type: the first is Bytes, this is Array<Bytes>"},
        Case{"concat_arrays", "join(concat(names, names), \",\")", R"("Ann,Bob,Cy,Ann,Bob,Cy")"},
        Case{"join", R"(join(names, ", "))", R"("Ann, Bob, Cy")"},
        Case{"join_empty", R"(join(nobody, ","))", R"("")"},
        Case{"join_missing", R"(join(gone_names, ","))", "missing"},
        Case{"join_mapped", R"(join(upper(names[*]), "-"))", R"("ANN-BOB-CY")"},
        Case{"split", R"(join(split("a,b,,c", ",", 128), "|"))", R"("a|b||c")"},
        Case{"split_limit", R"(split("a,b,c", ",", 2)[1])", R"("b,c")"},
        Case{"split_one", R"(split("a,b", ",", 1)[0])", R"("a,b")"},
        Case{"split_zero", R"(split(text, ",", 0)[0])", "missing"},
        Case{"split_129", R"(split(text, ",", 129)[0])", "missing"},
        Case{"split_empty_separator", R"(split(text, "", 3)[0])",
             "split() cannot separate at an empty string"},
        Case{"split_separator_field", "split(text, text, 3)[0]",
             "argument 2 of split() (the separator) must be a literal"}),
    name_of_row);

INSTANTIATE_TEST_SUITE_P(
    Collections, Computes,
    testing::Values(
        Case{"has_key", R"(has_key(headers, "accept"))", "true"},
        Case{"has_no_key", R"(has_key(headers, "x"))", "false"},
        Case{"has_key_field", "has_key(headers, gone)", "missing"},
        Case{"has_key_array", R"(has_key(names, "x"))",
             "has_key() looks into a map, not into Array<Bytes>"},
        Case{"has_value", R"(has_value(names, "Bob"))", "true"},
        Case{"has_no_value", R"(has_value(names, "bob"))", "false"},
        Case{"has_value_map", "has_value(ages, 17)", "true"},
        Case{"has_value_type", R"(has_value(ages, "17"))",
             "has_value() must look for Int, not Bytes"},
        Case{"has_value_nested", R"(has_value(headers, "x"))",
             "has_value() looks into an array or map of simple values, not into Map<Array<Bytes>>"},
        Case{"has_value_missing", R"(has_value(gone_names, "x"))", "missing"},
        Case{"cidr", "cidr(ip, 24, 64)", "192.0.2.0"},
        Case{"cidr_v6", "cidr(ip6, 24, 32)", "2001:db8::"},
        Case{"cidr_missing", "cidr(gone_ip, 24, 64)", "missing"},
        Case{"cidr_too_long", "cidr(ip, 33, 64)", "missing"},
        Case{"cidr_all_bits", "cidr(ip, 32, 128)", "192.0.2.7"},
        Case{"cidr6", "cidr6(ip6, 16)", "2001::"},
        Case{"cidr6_leaves_v4", "cidr6(ip, 16)", "192.0.2.7"},
        Case{"cidr_bits_field", "cidr(ip, numbers[2], 64)", "192.0.0.0"},
        Case{"cidr_bits_out_of_range", "cidr(ip, debt, 64)", "missing"}),
    name_of_row);

INSTANTIATE_TEST_SUITE_P(
    Encodings, Computes,
    testing::Values(
        Case{"encode", R"(encode_base64("a?>"))", R"("YT8+")"},
        Case{"encode_url_safe", R"(encode_base64("a?>?", "u"))", R"("YT8-Pw")"},
        Case{"encode_unpadded", R"(encode_base64("a"))", R"("YQ")"},
        Case{"encode_padded", R"(encode_base64("a", "p"))", R"("YQ==")"},
        Case{"encode_both", R"(encode_base64("ab", "up"))", R"("YWI=")"},
        Case{"encode_bad_flag", R"(encode_base64("a", "x"))", R"("YQ")"},
        Case{"decode", "decode_base64(encode_base64(text))", R"("Hello World")"},
        Case{"decode_invalid", "decode_base64(text)", "missing"},
        Case{"decode_one_letter_too_many", R"(decode_base64(concat("YQQ", "YQ")))", "missing"},
        Case{"decode_unused_bits", R"(decode_base64(concat("Y", "R")))", "missing"},
        Case{"decode_padded", R"(decode_base64(concat("YQ", "==")))", R"("a")"},
        Case{"url_decode", "url_decode(encoded)", R"("a b c%41%zz%u00e9")"},
        Case{"url_decode_repeat", R"(url_decode(encoded, "r"))", R"("a b cA%zz%u00e9")"},
        Case{"url_decode_unicode", R"(url_decode(encoded, "u"))", R"("a b c%41%zz\xc3\xa9")"},
        Case{"url_decode_both", R"(url_decode(encoded, "ur"))", R"("a b cA%zz\xc3\xa9")"},
        Case{"url_decode_overlap", R"(url_decode(concat("%%341%2B", ""), "r"))", R"("A ")"},
        Case{"url_decode_bad_option", R"(url_decode(text, "x"))", R"("Hello World")"},
        Case{"url_decode_plain", "url_decode(text)", R"("Hello World")"},
        Case{"uuid", "uuidv4(seed)", R"("30313233-3435-4637-b839-616263646566")"},
        Case{"uuid_short_seed", "uuidv4(text)", "missing"},
        Case{"sha256", "encode_base64(sha256(empty))",
             R"("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")"}),
    name_of_row);

INSTANTIATE_TEST_SUITE_P(
    Replacing, Computes,
    testing::Values(
        Case{"regex_replace", R"(regex_replace(path, "/v(\\d+)/", "/version-${1}/"))",
             R"("/version-1/Users/42")"},
        Case{"regex_first_only", R"(regex_replace(text, "o", "0"))", R"("Hell0 World")"},
        Case{"regex_no_match", R"(regex_replace(text, "z", "0"))", R"("Hello World")"},
        Case{"regex_dollar", R"(regex_replace(text, "Hello", "$$5$"))", R"("$5$ World")"},
        Case{"regex_no_such_group", R"~(regex_replace(text, "(o)", "${2}"))~",
             "`${2}` refers to a capture that the pattern does not have: it has 1"},
        Case{"regex_eight", R"~(regex_replace(text, "(H)", "${1}${1}${1}${1}${1}${1}${1}${1}"))~",
             R"("HHHHHHHHello World")"},
        Case{"regex_nine",
             R"~(regex_replace(text, "(H)", "${1}${1}${1}${1}${1}${1}${1}${1}${1}"))~",
             "at most 8 references are allowed"},
        Case{"regex_on_empty", R"(regex_replace(empty, "^", "x"))", R"("x")"},
        Case{"regex_at_end", R"(regex_replace(text, "$", "!"))", R"("Hello World!")"},
        Case{"wildcard_replace", R"(wildcard_replace(path, "/V1/*/*", "/${2}/${1}"))",
             R"("/42/Users")"},
        Case{"wildcard_sensitive", R"(wildcard_replace(path, "/V1/*", "/${1}", "s"))",
             R"("/v1/Users/42")"},
        Case{"wildcard_literal", R"(wildcard_replace("aXbXc", "*X*", "${1}|${2}"))",
             "argument 1 of wildcard_replace() (the string) must be a field or a call, not a "
             "literal"},
        Case{"wildcard_shortest_first", R"(wildcard_replace(text, "*o*", "${1}|${2}"))",
             R"("Hell| World")"},
        Case{"wildcard_no_match", R"(wildcard_replace(text, "x*", "y"))", R"("Hello World")"},
        Case{"remove_args", R"(remove_query_args(query, "a"))", R"("b=2&c")"},
        Case{"remove_several", R"(remove_query_args(query, "a", "c"))", R"("b=2")"},
        Case{"remove_all", R"(remove_query_args(query, "a", "b", "c"))", R"("")"},
        Case{"remove_none", R"(remove_query_args(query, "x"))", R"("a=1&b=2&a=3&c")"}),
    name_of_row);

INSTANTIATE_TEST_SUITE_P(
    Json, Computes,
    testing::Values(Case{"string", R"(lookup_json_string(json, "name"))", R"("x\x0a\xc3\xa9")"},
                    Case{"last_of_repeated_names", R"(lookup_json_integer(json, "n"))", "43"},
                    Case{"integer_with_fraction", R"(lookup_json_integer(json, "f"))", "missing"},
                    Case{"position", R"(lookup_json_integer(json, "list", 0))", "1"},
                    Case{"nested", R"(lookup_json_string(json, "list", 1, "k"))", R"("v")"},
                    Case{"object", R"(lookup_json_string(json, "o", "p"))", R"("q")"},
                    Case{"wrong_type", R"(lookup_json_string(json, "n"))", "missing"},
                    Case{"no_such_name", R"(lookup_json_string(json, "z"))", "missing"},
                    Case{"name_in_an_array", R"(lookup_json_string(json, "list", "0"))", "missing"},
                    Case{"negative_position", R"(lookup_json_integer(json, "list", -1))",
                         "missing"},
                    Case{"not_json", R"(lookup_json_string(text, "a"))", "missing"},
                    Case{"not_a_document", R"(lookup_json_string(empty, 0))", "missing"},
                    Case{"no_key", "lookup_json_string(json)",
                         "lookup_json_string() takes at least 2 arguments, not 1"}),
    name_of_row);

struct JsonCase {
  char const* name;
  std::string text;
  char const* value;
};
void PrintTo(JsonCase const& each, std::ostream* out) { *out << each.text.substr(0, 60); }
class Json : public testing::TestWithParam<JsonCase> {};

TEST_P(Json, under_a) {
  test::Sample sample;
  sample.set("text", ValueView::bytes(GetParam().text));
  EXPECT_EQ(sample.value(R"(lookup_json_integer(text, "a"))"), GetParam().value);
}

INSTANTIATE_TEST_SUITE_P(
    Rfc8259, Json,
    testing::Values(
        JsonCase{"spaces", " { \"a\" :\t1 }\r\n", "1"}, JsonCase{"negative", R"({"a":-5})", "-5"},
        JsonCase{"escaped_name", R"({"\u0061":7})", "7"},
        JsonCase{"largest", R"({"a":9223372036854775807})", "9223372036854775807"},
        JsonCase{"least", R"({"a":-9223372036854775808})", "-9223372036854775808"},
        JsonCase{"too_large", R"({"a":9223372036854775808})", "missing"},
        JsonCase{"exponent", R"({"a":1e2})", "missing"},
        JsonCase{"leading_zero", R"({"a":01})", "missing"},
        JsonCase{"trailing_comma", R"({"a":1,})", "missing"},
        JsonCase{"cut_off", R"({"a":1)", "missing"},
        JsonCase{"more_behind", R"({"a":1}})", "missing"},
        JsonCase{"single_quotes", "{'a':1}", "missing"},
        JsonCase{"nothing_else", R"({"a":1,"b":[true,false,null,"\"\\\/\b\f\n\r\t",1.5e-3,{}]})",
                 "1"},
        JsonCase{"control_character", "{\"a\":1,\"b\":\"\n\"}", "missing"},
        JsonCase{"bad_escape", R"({"a":1,"b":"\x"})", "missing"},
        JsonCase{"inner_name_does_not_count", R"({"b":{"a":1}})", "missing"},
        JsonCase{"replaced_by_another_type", R"({"a":1,"a":"x"})", "missing"},
        JsonCase{"deepest", R"({"a":1,"b":)" + std::string(127, '[') + std::string(127, ']') + "}",
                 "1"},
        JsonCase{"too_deep", R"({"a":1,"b":)" + std::string(128, '[') + std::string(128, ']') + "}",
                 "missing"}),
    name_of_row);

// ---- the timed HMAC, against OpenSSL directly

std::string signed_message(std::string const& message, std::string const& separator,
                           std::string const& time, bool url_safe) {
  unsigned char mac[32];
  unsigned int size = 0;
  auto const input = message + time;
  HMAC(EVP_sha256(), "key", 3, reinterpret_cast<unsigned char const*>(input.data()), input.size(),
       mac, &size);
  auto encoded =
      format_base64({mac, size}, url_safe ? Base64Alphabet::url_safe : Base64Alphabet::standard,
                    url_safe ? Base64Padding::unpadded : Base64Padding::padded);
  if (!url_safe) encoded = format_percent(encoded);
  return message + separator + time + "-" + encoded;
}

TEST(TimedHmac, accepts_what_is_signed_and_fresh) {
  test::Sample sample;
  auto const valid = [&](std::string const& text, std::int64_t now, std::string const& more) {
    sample.set("text", ValueView::bytes(text));
    sample.set("port", ValueView::integer(now));
    return sample.outcome("is_timed_hmac_valid_v0(\"key\", text, 100, port" + more + ")");
  };
  auto const plain = signed_message("/a", "", "1700000000", false);
  EXPECT_EQ(valid(plain, 1700000000, ""), "match");
  EXPECT_EQ(valid(plain, 1700000100, ""), "match");
  EXPECT_EQ(valid(plain, 1700000101, ""), "no match");
  EXPECT_EQ(valid("/b" + plain.substr(2), 1700000000, ""), "no match");
  EXPECT_EQ(valid(plain.substr(0, plain.size() - 3), 1700000000, ""), "no match");
  EXPECT_EQ(valid("", 1700000000, ""), "no match");
  auto const separated = signed_message("/a", "?verify=", "1700000000", false);
  EXPECT_EQ(valid(separated, 1700000000, ", 8"), "match");
  EXPECT_EQ(valid(separated, 1700000000, ", 7"), "no match");
  EXPECT_EQ(valid(separated, 1700000000, ", 900"), "no match");
  auto const url_safe = signed_message("/a-b", "?verify=", "1700000000", true);
  EXPECT_EQ(valid(url_safe, 1700000000, ", 8, \"s\""), "match");
  EXPECT_EQ(valid(separated, 1700000000, ", 8, \"s\""), "no match");
  EXPECT_EQ(valid(signed_message("", "", "1700000000", false), 1700000000, ""), "no match");
}

TEST(TimedHmac, checks_its_literals) {
  test::Sample sample;
  EXPECT_EQ(sample.outcome(R"(is_timed_hmac_valid_v0("", text, 1, port))"), "the key is empty");
  EXPECT_EQ(sample.outcome(R"(is_timed_hmac_valid_v0("k", text, 1, port, 0, "x"))"),
            "the flag is `s`: the MAC is URL-safe base64");
  EXPECT_EQ(sample.outcome(R"(is_timed_hmac_valid_v0(text, text, 1, port))"),
            "argument 1 of is_timed_hmac_valid_v0() (the key) must be a literal");
}

TEST(Functions, of_cloudflare_that_cannot_be_say_why) {
  test::Sample sample;
  EXPECT_EQ(sample.outcome(R"(is_jwt_valid("x"))"),
            "is_jwt_valid() is not available: it belongs to Cloudflare's API Shield");
}

TEST(Values, literals_and_conditions) {
  test::Sample sample;
  EXPECT_EQ(sample.value(R"("a")"), R"("a")");
  EXPECT_EQ(sample.value("17"), "17");
  EXPECT_EQ(sample.value("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(sample.value("61:62"), R"("ab")");
  EXPECT_EQ(sample.value("port"), "443");
  EXPECT_EQ(sample.value("gone_bool"), "missing");
  EXPECT_EQ(sample.value("port eq 443"), "true");
  EXPECT_EQ(sample.value("(yes or off)"), "true");
  EXPECT_EQ(sample.value("names[1]"), R"("Bob")");
  EXPECT_EQ(sample.value("names"), "expected one value, found Array<Bytes>");
  EXPECT_EQ(sample.value(""), "the expression is empty");
  std::string text;
  append_text(text, ValueView::integer(5));
  append_text(text, ValueView::boolean(true));
  append_text(text, ValueView());
  EXPECT_EQ(text, "5true");
}

}  // namespace
}  // namespace certgate::rules
