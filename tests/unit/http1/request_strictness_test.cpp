// Every measured leniency of Boost.Beast, and what certgate makes of it: each row is fed whole,
// byte by byte, and in two parts split at every byte.
#include <gtest/gtest.h>

#include <ostream>

#include "request_table.hpp"

namespace certgate::http1::testing {
namespace {

struct Case {
  char const* name;
  std::string input;
  std::string verdict;
  std::string body = {};
  std::string leftover = {};
};
void PrintTo(Case const& test, std::ostream* out) { *out << test.name; }
std::string name_of(::testing::TestParamInfo<Case> const& info) { return info.param.name; }

class Request : public ::testing::TestWithParam<Case> {};

TEST_P(Request, IsJudgedTheSameHoweverItArrives) {
  auto const& test = GetParam();
  Outcome const expected{test.verdict, test.body, test.leftover};
  auto const check = [&](std::vector<std::string_view> const& pieces, std::string const& how) {
    auto const outcome = run_request(pieces);
    EXPECT_EQ(outcome.verdict, expected.verdict) << how;
    EXPECT_EQ(outcome.body, expected.body) << how;
    EXPECT_EQ(outcome.leftover, expected.leftover) << how;
  };
  std::string_view const input = test.input;
  check({input}, "whole");
  check(byte_by_byte(input), "byte by byte");
  for (std::size_t i = 1; i < input.size(); ++i) {
    check({input.substr(0, i), input.substr(i)}, "split at " + std::to_string(i));
  }
}

std::string head(std::string const& fields) {
  return "POST / HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
}
std::string const smuggled = "GET /smug HTTP/1.1\r\nHost: x\r\n\r\n";

// The rows of "What Boost.Beast 1.81 accepts".
INSTANTIATE_TEST_SUITE_P(
    beast, Request,
    ::testing::ValuesIn(std::vector<Case>{
        Case{"beast_01_te_gzip_then_length",
             head("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n") + "hello" + smuggled,
             "400 length_and_encoding"},
        Case{"beast_02_length_then_te_gzip",
             head("Content-Length: 5\r\nTransfer-Encoding: gzip\r\n") + "hello" + smuggled,
             "400 length_and_encoding"},
        Case{"beast_02_length_then_te_chunked",
             head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
             "400 length_and_encoding"},
        Case{"beast_02_te_chunked_then_length",
             head("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n",
             "400 length_and_encoding"},
        Case{"beast_03_te_chunked_gzip", head("Transfer-Encoding: chunked, gzip\r\n") + smuggled,
             "400 bad_encoding"},
        Case{"beast_03_te_xchunked", head("Transfer-Encoding: xchunked\r\n") + smuggled,
             "400 bad_encoding"},
        Case{"beast_04_te_identity_and_length",
             head("Transfer-Encoding: identity\r\nContent-Length: 3\r\n") + "abc",
             "400 length_and_encoding"},
        Case{"beast_05_te_gzip_chunked",
             head("Transfer-Encoding: gzip, chunked\r\n") + "3\r\nabc\r\n0\r\n\r\n",
             "400 bad_encoding"},
        Case{"beast_05_two_te",
             head("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
             "400 repeated_encoding"},
        Case{"beast_06_http_1_0_chunked",
             "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
             "400 encoding_in_http_1_0"},
        Case{"beast_07_two_hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
             "400 repeated_host"},
        Case{"beast_07_two_equal_hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
             "400 repeated_host"},
        Case{"beast_08_no_host", "GET / HTTP/1.1\r\n\r\n", "400 no_host"},
        Case{"beast_09_length_list", head("Content-Length: 5, 5\r\n") + "hello", "400 bad_length"},
        Case{"beast_10_two_equal_lengths",
             head("Content-Length: 5\r\nContent-Length: 5\r\n") + "hello", "400 repeated_length"},
        Case{"beast_11_length_plus", head("Content-Length: +5\r\n") + "hello", "400 bad_length"},
        Case{"beast_11_length_empty", head("Content-Length: \r\n") + smuggled, "400 bad_length"},
        Case{"beast_11_chunk_size_0x3",
             head("Transfer-Encoding: chunked\r\n") + "0x3\r\nabc\r\n0\r\n\r\n",
             "400 bad_chunk_size"},
        Case{"beast_11_chunk_size_overflow",
             head("Transfer-Encoding: chunked\r\n") + "10000000000000003\r\nabc\r\n0\r\n\r\n",
             "400 chunk_size_too_long"},
        Case{"beast_12_fold", head("X: a\r\n b\r\n"), "400 folded_field"},
        Case{"beast_12_fold_in_te", head("Transfer-Encoding:\r\n chunked\r\n") + "0\r\n\r\n",
             "400 folded_field"},
        Case{"beast_13_space_before_colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
             "400 bad_field_name"},
        Case{"beast_13_bare_lf_everywhere", "GET / HTTP/1.1\nHost: a\n\n", "400 bare_lf"},
        Case{"beast_13_bare_lf_after_crlf", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
             "400 bare_lf"},
        Case{"beast_13_bare_lf_in_chunk_extension",
             head("Transfer-Encoding: chunked\r\n") + "3;a\nabc\r\n0\r\n\r\n",
             "400 bad_chunk_extension"},
        Case{"beast_13_bare_lf_after_chunk",
             head("Transfer-Encoding: chunked\r\n") + "3\r\nabc\n0\r\n\r\n", "400 bad_chunk_end"},
        Case{"beast_13_leading_crlf", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 empty_line"},
        Case{"beast_13_http_1_2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "505 bad_version"},
        Case{"beast_14_fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
             "400 bad_target_character"},
        Case{"beast_14_target_0x80", "GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n",
             "400 bad_target_character"},
        Case{"beast_14_absolute_form_of_another_host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
             "400 authority_differs"},
        Case{"beast_14_absolute_form_of_this_host", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
             "ok"},
        Case{"beast_15_trailer_length",
             head("Transfer-Encoding: chunked\r\n") + "0\r\nContent-Length: 9\r\nX_Auth: 1\r\n\r\n",
             "400 forbidden_trailer"}}),
    name_of);

// The rows of the data path's list, numbered as there.
INSTANTIATE_TEST_SUITE_P(
    path7, Request,
    ::testing::ValuesIn(std::vector<Case>{
        Case{"path7_01_te_quoted", head("Transfer-Encoding: \"chunked\"\r\n") + smuggled,
             "400 bad_encoding"},
        Case{"path7_01_te_identity", head("Transfer-Encoding: identity\r\n") + smuggled,
             "400 bad_encoding"},
        Case{"path7_01_te_chunked_twice",
             head("Transfer-Encoding: chunked, chunked\r\n") + smuggled, "400 bad_encoding"},
        Case{"path7_01_te_empty", head("Transfer-Encoding: \r\n") + smuggled, "400 bad_encoding"},
        Case{"path7_02_te_parameter", head("Transfer-Encoding: chunked;q=1\r\n") + "0\r\n\r\n",
             "400 bad_encoding"},
        Case{"path7_02_te_empty_members", head("Transfer-Encoding: ,chunked,\r\n") + "0\r\n\r\n",
             "400 bad_encoding"},
        Case{"path7_02_te_upper_case",
             head("Transfer-Encoding: CHUNKED\r\n") + "3\r\nabc\r\n0\r\n\r\n", "ok", "abc"},
        Case{"path7_02_te_vertical_tab", head("Transfer-Encoding: \vchunked\r\n") + "0\r\n\r\n",
             "400 bad_field_value"},
        Case{"path7_04_fold_with_tab", head("X: a\r\n\tb\r\n"), "400 folded_field"},
        Case{"path7_04_fold_before_first_field", "GET / HTTP/1.1\r\n Host: x\r\n\r\n",
             "400 folded_field"},
        Case{"path7_05_length_list_two", head("Content-Length: 2, 2\r\n") + "ab", "400 bad_length"},
        Case{"path7_06_length_leading_zero", head("Content-Length: 05\r\n") + "hello",
             "400 bad_length"},
        Case{"path7_06_length_many_zeros", head("Content-Length: 00000000000000000005\r\n"),
             "400 bad_length"},
        Case{"path7_06_chunk_size_leading_zeros",
             head("Transfer-Encoding: chunked\r\n") + "0003\r\nabc\r\n0\r\n\r\n", "ok", "abc"},
        Case{"path7_06_chunk_size_17_digits",
             head("Transfer-Encoding: chunked\r\n") + "00000000000000003\r\nabc\r\n0\r\n\r\n",
             "400 chunk_size_too_long"},
        Case{"path7_07_host_with_space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "400 bad_host"},
        Case{"path7_07_host_with_slash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400 bad_host"},
        Case{"path7_07_host_with_user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "400 bad_host"},
        Case{"path7_07_host_empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "400 bad_host"},
        Case{"path7_08_underscore_length", head("Content_Length: 5\r\n"), "ok"},
        Case{"path7_09_obs_text_in_value", head("X: \xE9\r\n"), "ok"},
        Case{"path7_09_obs_text_in_name", head("X\xE9: 1\r\n"), "400 bad_field_name"},
        Case{"path7_10_quotes_in_target", "GET /\"<>{}|\\^` HTTP/1.1\r\nHost: a\r\n\r\n", "ok"},
        Case{"path7_10_relative_target", "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n",
             "400 bad_target_form"},
        Case{"path7_10_asterisk_with_get", "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
             "400 asterisk_target"},
        Case{"path7_10_asterisk_with_options", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "ok"},
        Case{"path7_10_connect", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
             "405 connect_refused"},
        Case{"path7_10_dot_segments", "GET /../ HTTP/1.1\r\nHost: a\r\n\r\n", "ok"},
        Case{"path7_11_lower_case_method", "get / HTTP/1.1\r\nHost: a\r\n\r\n", "400 bad_method"},
        Case{"path7_11_odd_method", "G!T / HTTP/1.1\r\nHost: a\r\n\r\n", "400 bad_method"},
        Case{"path7_11_extension_method", "M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n", "ok"},
        Case{"path7_12_second_host_in_trailer",
             head("Transfer-Encoding: chunked\r\n") + "0\r\nHost: evil\r\n\r\n",
             "400 forbidden_trailer"},
        Case{"path7_12_trailer_dropped",
             head("Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n0\r\nX-A: 1\r\n\r\n" + smuggled,
             "ok", "abc", smuggled},
        Case{"path7_13_chunk_extension_dropped",
             head("Transfer-Encoding: chunked\r\n") + "3;a=b;c=\"d\"\r\nabc\r\n0;z\r\n\r\n", "ok",
             "abc"},
        Case{"path7_15_get_with_body",
             "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + smuggled, "ok", "abc",
             smuggled},
        Case{"path7_rejected_length_minus", head("Content-Length: -1\r\n"), "400 bad_length"},
        Case{"path7_rejected_length_hex", head("Content-Length: 0x2\r\n"), "400 bad_length"},
        Case{"path7_rejected_length_space", head("Content-Length: 2 3\r\n"), "400 bad_length"},
        Case{"path7_rejected_lengths_differ",
             head("Content-Length: 5\r\nContent-Length: 6\r\n") + "hello!", "400 repeated_length"},
        Case{"path7_rejected_te_repeated",
             head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
             "400 repeated_encoding"},
        Case{"path7_rejected_bare_cr", head("X: a\rb\r\n"), "400 bare_cr"},
        Case{"path7_rejected_nul_in_value", head(std::string("X: a\0b\r\n", 8)),
             "400 bad_field_value"},
        Case{"path7_rejected_nul_in_target", std::string("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 28),
             "400 bad_target_character"},
        Case{"path7_rejected_del", head("X: \x7F\r\n"), "400 bad_field_value"},
        Case{"path7_rejected_tab_before_colon", head("X\t: a\r\n"), "400 bad_field_name"},
        Case{"path7_rejected_no_colon", head("X\r\n"), "400 bad_field_name"},
        Case{"path7_rejected_empty_name", head(": a\r\n"), "400 bad_field_name"},
        Case{"path7_rejected_version_2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505 bad_version"},
        Case{"path7_rejected_version_0_9", "GET /\r\n\r\n", "400 bad_target_character"},
        Case{"path7_rejected_two_spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
             "400 bad_target_character"},
        Case{"path7_rejected_trailing_space", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
             "400 bad_version"},
        Case{"path7_rejected_space_in_target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
             "400 bad_version"},
        Case{"path7_rejected_chunk_size_all_ones",
             head("Transfer-Encoding: chunked\r\n") + "ffffffffffffffff\r\n",
             "400 chunk_size_overflow"},
        Case{"path7_rejected_chunk_size_empty", head("Transfer-Encoding: chunked\r\n") + "\r\n",
             "400 bad_chunk_size"},
        Case{"path7_rejected_chunk_size_space",
             head("Transfer-Encoding: chunked\r\n") + "3 \r\nabc\r\n0\r\n\r\n",
             "400 bad_chunk_size"},
        Case{"path7_eof_in_head", "GET / HTTP/1.1\r\nHost: a\r\n", "more"},
        Case{"path7_eof_in_length", head("Content-Length: 5\r\n") + "hell", "more"},
        Case{"path7_eof_in_chunks", head("Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n0\r\n",
             "more"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    threats, Request,
    ::testing::ValuesIn(std::vector<Case>{
        Case{"threat_57_double_slash_is_a_path", "GET //admin HTTP/1.1\r\nHost: a\r\n\r\n", "ok"},
        Case{"threat_57_absolute_form_other", "GET http://other/ HTTP/1.1\r\nHost: a\r\n\r\n",
             "400 authority_differs"},
        Case{"threat_58_fragment", "GET /a#/../b HTTP/1.1\r\nHost: a\r\n\r\n",
             "400 bad_target_character"},
        Case{"threat_58_control", "GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
             "400 bad_target_character"},
        Case{"threat_64_length_overflow", head("Content-Length: 18446744073709551621\r\n"),
             "400 bad_length"},
        Case{"threat_64_length_2_63", head("Content-Length: 9223372036854775808\r\n"),
             "400 bad_length"},
        Case{"threat_64_length_below_2_63", head("Content-Length: 9223372036854775807\r\n"),
             "more"},
        Case{"threat_66_expect_continue",
             head("Expect: 100-continue\r\nContent-Length: 3\r\n") + "abc", "ok", "abc"},
        Case{"threat_66_expect_unknown", head("Expect: 200-ok\r\nContent-Length: 0\r\n"),
             "417 bad_expect"},
        Case{"threat_66_expect_twice",
             head("Expect: 100-continue\r\nExpect: x\r\nContent-Length: 0\r\n"), "417 bad_expect"},
        Case{"threat_66_zero_length_then_request", head("Content-Length: 0\r\n") + smuggled, "ok",
             "", smuggled},
        Case{"threat_68_host_with_userinfo", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "400 bad_host"},
        Case{"threat_68_authority_with_userinfo", "GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n",
             "400 user_information"},
        Case{"threat_68_authority_port_differs", "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n",
             "400 authority_differs"},
        Case{"threat_68_authority_default_port", "GET https://A.:443/ HTTP/1.1\r\nHost: a\r\n\r\n",
             "ok"},
        Case{"trace_would_reflect_identity", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
             "405 trace_refused"},
        Case{"tls_bytes_are_no_http", "\x16\x03\x01\x02", "400 bad_method"},
        Case{"http_1_0_without_host", "GET / HTTP/1.0\r\n\r\n", "ok"},
        Case{"pipelined", smuggled + smuggled, "ok", "", smuggled}}),
    name_of);

TEST(RequestReader, DropsAndCountsNamesWithUnderscores) {
  std::array<http::Field, 8> slots;
  RequestReader reader(slots);
  ASSERT_EQ(reader.feed("GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: b\r\nX-B: c\r\n\r\n"),
            Feed::complete);
  EXPECT_EQ(reader.head().dropped_fields, 1u);
  ASSERT_EQ(reader.head().fields.size(), 2u);
  EXPECT_EQ(reader.head().fields[1].name, "X-B");
}

TEST(RequestReader, PointsIntoTheBlockAndTrimsValues) {
  std::array<http::Field, 8> slots;
  RequestReader reader(slots);
  std::string_view const text = "GET /p HTTP/1.1\r\nHost: \t a \t\r\nX-Empty:\r\n\r\nrest";
  ASSERT_EQ(reader.feed(text), Feed::complete);
  EXPECT_EQ(reader.consumed(), text.size() - 4);
  auto const& head = reader.head();
  EXPECT_EQ(head.method.data(), text.data());
  EXPECT_EQ(head.block, text.substr(0, text.size() - 4));
  ASSERT_EQ(head.fields.size(), 2u);
  EXPECT_EQ(head.fields[0].value, "a");
  EXPECT_EQ(head.fields[0].id, http::FieldName::host);
  EXPECT_EQ(head.fields[1].value, "");
}

TEST(RequestReader, LimitOnTheHeadIsExact) {
  std::string const start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  HeadLimits const limits{.bytes = 32 * 1024};
  for (std::size_t const size : {limits.bytes, limits.bytes + 1}) {
    std::string const text = start + std::string(size - start.size() - 4, 'x') + "\r\n\r\n";
    ASSERT_EQ(text.size(), size);
    auto const expected = size == limits.bytes ? "ok" : "431 head_too_large";
    EXPECT_EQ(run_request({text}, limits).verdict, expected);
    // Piece by piece the buffer is copied each time, so in pieces of some size.
    EXPECT_EQ(run_request({std::string_view(text).substr(0, 20000),
                           std::string_view(text).substr(20000, 12767),
                           std::string_view(text).substr(32767)},
                          limits)
                  .verdict,
              expected);
  }
}

TEST(RequestReader, LimitOnTheTargetIsExact) {
  HeadLimits const limits{};
  for (std::size_t const size : {limits.target_bytes, limits.target_bytes + 1}) {
    std::string const text = "GET /" + std::string(size - 1, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n";
    auto const expected = size == limits.target_bytes ? "ok" : "414 target_too_long";
    EXPECT_EQ(run_request({text}, limits).verdict, expected);
    EXPECT_EQ(run_request(byte_by_byte(text), limits).verdict, expected);
  }
  EXPECT_EQ(run_request({"GET /" + std::string(9000, 'x')}, limits).verdict, "414 target_too_long");
}

TEST(RequestReader, LimitOnTheNumberOfFieldsIsExact) {
  for (std::size_t const fields : {default_max_fields, default_max_fields + 1}) {
    std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (std::size_t i = 1; i < fields; ++i) text += "X: 1\r\n";
    text += "\r\n";
    auto const expected = fields == default_max_fields ? "ok" : "431 too_many_fields";
    EXPECT_EQ(run_request({text}).verdict, expected);
  }
}

}  // namespace
}  // namespace certgate::http1::testing
