// The admin API's requests: what is understood, who may ask, and where it goes.
#include "request.hpp"

#include <gtest/gtest.h>

#include "certgate/admin/server.hpp"

namespace certgate::admin {
namespace {

struct Case {
  char const* name;
  std::string head;
  unsigned status;  // 0: understood
};
void PrintTo(Case const& row, std::ostream* out) { *out << row.name; }

class Head : public testing::TestWithParam<Case> {};
TEST_P(Head, is_understood_or_refused) {
  auto const parsed = parse_head(GetParam().head);
  EXPECT_EQ(parsed.refusal ? parsed.refusal->status : 0, GetParam().status);
}
INSTANTIATE_TEST_SUITE_P(
    Table, Head,
    testing::Values(
        Case{"plain", "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 0},
        Case{"http_1_0_without_fields", "GET /metrics HTTP/1.0\r\n\r\n", 0},
        Case{"http_2", "GET /metrics HTTP/2.0\r\n\r\n", 505},
        Case{"no_version", "GET /metrics\r\n\r\n", 400},
        Case{"two_spaces", "GET  /metrics HTTP/1.1\r\n\r\n", 400},
        Case{"absolute_form", "GET http://x/metrics HTTP/1.1\r\n\r\n", 400},
        Case{"asterisk", "OPTIONS * HTTP/1.1\r\n\r\n", 400},
        Case{"control_in_target", "GET /a\x01 HTTP/1.1\r\n\r\n", 400},
        Case{"empty", "\r\n\r\n", 400},
        Case{"bare_line_feed", "GET / HTTP/1.1\nHost: x\r\n\r\n", 400},
        Case{"field_without_colon", "GET / HTTP/1.1\r\nHost\r\n\r\n", 400},
        Case{"space_before_colon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
        Case{"folded_field", "GET / HTTP/1.1\r\nA: b\r\n c: d\r\n\r\n", 400},
        Case{"control_in_value", "GET / HTTP/1.1\r\nA: b\x0B\r\n\r\n", 400},
        Case{"body", "POST /reload HTTP/1.1\r\nContent-Length: 65536\r\n\r\n", 0},
        Case{"body_too_large", "POST /reload HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", 413},
        Case{"body_huge",
             "POST /reload HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413},
        Case{"length_signed", "POST /reload HTTP/1.1\r\nContent-Length: +1\r\n\r\n", 400},
        Case{"length_twice",
             "POST /reload HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
        Case{"chunked", "POST /reload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501}),
    [](auto const& row) { return std::string(row.param.name); });

unsigned caller(std::string fields, Transport transport = Transport::tcp) {
  std::string const text = "GET /status HTTP/1.1\r\n" + fields + "\r\n";
  auto const parsed = parse_head(text);
  EXPECT_FALSE(parsed.refusal);
  auto const refusal = refuse_caller(parsed.head, transport, {"ops.example.com"});
  return refusal ? refusal->status : 0;
}

// HAProxy's `option httpchk GET /readyz` asks like this.
TEST(Caller, http_1_0_may_come_without_a_host) {
  auto const status = [](std::string const& text) {
    auto const parsed = parse_head(text);
    if (parsed.refusal) return parsed.refusal->status;
    auto const refusal = refuse_caller(parsed.head, Transport::tcp, {});
    return refusal ? refusal->status : 0U;
  };
  EXPECT_EQ(status("GET /readyz HTTP/1.0\r\n\r\n"), 0U);
  EXPECT_EQ(status("GET /readyz HTTP/1.1\r\n\r\n"), 400U);
  EXPECT_EQ(status("GET /readyz HTTP/1.0\r\nHost: rebound.example.net\r\n\r\n"), 421U);
  EXPECT_EQ(status("GET /readyz HTTP/1.0\r\nOrigin: null\r\n\r\n"), 400U);
}

TEST(Caller, over_tcp_must_name_this_machine) {
  EXPECT_EQ(caller("Host: localhost\r\n"), 0u);
  EXPECT_EQ(caller("Host: LOCALHOST:9901\r\n"), 0u);
  EXPECT_EQ(caller("Host: 127.0.0.1:9901\r\n"), 0u);
  EXPECT_EQ(caller("Host: [::1]:9901\r\n"), 0u);
  EXPECT_EQ(caller("Host: [::1]\r\n"), 0u);
  EXPECT_EQ(caller("Host: ops.example.com\r\n"), 0u);
  EXPECT_EQ(caller("Host: rebound.example.net:9901\r\n"), 421u);
  EXPECT_EQ(caller("Host: localhost.example.net\r\n"), 421u);
  EXPECT_EQ(caller("Host: ::1\r\n"), 421u);
  EXPECT_EQ(caller("Host:\r\n"), 421u);
  EXPECT_EQ(caller(""), 400u);
  EXPECT_EQ(caller("Host: localhost\r\nHost: localhost\r\n"), 400u);
}

TEST(Caller, over_tcp_must_not_be_a_web_page) {
  EXPECT_EQ(caller("Host: localhost\r\nOrigin: https://evil.example\r\n"), 403u);
  EXPECT_EQ(caller("Host: localhost\r\nOrigin: null\r\n"), 403u);
  EXPECT_EQ(caller("Host: localhost\r\nSec-Fetch-Site: cross-site\r\n"), 403u);
  EXPECT_EQ(caller("Host: localhost\r\nSec-Fetch-Site: none\r\n"), 0u);
}

TEST(Caller, over_a_unix_socket_is_known_by_its_user) {
  EXPECT_EQ(caller("", Transport::unix_socket), 0u);
  EXPECT_EQ(caller("Host: anything\r\n", Transport::unix_socket), 0u);
}

Routed routed(std::string_view method, std::string_view target,
              Transport transport = Transport::unix_socket) {
  RequestHead head;
  head.method = method;
  head.target = target;
  return route_of(head, transport);
}

TEST(Routes, are_exact) {
  EXPECT_EQ(routed("GET", "/metrics").route, Route::metrics);
  EXPECT_EQ(routed("HEAD", "/healthz").route, Route::healthz);
  EXPECT_EQ(routed("POST", "/reload").route, Route::reload);
  for (auto const* target : {"/", "/metrics/", "/metricsx", "/metric", "//metrics", "/metrics?x",
                             "/../metrics", "/METRICS", "/reload/now"}) {
    auto const result = routed("GET", target);
    ASSERT_TRUE(result.refusal) << target;
    EXPECT_EQ(result.refusal->status, 404u) << target;
  }
  EXPECT_EQ(routed("POST", "/metrics").refusal->status, 405u);
  EXPECT_EQ(routed("POST", "/metrics").refusal->allow, "GET, HEAD");
  EXPECT_EQ(routed("GET", "/reload").refusal->status, 405u);
  EXPECT_EQ(routed("GET", "/reload").refusal->allow, "POST");
}

TEST(Routes, commands_need_the_unix_socket) {
  EXPECT_EQ(routed("POST", "/deny").route, Route::command);
  EXPECT_EQ(routed("POST", "/deny").command, "deny");
  EXPECT_EQ(routed("POST", "/deny", Transport::tcp).refusal->status, 404u);
}

TEST(Reply, is_complete) {
  Reply reply;
  reply.status = 405;
  reply.body = "no\n";
  reply.allow = "POST";
  EXPECT_EQ(format_reply(reply, true),
            "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Length: 3\r\nAllow: POST\r\nCache-Control: no-store\r\n"
            "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\nno\n");
  EXPECT_TRUE(format_reply(reply, false).ends_with("\r\n\r\n"));
}

TEST(Address, is_a_unix_path_or_an_ip_endpoint) {
  EXPECT_EQ(Address::parse("unix:/run/a.sock")->unix_path, "/run/a.sock");
  EXPECT_EQ(Address::parse("127.0.0.1:9901")->tcp.port, 9901);
  for (auto const* text : {"unix:/run/a.sock", "127.0.0.1:9901", "[::1]:0"}) {
    EXPECT_EQ(Address::parse(text)->to_string(), text);
  }
  for (auto const* text : {"unix:", "localhost:9901", "127.0.0.1", "/run/a.sock", ""}) {
    EXPECT_FALSE(Address::parse(text)) << text;
  }
  EXPECT_TRUE(Address::parse("unix:" + std::string(max_unix_path, 'a')));
  EXPECT_FALSE(Address::parse("unix:" + std::string(max_unix_path + 1, 'a')));
}

}  // namespace
}  // namespace certgate::admin
