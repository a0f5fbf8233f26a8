// What Boost.Beast 1.81 makes of an origin's response, measured, and what certgate makes of it:
// each row is fed whole, byte by byte, and in two parts split at every byte.
#include <gtest/gtest.h>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/version.hpp>
#include <ostream>

#include "certgate/http/framing.hpp"
#include "request_table.hpp"

namespace certgate::http1::testing {
namespace {

struct Case {
  char const* name;
  std::string input;
  std::string beast;    // Boost 1.81, fed whole: "ok BODY|LEFTOVER" or "refused" or "more"
  std::string verdict;  // certgate: as `beast`, or "502 reason"
  std::string method = "GET";
};
void PrintTo(Case const& test, std::ostream* out) { *out << test.name; }
std::string name_of(::testing::TestParamInfo<Case> const& info) { return info.param.name; }

#if BOOST_VERSION == 108100
std::string run_beast(Case const& test) {
  namespace beast_http = boost::beast::http;
  beast_http::response_parser<beast_http::string_body> parser;
  parser.eager(true);
  parser.skip(test.method == "HEAD");
  boost::beast::error_code error;
  boost::asio::const_buffer const buffer(test.input.data(), test.input.size());
  std::size_t used = parser.put(buffer, error);
  if (error == beast_http::error::need_more) return "more";
  if (error) return "refused";
  if (!parser.is_done() && parser.need_eof()) parser.put_eof(error);
  if (!parser.is_done()) return "more";
  return "ok " + parser.get().body() + "|" + test.input.substr(used);
}
#endif

std::string run_certgate(Case const& test, std::vector<std::string_view> const& pieces) {
  std::array<http::Field, 32> slots;
  ResponseReader reader(slots);
  std::string all;
  std::size_t next = 0;
  Feed fed = Feed::need_more;
  while (fed == Feed::need_more && next < pieces.size()) {
    std::string grown = all + std::string(pieces[next++]);
    all.swap(grown);
    fed = reader.feed(all);
  }
  if (fed == Feed::need_more) return "more";
  if (fed == Feed::refused) return format_refusal(reader.refusal());
  auto const framing = http::frame_response(reader.head(), test.method);
  if (!framing) return format_refusal(framing.error());
  std::string rest = all.substr(reader.consumed());
  while (next < pieces.size()) rest += pieces[next++];
  switch (framing->body.kind) {
    case http::BodyKind::none:
      return "ok |" + rest;
    case http::BodyKind::until_close:
      return "ok " + rest + "|";
    case http::BodyKind::length:
      if (rest.size() < framing->body.length) return "more";
      return "ok " + rest.substr(0, framing->body.length) + "|" + rest.substr(framing->body.length);
    case http::BodyKind::chunked:
      break;
  }
  ChunkedDecoder decoder;
  auto const decoded = decoder.decode(rest);
  if (decoded.status == ChunkedDecoder::Status::refused) {
    return "502 " + std::string(decoder.reason());
  }
  if (decoded.status == ChunkedDecoder::Status::need_more) return "more";
  return "ok " + std::string(decoded.data) + "|" + rest.substr(decoded.consumed);
}

class Response : public ::testing::TestWithParam<Case> {};

TEST_P(Response, IsJudgedTheSameHoweverItArrives) {
  auto const& test = GetParam();
  std::string_view const input = test.input;
  EXPECT_EQ(run_certgate(test, {input}), test.verdict) << "whole";
  EXPECT_EQ(run_certgate(test, byte_by_byte(input)), test.verdict) << "byte by byte";
  for (std::size_t i = 1; i < input.size(); ++i) {
    EXPECT_EQ(run_certgate(test, {input.substr(0, i), input.substr(i)}), test.verdict)
        << "split at " << i;
  }
}

#if BOOST_VERSION == 108100
TEST_P(Response, WasMeasuredWithBeast) { EXPECT_EQ(run_beast(GetParam()), GetParam().beast); }
#endif

std::string ok(std::string const& fields, std::string const& body = {}) {
  return "HTTP/1.1 200 OK\r\n" + fields + "\r\n" + body;
}
std::string const next = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    sound, Response,
    ::testing::ValuesIn(std::vector<Case>{
        Case{"length", ok("Content-Length: 5\r\n", "hello" + next), "ok hello|" + next,
             "ok hello|" + next},
        Case{"length_zero", ok("Content-Length: 0\r\n", next), "ok |" + next, "ok |" + next},
        Case{"chunked", ok("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n" + next),
             "ok abc|" + next, "ok abc|" + next},
        Case{"until_close", ok("", "hello"), "ok hello|", "ok hello|"},
        Case{"http_1_0_until_close", "HTTP/1.0 200 OK\r\n\r\nhello", "ok hello|", "ok hello|"},
        Case{"head_with_length", ok("Content-Length: 5\r\n", next), "ok |" + next, "ok |" + next,
             "HEAD"},
        Case{"head_with_chunked", ok("Transfer-Encoding: chunked\r\n", next), "ok |" + next,
             "ok |" + next, "HEAD"},
        Case{"no_content", "HTTP/1.1 204 No Content\r\n\r\n" + next, "ok |" + next, "ok |" + next},
        Case{"no_content_with_length_zero",
             "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n" + next, "ok |" + next,
             "ok |" + next},
        Case{"not_modified_with_length",
             "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n" + next, "ok |" + next,
             "ok |" + next},
        Case{"continue", "HTTP/1.1 100 Continue\r\n\r\n" + next, "ok |" + next, "ok |" + next},
        Case{"early_hints", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + next, "ok |" + next,
             "ok |" + next},
        Case{"empty_reason", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "ok |", "ok |"},
        Case{"obs_text_in_reason", "HTTP/1.1 200 \xE9\r\nContent-Length: 0\r\n\r\n", "ok |",
             "ok |"},
        Case{"underscore_in_name", ok("X_Y: 1\r\nContent-Length: 0\r\n"), "ok |", "ok |"},
        Case{"trailers", ok("Transfer-Encoding: chunked\r\n", "0\r\nX-Sum: 1\r\n\r\n"), "ok |",
             "ok |"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    bad_origin, Response,
    ::testing::ValuesIn(std::vector<Case>{
        Case{"te_gzip_then_length",
             ok("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n", "hello" + next),
             "ok hello|" + next, "502 length_and_encoding"},
        Case{"length_then_te",
             ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "refused",
             "502 length_and_encoding"},
        Case{"te_then_length",
             ok("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), "refused",
             "502 length_and_encoding"},
        Case{"te_xchunked", ok("Transfer-Encoding: xchunked\r\n", "abc"), "ok abc|",
             "502 bad_encoding"},
        Case{"te_chunked_gzip", ok("Transfer-Encoding: chunked, gzip\r\n", "abc"), "ok abc|",
             "502 bad_encoding"},
        Case{"te_gzip_chunked", ok("Transfer-Encoding: gzip, chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
             "ok abc|", "502 bad_encoding"},
        Case{"te_identity", ok("Transfer-Encoding: identity\r\n", "abc"), "ok abc|",
             "502 bad_encoding"},
        Case{"two_te", ok("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
             "ok |", "502 repeated_encoding"},
        Case{"http_1_0_chunked",
             "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
             "ok abc|", "502 encoding_in_http_1_0"},
        Case{"length_list", ok("Content-Length: 5, 5\r\n", "hello"), "ok hello|", "502 bad_length"},
        Case{"lengths_equal", ok("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
             "ok hello|", "502 repeated_length"},
        Case{"lengths_differ", ok("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"),
             "refused", "502 repeated_length"},
        Case{"length_plus", ok("Content-Length: +5\r\n", "hello"), "refused", "502 bad_length"},
        Case{"length_leading_zero", ok("Content-Length: 05\r\n", "hello"), "ok hello|",
             "502 bad_length"},
        Case{"length_overflow", ok("Content-Length: 18446744073709551616\r\n"), "refused",
             "502 bad_length"},
        Case{"no_content_with_body", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc",
             "ok |abc", "502 body_not_allowed"},
        Case{"no_content_chunked",
             "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
             "ok |0\r\n\r\n", "502 body_not_allowed"},
        Case{"continue_with_body", "HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\nabc",
             "ok |abc", "502 body_not_allowed"},
        Case{
            "upgrade_nobody_asked_for",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            "ok |", "502 unasked_upgrade"},
        Case{"fold", ok("X: a\r\n b\r\nContent-Length: 0\r\n"), "ok |", "502 folded_field"},
        Case{"bare_lf", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "refused", "502 bare_lf"},
        Case{"bare_cr", ok("X: a\rb\r\n"), "refused", "502 bare_cr"},
        Case{"nul", ok(std::string("X: a\0b\r\n", 8)), "refused", "502 bad_field_value"},
        Case{"control_in_reason", "HTTP/1.1 200 O\x01K\r\n\r\n", "refused", "502 bad_reason"},
        Case{"space_before_colon", ok("Content-Length : 0\r\n"), "refused", "502 bad_field_name"},
        Case{"no_colon", ok("X\r\n"), "refused", "502 bad_field_name"},
        Case{"no_space_after_status", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "refused",
             "502 bad_status"},
        Case{"status_of_two_digits", "HTTP/1.1 20 OK\r\n\r\n", "refused", "502 bad_status"},
        Case{"status_of_four_digits", "HTTP/1.1 2000 OK\r\n\r\n", "refused", "502 bad_status"},
        Case{"status_000", "HTTP/1.1 000 Zero\r\nContent-Length: 0\r\n\r\n", "ok |",
             "502 bad_status"},
        Case{"status_099", "HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n", "ok |",
             "502 bad_status"},
        Case{"status_600", "HTTP/1.1 600 High\r\nContent-Length: 0\r\n\r\n", "ok |",
             "502 bad_status"},
        Case{"status_599", "HTTP/1.1 599 Last\r\nContent-Length: 0\r\n\r\n", "ok |", "ok |"},
        Case{"http_2", "HTTP/2.0 200 OK\r\n\r\n", "refused", "502 bad_version"},
        Case{"no_http", "SSH-2.0-OpenSSH\r\n", "refused", "502 bad_version"},
        Case{"leading_crlf", "\r\nHTTP/1.1 200 OK\r\n\r\n", "refused", "502 bad_version"},
        Case{"chunk_lf", ok("Transfer-Encoding: chunked\r\n", "3\nabc\r\n0\r\n\r\n"), "refused",
             "502 bad_chunk_size"},
        Case{"trailer_length",
             ok("Transfer-Encoding: chunked\r\n", "0\r\nContent-Length: 5\r\n\r\n"), "refused",
             "502 forbidden_trailer"},
        Case{"chunks_torn", ok("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n"), "more", "more"},
        Case{"length_torn", ok("Content-Length: 5\r\n", "hell"), "more", "more"}}),
    name_of);

TEST(ResponseFraming, threat_63_tunnel_only_after_a_101_that_answers_our_upgrade) {
  auto const framed = [](std::string const& text, http::Upgrade upgrade) {
    std::array<http::Field, 8> slots;
    ResponseReader reader(slots);
    EXPECT_EQ(reader.feed(text), Feed::complete);
    auto const framing = http::frame_response(reader.head(), "GET", upgrade);
    return framing ? std::string("ok") : std::string(framing.error().reason);
  };
  std::string const start = "HTTP/1.1 101 Switching Protocols\r\n";
  std::string const full = start + "Connection: upgrade\r\nUpgrade: WebSocket\r\n\r\n";
  EXPECT_EQ(framed(full, http::Upgrade::websocket), "ok");
  EXPECT_EQ(framed(full, http::Upgrade::none), "unasked_upgrade");
  EXPECT_EQ(framed(start + "Upgrade: websocket\r\n\r\n", http::Upgrade::websocket),
            "unasked_upgrade");
  EXPECT_EQ(framed(start + "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n", http::Upgrade::websocket),
            "unasked_upgrade");
  EXPECT_EQ(framed(start + "\r\n", http::Upgrade::websocket), "unasked_upgrade");
  EXPECT_EQ(framed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", http::Upgrade::websocket), "ok");
}

}  // namespace
}  // namespace certgate::http1::testing
