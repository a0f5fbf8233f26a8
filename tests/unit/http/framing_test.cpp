// Persistence, upgrades and expectations; the framing tables run in http1 against real bytes.
#include "certgate/http/framing.hpp"

#include <gtest/gtest.h>

#include "certgate/http/admission.hpp"
#include "head_text.hpp"

namespace certgate::http {
namespace {

using testing::HeadText;

RequestFraming framed(std::string const& start, std::string const& fields) {
  HeadText const text(start + "\r\nHost: a\r\n" + fields + "\r\n");
  auto framing = frame_request(text.request());
  EXPECT_TRUE(framing);
  framing->host = {};  // it points into the text
  return *framing;
}

TEST(Persistence, FollowsVersionAndConnection) {
  struct {
    char const* start;
    char const* fields;
    Persistence expected;
  } const rows[] = {
      {"GET / HTTP/1.1", "", Persistence::keep_alive},
      {"GET / HTTP/1.1", "Connection: close\r\n", Persistence::close},
      {"GET / HTTP/1.1", "Connection: Close\r\n", Persistence::close},
      {"GET / HTTP/1.1", "Connection: x, close\r\n", Persistence::close},
      {"GET / HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n", Persistence::close},
      {"GET / HTTP/1.1", "Connection: closed\r\n", Persistence::keep_alive},
      {"GET / HTTP/1.0", "", Persistence::close},
      {"GET / HTTP/1.0", "Connection: Keep-Alive\r\n", Persistence::keep_alive},
      {"GET / HTTP/1.0", "Connection: keep-alive, close\r\n", Persistence::close},
  };
  for (auto const& row : rows) {
    EXPECT_EQ(framed(row.start, row.fields).persistence, row.expected) << row.fields;
  }
}

TEST(Upgrade, IsOnlyWebSocketByGetOverHttp11) {
  std::string const both = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n";
  EXPECT_EQ(framed("GET / HTTP/1.1", both).upgrade, Upgrade::websocket);
  EXPECT_EQ(framed("GET / HTTP/1.0", both).upgrade, Upgrade::none);
  EXPECT_EQ(framed("POST / HTTP/1.1", both).upgrade, Upgrade::none);
  EXPECT_EQ(framed("GET / HTTP/1.1", both + "Content-Length: 3\r\n").upgrade, Upgrade::none);
  EXPECT_EQ(framed("GET / HTTP/1.1", both + "Upgrade: h2c\r\n").upgrade, Upgrade::none);
  EXPECT_EQ(framed("GET / HTTP/1.1", "Upgrade: websocket\r\n").upgrade, Upgrade::none);
  EXPECT_EQ(framed("GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: h2c\r\n").upgrade,
            Upgrade::none);
  EXPECT_EQ(framed("GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n").upgrade,
            Upgrade::none);
}

TEST(Expectation, threat_66_only_with_a_body_and_http_1_1) {
  std::string const expect = "Expect: 100-Continue\r\n";
  EXPECT_EQ(framed("POST / HTTP/1.1", expect + "Content-Length: 3\r\n").expectation,
            Expectation::continue_100);
  EXPECT_EQ(framed("POST / HTTP/1.1", expect + "Transfer-Encoding: chunked\r\n").expectation,
            Expectation::continue_100);
  EXPECT_EQ(framed("POST / HTTP/1.1", expect + "Content-Length: 0\r\n").expectation,
            Expectation::none);
  EXPECT_EQ(framed("GET / HTTP/1.1", expect).expectation, Expectation::none);
  EXPECT_EQ(framed("POST / HTTP/1.0", expect + "Content-Length: 3\r\n").expectation,
            Expectation::none);
}

TEST(ContentLength, IsDigitsWithoutLeadingZeros) {
  EXPECT_EQ(parse_content_length("0"), 0u);
  EXPECT_EQ(parse_content_length("10"), 10u);
  EXPECT_EQ(parse_content_length("9223372036854775807"), 9223372036854775807u);
  for (std::string_view const text :
       {"", "00", "01", "+1", "-1", "1 ", " 1", "1,1", "0x1", "1e3", "9223372036854775808",
        "18446744073709551615", "10000000000000000000"}) {
    EXPECT_FALSE(parse_content_length(text)) << text;
  }
}

TEST(ResponsePersistence, NeedsALengthToLive) {
  auto const framed_response = [](std::string const& start, std::string const& fields,
                                  std::string_view method) {
    HeadText const text(start + "\r\n" + fields + "\r\n");
    auto const framing = frame_response(text.response(), method);
    EXPECT_TRUE(framing);
    return *framing;
  };
  auto framing = framed_response("HTTP/1.1 200 OK", "", "GET");
  EXPECT_EQ(framing.persistence, Persistence::close);
  EXPECT_EQ(framing.body.kind, BodyKind::until_close);
  framing = framed_response("HTTP/1.1 200 OK", "Content-Length: 7\r\n", "HEAD");
  EXPECT_EQ(framing.persistence, Persistence::keep_alive);
  EXPECT_EQ(framing.body.kind, BodyKind::none);
  EXPECT_EQ(framing.announced_length, 7u);
  framing = framed_response("HTTP/1.0 200 OK", "Content-Length: 7\r\n", "GET");
  EXPECT_EQ(framing.persistence, Persistence::close);
  framing =
      framed_response("HTTP/1.0 200 OK", "Content-Length: 7\r\nConnection: keep-alive\r\n", "GET");
  EXPECT_EQ(framing.persistence, Persistence::keep_alive);
}

TEST(Admission, UsesTheTargetsAuthorityInHttp10WithoutHost) {
  HeadText const text("GET http://API.example.com:80/x HTTP/1.0\r\n\r\n");
  std::vector<char> room(1024);
  AdmissionScratch scratch{{}, {}, room};
  auto const admitted = admit_request(text.request(), Normalisation::rfc3986, scratch);
  ASSERT_TRUE(admitted);
  EXPECT_EQ(admitted->authority.host, "api.example.com");
  EXPECT_EQ(admitted->authority.port, 80);
  HeadText const bare("GET /x HTTP/1.0\r\n\r\n");
  auto const nameless = admit_request(bare.request(), Normalisation::rfc3986, scratch);
  ASSERT_TRUE(nameless);
  EXPECT_EQ(nameless->authority.host, "");
}

TEST(Admission, MethodLengthLimitIsExact) {
  std::vector<char> room(1024);
  AdmissionScratch scratch{{}, {}, room};
  for (std::size_t const size : {max_method_bytes, max_method_bytes + 1}) {
    HeadText const text(std::string(size, 'M') + " / HTTP/1.1\r\nHost: a\r\n\r\n");
    auto const admitted = admit_request(text.request(), Normalisation::rfc3986, scratch);
    EXPECT_EQ(admitted.has_value(), size == max_method_bytes);
  }
}

TEST(Lists, AreSplitOutsideQuotes) {
  ListReader list(" a ,, b;q=\"x,y\" ,\"\\\",\" , ");
  EXPECT_EQ(list.next(), "a");
  EXPECT_EQ(list.next(), "b;q=\"x,y\"");
  EXPECT_EQ(list.next(), "\"\\\",\"");
  EXPECT_EQ(list.next(), std::nullopt);
  ListReader open("\"a, b");
  EXPECT_EQ(open.next(), "\"a, b");
  EXPECT_EQ(open.next(), std::nullopt);
}

}  // namespace
}  // namespace certgate::http
