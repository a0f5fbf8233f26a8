// What goes on to the origin and back to the client, against a slow header filter.
#include "certgate/http/forward.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "certgate/base/encoding.hpp"
#include "certgate/http/forwarded.hpp"
#include "certgate/http/hop_by_hop.hpp"
#include "head_text.hpp"

namespace certgate::http {
namespace {

using testing::HeadText;

ForwardingPolicy quiet_policy() {
  ForwardingPolicy::Settings settings;
  settings.x_forwarded_for = settings.x_forwarded_proto = settings.x_forwarded_host = false;
  settings.forwarded = settings.request_id = false;
  settings.via = "";
  return ForwardingPolicy(settings);
}

std::string forwarded(RequestHead const& head, ForwardingPolicy const& policy,
                      ForwardValues values = {}) {
  auto const framing = frame_request(head);
  EXPECT_TRUE(framing);
  if (values.origin_form.empty()) values.origin_form = head.target;
  std::string out = "kept";
  append_request_head(out, head, *framing, policy, values);
  EXPECT_TRUE(out.starts_with("kept"));
  return out.substr(4);
}

std::string forwarded(std::string const& fields, ForwardingPolicy const& policy = quiet_policy(),
                      ForwardValues const& values = {},
                      std::string const& start = "GET / HTTP/1.1") {
  HeadText const text(start + "\r\n" + fields + "Host: a\r\n\r\n");
  return forwarded(text.request(), policy, values);
}

TEST(RequestHead, IsWholeAndExact) {
  HeadText const text(
      "POST /x HTTP/1.1\r\nHost: API.example.com:8443\r\nUser-Agent: t\r\nX-Forwarded-For: "
      "10.0.0.1\r\n"
      "Content-Type:application/json\r\nContent-Length: 2\r\nVia: 1.0 front\r\nAccept: \t*/* \r\n"
      "Connection: keep-alive, x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\n"
      "Trailer: x\r\nExpect: 100-continue\r\nClient-Cert: :forged:\r\ncf.cert.verified: true\r\n"
      "X-Request-Id: forged\r\nForwarded: for=10.0.0.1\r\nX-Role: forged\r\nX-Gone: 1\r\n\r\n");
  ForwardingPolicy::Settings settings;
  settings.set_names = {"X-Role", "X-Empty"};
  settings.remove = {"X-Gone"};
  std::string_view const set[] = {"a\r\nb%20c", ""};
  ForwardValues values;
  values.origin_form = "/y?z";
  values.client_ip = "2001:db8::1";
  values.host = "API.example.com:8443";
  values.request_id = "r1";
  values.identity = "Client-Cert: :AA==:\r\n";
  values.set_values = set;
  auto out = forwarded(text.request(), ForwardingPolicy(settings), values);
  append_host(out, "origin:9000");
  EXPECT_EQ(
      out,
      "POST /y?z HTTP/1.1\r\n"
      "User-Agent: t\r\n"
      "Content-Type: application/json\r\n"
      "Accept: */*\r\n"
      "Content-Length: 2\r\n"
      "X-Forwarded-For: 10.0.0.1, 2001:db8::1\r\n"
      "X-Forwarded-Proto: https\r\n"
      "X-Forwarded-Host: API.example.com:8443\r\n"
      "Forwarded: for=10.0.0.1, for=\"[2001:db8::1]\";host=\"API.example.com:8443\";proto=https\r\n"
      "Via: 1.0 front, 1.1 certgate\r\n"
      "X-Request-Id: r1\r\n"
      "Client-Cert: :AA==:\r\n"
      "X-Role: a%0D%0Ab%20c\r\n"
      "Host: origin:9000\r\n\r\n");
}

TEST(RequestHead, IsFramedAnew) {
  std::string const start = "GET / HTTP/1.1\r\n";
  EXPECT_EQ(forwarded("Content-Length: 5\r\n"), start + "Content-Length: 5\r\n");
  EXPECT_EQ(forwarded("content-length:   5\r\n"), start + "Content-Length: 5\r\n");
  EXPECT_EQ(forwarded("transfer-encoding: CHUNKED\r\n"), start + "Transfer-Encoding: chunked\r\n");
  EXPECT_EQ(forwarded(""), start);
  EXPECT_EQ(forwarded("", quiet_policy(), {}, "POST / HTTP/1.1"),
            "POST / HTTP/1.1\r\nContent-Length: 0\r\n");
  EXPECT_EQ(forwarded("", quiet_policy(), {}, "DELETE / HTTP/1.0"), "DELETE / HTTP/1.1\r\n");
}

TEST(RequestHead, KeepsAWebSocketUpgradeAndNoOther) {
  EXPECT_EQ(forwarded("Connection: keep-alive, Upgrade, X-A\r\nUpgrade: WebSocket\r\nX-A: 1\r\n"
                      "Sec-WebSocket-Key: k\r\n"),
            "GET / HTTP/1.1\r\nSec-WebSocket-Key: k\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\n");
  EXPECT_EQ(
      forwarded("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: a\r\n"),
      "GET / HTTP/1.1\r\n");
}

TEST(RequestHead, threat_43_identity_is_removed_though_nothing_is_set) {
  EXPECT_EQ(
      forwarded("Client-Cert: :a:\r\nCLIENT-CERT-CHAIN: :a:\r\nX-Forwarded-Client-Cert: Hash=a\r\n"
                "Cf-Cert-Verified: true\r\ncf-client-cert-sha256: ff\r\nX-Kept: 1\r\n"),
      "GET / HTTP/1.1\r\nX-Kept: 1\r\n");
}

TEST(RequestHead, threat_44_a_set_field_without_value_is_absent) {
  ForwardingPolicy::Settings settings = quiet_policy().settings();
  settings.set_names = {"Remote-User", "Cookie"};
  std::string_view const set[] = {"", ""};
  ForwardValues values;
  values.set_values = set;
  EXPECT_EQ(forwarded("remote.user: root\r\nREMOTE-USER: root\r\nCookie: a=b\r\nX: 1\r\n",
                      ForwardingPolicy(settings), values),
            "GET / HTTP/1.1\r\nX: 1\r\n");
}

TEST(RequestHead, threat_45_aliases_of_framing_fields_are_removed) {
  EXPECT_EQ(forwarded("Content.Length: 5\r\nTransfer!Encoding: chunked\r\nX-Forwarded+For: 1\r\n"
                      "Content.Type: kept\r\n"),
            "GET / HTTP/1.1\r\nContent.Type: kept\r\n");
}

TEST(RequestHead, threat_47_connection_cannot_name_away_what_matters) {
  EXPECT_EQ(
      forwarded("Connection: close, Host, Authorization, Cookie, Content-Type, X-A, Client-Cert, "
                "X-Forwarded-For, Content-Length\r\nContent-Length: 0\r\nAuthorization: b\r\n"
                "Cookie: c\r\nContent-Type: d\r\nX-A: e\r\nx-a: f\r\nX-AB: g\r\n"),
      "GET / HTTP/1.1\r\nAuthorization: b\r\nCookie: c\r\nContent-Type: d\r\nX-AB: g\r\n"
      "Content-Length: 0\r\n");
  ForwardingPolicy::Settings settings = quiet_policy().settings();
  settings.x_forwarded_for = settings.x_forwarded_proto = settings.x_forwarded_host = true;
  settings.set_names = {"X-Mine"};
  std::string_view const set[] = {"m"};
  ForwardValues values;
  values.client_ip = "192.0.2.1";
  values.identity = "Client-Cert: :AA==:\r\n";
  values.set_values = set;
  EXPECT_EQ(forwarded("Connection: X-Mine, Client-Cert, X-Forwarded-For\r\n",
                      ForwardingPolicy(settings), values),
            "GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n"
            "Client-Cert: :AA==:\r\nX-Mine: m\r\n");
}

TEST(RequestHead, what_the_configuration_sets_or_removes_is_told_once_or_not_at_all) {
  ForwardingPolicy::Settings settings;
  settings.set_names = {"X-Forwarded-For", "x-request-id"};
  settings.remove = {"VIA", "Forwarded", "X-Forwarded-Proto", "X-Forwarded-Host"};
  std::string_view const set[] = {"192.0.2.9", "mine"};
  ForwardValues values;
  values.client_ip = "192.0.2.1";
  values.host = "a";
  values.request_id = "0123456789abcdef";
  values.set_values = set;
  EXPECT_EQ(forwarded("X-Forwarded-For: 6.6.6.6\r\nVia: 1.1 b\r\nForwarded: for=b\r\nX-Request-Id: b\r\n"
                      "X-Forwarded-Proto: http\r\nX-Forwarded-Host: b\r\n",
                      ForwardingPolicy(settings), values),
            "GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.9\r\nx-request-id: mine\r\n");
}

TEST(ForwardingPolicy, CannotSetOrRemoveWhatFramesAMessage) {
  for (std::string_view const name : {"Host", "content-length", "Transfer-Encoding", "Connection",
                                      "TE", "Expect", "Content_Length", "a b", "", "X:"}) {
    EXPECT_FALSE(ForwardingPolicy::may_configure(name)) << name;
  }
  EXPECT_TRUE(ForwardingPolicy::may_configure("X-Client-DN"));
  EXPECT_TRUE(ForwardingPolicy::may_configure("Authorization"));
  ForwardingPolicy::Settings settings = quiet_policy().settings();
  settings.set_names = {"Host", "Content-Length"};
  std::string_view const set[] = {"evil", "5"};
  ForwardValues values;
  values.set_values = set;
  EXPECT_EQ(forwarded("", ForwardingPolicy(settings), values), "GET / HTTP/1.1\r\n");
}

TEST(Forwarded, AppendsToEveryReceivedLine) {
  HeadText const text(
      "GET / HTTP/1.1\r\nX-Forwarded-For: a\r\nForwarded: for=b\r\n"
      "X-Forwarded-For: c, d\r\nX-Forwarded-For:\r\nVia: 1.1 x\r\n\r\n");
  auto const fields = text.request().fields;
  std::string out;
  append_x_forwarded_for(out, fields, "192.0.2.1");
  append_forwarded(out, fields, "192.0.2.1", "a.example", "https");
  append_via(out, fields, Version::http_2, "gate");
  EXPECT_EQ(out,
            "X-Forwarded-For: a, c, d, 192.0.2.1\r\n"
            "Forwarded: for=b, for=192.0.2.1;host=a.example;proto=https\r\n"
            "Via: 1.1 x, 2 gate\r\n");
}

// The obvious filter: every field looked at alone, with lower-case copies and comma splitting.
std::string filtered_slowly(RequestHead const& head, std::vector<std::string> const& withheld) {
  std::vector<std::string> nominated;
  for (auto const& field : head.fields) {
    if (ascii_lower(field.name) != "connection") continue;
    std::string list = ascii_lower(field.value) + ",";
    while (!list.empty()) {
      auto const at = list.find(',');
      nominated.emplace_back(trim(std::string_view(list).substr(0, at)));
      list.erase(0, at + 1);
    }
  }
  std::vector<std::string> const always = {"host",
                                           "content-length",
                                           "transfer-encoding",
                                           "connection",
                                           "keep-alive",
                                           "te",
                                           "trailer",
                                           "upgrade",
                                           "expect",
                                           "proxy-connection",
                                           "proxy-authorization",
                                           "x-forwarded-for",
                                           "x-forwarded-host",
                                           "x-forwarded-proto",
                                           "forwarded",
                                           "client-cert",
                                           "client-cert-chain"};
  std::string out = std::string(head.method) + " " + std::string(head.target) + " HTTP/1.1\r\n";
  for (auto const& field : head.fields) {
    auto const name = ascii_lower(field.name);
    auto const form = canonical_field_name(field.name);
    auto const has = [](std::vector<std::string> const& list, std::string const& what) {
      return std::find(list.begin(), list.end(), what) != list.end();
    };
    if (has(always, form) || has(withheld, form) || form.starts_with("cf-cert-")) continue;
    if (has(nominated, name) && field_name(name) == FieldName::other) continue;
    out += std::string(field.name) + ": " + std::string(field.value) + "\r\n";
  }
  return out;
}

TEST(RequestHead, AgreesWithTheSlowFilter) {
  std::mt19937 random(13);
  char const* const names[] = {"Accept",
                               "Cookie",
                               "X-A",
                               "x-b",
                               "X.B",
                               "Client-Cert",
                               "client.cert",
                               "Cf-Cert-Verified",
                               "Keep-Alive",
                               "TE",
                               "Trailer",
                               "X-Set",
                               "x~set",
                               "X-Gone",
                               "User-Agent",
                               "X-Forwarded-For",
                               "X-Forwarded.Host",
                               "Content-Type",
                               "Proxy-Authorization",
                               "Content+Length",
                               "ETag"};
  char const* const values[] = {"1", "", "a, b", "\xE9", "long enough to matter, really"};
  char const* const lines[] = {": ", ":", ":  ", ":\t"};
  char const* const ends[] = {"\r\n", "\r\n", " \r\n"};
  char const* const options[] = {"close", "X-A", "x-b", "Cookie", "X-Set", "Client-Cert", "TE", ""};
  ForwardingPolicy::Settings settings = quiet_policy().settings();
  settings.set_names = {"X-Set"};
  settings.remove = {"X-Gone"};
  ForwardingPolicy const policy(settings);
  for (int round = 0; round < 5000; ++round) {
    std::string text = "GET /x HTTP/1.1\r\n";
    for (unsigned n = random() % 12; n != 0; --n) {
      if (random() % 10 == 0) {
        text += "Connection: " + std::string(options[random() % 8]) + ", " + options[random() % 8] +
                "\r\n";
      } else {
        text += std::string(names[random() % std::size(names)]) + lines[random() % 4] +
                values[random() % 5] + ends[random() % 3];
      }
    }
    HeadText const head_text(text + "Host: a\r\n\r\n");
    auto head = head_text.request();
    auto const expected = filtered_slowly(head, {"x-set", "x-gone"});
    ASSERT_EQ(forwarded(head, policy), expected) << text;
    head.block = {};  // as http2 gives it
    ASSERT_EQ(forwarded(head, policy), expected) << text;
  }
}

TEST(RequestHead, DoesNotAllocateInAReusedString) {
  HeadText const text("GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\nX-A: b\r\n\r\n");
  auto const head = text.request();
  std::string out;
  ForwardingPolicy const policy;
  auto const framing = *frame_request(head);
  ForwardValues values;
  values.origin_form = "/";
  values.client_ip = "192.0.2.1";
  append_request_head(out, head, framing, policy, values);
  auto const* const data = out.data();
  auto const first = out;
  out.clear();
  append_request_head(out, head, framing, policy, values);
  EXPECT_EQ(out.data(), data);
  EXPECT_EQ(out, first);
}

std::string answered(std::string const& text, ResponseValues const& values = {}) {
  HeadText const head(text + "\r\n");
  std::string out;
  append_response_head(out, head.response(), values);
  return out;
}

TEST(ResponseHead, IsFramedForTheClient) {
  std::string const origin =
      "HTTP/1.1 200 Fine\r\nDate: now\r\nServer: o\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n"
      "Connection: close, x-hop\r\nX-Hop: 1\r\nSet-Cookie: a=b\r\nset-cookie:c=d\r\nX_Y: 1\r\n"
      "Content_Length: 7\r\n";
  ResponseValues values;
  values.body.kind = BodyKind::chunked;
  values.extra = "X-Request-Id: r\r\n";
  std::string const kept =
      "HTTP/1.1 200 Fine\r\nDate: now\r\nServer: o\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\nX_Y: "
      "1\r\n"
      "X-Request-Id: r\r\n";
  EXPECT_EQ(answered(origin, values), kept + "Transfer-Encoding: chunked\r\n\r\n");
  values.body = {BodyKind::length, 12};
  EXPECT_EQ(answered(origin, values), kept + "Content-Length: 12\r\n\r\n");
  values.body = {BodyKind::until_close, 0};
  values.persistence = Persistence::close;
  EXPECT_EQ(answered(origin, values), kept + "Connection: close\r\n\r\n");
  values.client_version = Version::http_1_0;
  values.persistence = Persistence::keep_alive;
  values.body = {};
  values.announced_length = 9;
  EXPECT_EQ(answered(origin, values), kept + "Content-Length: 9\r\nConnection: keep-alive\r\n\r\n");
}

TEST(ResponseHead, SwitchesProtocolsOnlyOnPurpose) {
  std::string const origin =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
      "Sec-WebSocket-Accept: k\r\n";
  ResponseValues values;
  values.upgrade = Upgrade::websocket;
  EXPECT_EQ(answered(origin, values),
            "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: k\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\n\r\n");
}

TEST(ClientFraming, FitsTheClientsVersion) {
  struct {
    BodyKind origin;
    Version client;
    BodyKind expected;
    Persistence persistence;
  } const rows[] = {
      {BodyKind::chunked, Version::http_1_1, BodyKind::chunked, Persistence::keep_alive},
      {BodyKind::chunked, Version::http_1_0, BodyKind::until_close, Persistence::close},
      {BodyKind::until_close, Version::http_1_1, BodyKind::chunked, Persistence::keep_alive},
      {BodyKind::until_close, Version::http_1_0, BodyKind::until_close, Persistence::close},
      {BodyKind::length, Version::http_1_0, BodyKind::length, Persistence::keep_alive},
      {BodyKind::none, Version::http_1_0, BodyKind::none, Persistence::keep_alive},
  };
  for (auto const& row : rows) {
    ResponseFraming origin;
    origin.body.kind = row.origin;
    auto persistence = Persistence::keep_alive;
    EXPECT_EQ(client_framing(origin, row.client, persistence).kind, row.expected);
    EXPECT_EQ(persistence, row.persistence);
  }
}

}  // namespace
}  // namespace certgate::http
