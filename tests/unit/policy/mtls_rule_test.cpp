// The mTLS form as an expression.
#include "certgate/policy/mtls_rule.hpp"

#include <gtest/gtest.h>

#include "unit/policy/request_fixture.hpp"

namespace certgate::policy {
namespace {

constexpr char const* refused =
    "(not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked)";

struct Case {
  char const* name;
  MtlsForm form;
  std::string expression;  // empty: refused
};
void PrintTo(Case const& c, std::ostream* out) { *out << c.name; }

class Preview : public ::testing::TestWithParam<Case> {};

TEST_P(Preview, is) {
  auto const formatted = format_mtls_expression(GetParam().form);
  if (GetParam().expression.empty()) {
    EXPECT_FALSE(formatted) << *formatted;
    return;
  }
  ASSERT_TRUE(formatted) << formatted.error().detail;
  EXPECT_EQ(*formatted, GetParam().expression);
  EXPECT_TRUE(rules::compile(make_scheme(), *formatted));
}

INSTANTIATE_TEST_SUITE_P(
    Form, Preview,
    ::testing::Values(
        Case{"one_host",
             {{"api.example.com"}},
             std::string{"http.host in {\"api.example.com\"} and "} + refused},
        Case{"several_hosts_in_one_spelling",
             {{"API.example.com.", "b.example.com"}},
             std::string{"http.host in {\"api.example.com\" \"b.example.com\"} and "} + refused},
        Case{"a_wildcard_covers_every_name_below",
             {{"*.example.com"}},
             std::string{"http.host wildcard \"*.example.com\" and "} + refused},
        Case{"wildcard_and_exact",
             {{"*.example.com", "example.com"}},
             std::string{
                 "(http.host in {\"example.com\"} or http.host wildcard \"*.example.com\") and "} +
                 refused},
        Case{"every_host", {{"*"}}, refused},
        Case{"revoked_allowed",
             {{"a.example"}, {}, false},
             "http.host in {\"a.example\"} and not cf.tls_client_auth.cert_verified"},
        Case{"a_path_covers_what_is_below",
             {{"a.example"}, {"/v1"}},
             std::string{"http.host in {\"a.example\"} and (http.request.uri.path in {\"/v1\"} or "
                         "starts_with(http.request.uri.path, \"/v1/\")) and "} +
                 refused},
        Case{"a_trailing_slash_means_the_same",
             {{"a.example"}, {"/v1/", "/v1"}},
             std::string{"http.host in {\"a.example\"} and (http.request.uri.path in {\"/v1\"} or "
                         "starts_with(http.request.uri.path, \"/v1/\")) and "} +
                 refused},
        Case{
            "paths_are_normalised",
            {{"a.example"}, {"/%76%31/./x"}},
            std::string{"http.host in {\"a.example\"} and (http.request.uri.path in {\"/v1/x\"} or "
                        "starts_with(http.request.uri.path, \"/v1/x/\")) and "} +
                refused},
        Case{"the_root_is_every_path",
             {{"a.example"}, {"/v1", "/"}},
             std::string{"http.host in {\"a.example\"} and "} + refused},
        Case{"no_host_is_refused", {}, ""}, Case{"malformed_host_is_refused", {{"a b"}}, ""},
        Case{"path_without_slash_is_refused", {{"a.example"}, {"v1"}}, ""},
        Case{"query_in_path_is_refused", {{"a.example"}, {"/v1?x"}}, ""},
        Case{"ambiguous_path_is_refused", {{"a.example"}, {"/a/..%2Fb"}}, ""}),
    [](auto const& c) { return std::string{c.param.name}; });

TEST(MtlsForm, paths_match_on_a_segment_boundary) {
  auto const expression = format_mtls_expression({{"a.example"}, {"/v1"}}).value();
  auto const policy = make_policy({{.name = "devices", .expression = expression}});
  Scratch scratch;
  auto const action = [&](char const* url) {
    return decide(policy, make_request(url)->facts(), scratch).action;
  };
  EXPECT_EQ(action("https://a.example/v1"), Action::block);
  EXPECT_EQ(action("https://a.example/v1/x?y"), Action::block);
  EXPECT_EQ(action("https://a.example/x/../v1/"), Action::block);
  EXPECT_EQ(action("https://A.EXAMPLE./%761"), Action::block);
  EXPECT_EQ(action("https://a.example/v10"), Action::allow);
  EXPECT_EQ(action("https://b.example/v1"), Action::allow);
}

}  // namespace
}  // namespace certgate::policy
