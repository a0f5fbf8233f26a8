// The examples of docs/language.md are true.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "documented_scheme.hpp"
#include "sample.hpp"

namespace certgate::rules {
namespace {

std::map<std::string, std::vector<std::string>> fenced_blocks() {
  std::ifstream file(std::filesystem::path(CERTGATE_SOURCE_DIR) / "docs/language.md");
  std::map<std::string, std::vector<std::string>> lines_by_mark;
  std::string mark;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("```")) {
      inside = !inside;
      mark = line.substr(3);
    } else if (inside) {
      lines_by_mark[mark].push_back(line);
    }
  }
  return lines_by_mark;
}

ValueView text(std::string_view value) { return ValueView::bytes(value); }

TEST(LanguageDoc, examples_give_what_they_say) {
  auto scheme = test::documented_scheme();
  scheme.add_list("office", parse_list(ListKind::ip, "192.0.2.0/24\n").value());
  std::vector<ValueView> values(scheme.field_count());
  auto const set = [&](std::string_view name, ValueView value) {
    values[*scheme.find_field(name)] = value;
  };
  ValueView const accept[] = {text("text/html"), text("*/*")};
  ValueView const data[] = {text("YWJj")};
  ValueView const names[] = {text("Accept"), text("Accept"), text("X-Data")};
  MapEntry const headers[] = {{"accept", ValueView::array(accept)},
                              {"x-data", ValueView::array(data)}};
  set("ssl", ValueView::boolean(true));
  set("cf.tls_client_auth.cert_verified", ValueView::boolean(true));
  set("cf.tls_client_auth.cert_revoked", ValueView::boolean(false));
  set("cf.tls_client_auth.cert_serial", text("0AFF12"));
  set("http.host", text("api.example.com"));
  set("http.request.method", text("GET"));
  set("http.request.uri.path", text("/v1/Users/42"));
  set("http.request.uri.query", text("a=1&b=2&a=3"));
  set("http.user_agent", text("curl/8.5.0"));
  set("http.request.headers", ValueView::map(headers));
  set("http.request.headers.names", ValueView::array(names));
  set("http.request.body.raw", text(R"({"user": {"name": "Ann", "age": 31}, "tags": ["a", "b"]})"));
  set("http.request.timestamp.sec", ValueView::integer(1700000000));
  set("ip.src", ValueView::ip(*IpAddress::parse("192.0.2.7")));
  set("cf.edge.server_port", ValueView::integer(443));
  set("cf.threat_score", ValueView::integer(5));
  set("cf.random_seed", text("0123456789abcdef"));

  auto blocks = fenced_blocks();
  ASSERT_FALSE(blocks["request"].empty());
  for (auto const& line : blocks["request"]) {
    auto const sign = line.find(" = ");
    auto const id = scheme.find_field(line.substr(0, sign));
    ASSERT_TRUE(id) << line;
    EXPECT_EQ(format_value(values[*id]), line.substr(sign + 3));
  }
  Scratch scratch;
  std::string const arrow = " \u2192 ";
  std::vector<std::string> shown;
  for (auto const& line : blocks["rules"]) {
    auto const at = line.find(arrow);
    ASSERT_NE(at, std::string::npos) << line;
    auto const expression = line.substr(0, at);
    auto const wanted = line.substr(at + arrow.size());
    shown.push_back(expression);
    auto const value = compile_value(scheme, expression);
    auto const rule = compile(scheme, expression);
    ASSERT_TRUE(value || rule) << line << "\n" << rule.error()[0].message;
    if (rule) {
      bool const matches = evaluate(rule->program, values, scratch) == Outcome::match;
      EXPECT_EQ(matches ? "true" : "false", wanted) << line;
    } else {
      EXPECT_EQ(format_value(evaluate_value(value->program, values, scratch).value), wanted)
          << line;
    }
  }
  EXPECT_GE(shown.size(), 80u);
  for (auto const& function : standard_functions()) {
    bool const has_example = std::any_of(shown.begin(), shown.end(), [&](std::string const& each) {
      return each.find(function.name + "(") != std::string::npos;
    });
    EXPECT_TRUE(has_example) << function.name;
  }
}

}  // namespace
}  // namespace certgate::rules
