// Warnings: each mistake is found, and what is right is left alone.
#include "certgate/policy/lint.hpp"

#include <gtest/gtest.h>

#include "unit/policy/request_fixture.hpp"

namespace certgate::policy {
namespace {

struct TestRule {
  char const* expression;
  Action action = Action::block;
};

struct Case {
  char const* name;
  std::vector<TestRule> rules;
  std::vector<std::string> warnings;  // "rule column: a part of the message"
};
void PrintTo(Case const& c, std::ostream* out) { *out << c.name; }

LintContext context() {
  LintContext given;
  given.mode_of_host = [](std::string_view host) -> std::optional<x509::ClientAuthMode> {
    if (host == "off.example") return x509::ClientAuthMode::off;
    if (host.ends_with(".example")) return x509::ClientAuthMode::request;
    return std::nullopt;
  };
  return given;
}

class Warnings : public ::testing::TestWithParam<Case> {};

TEST_P(Warnings, are) {
  PolicyText text;
  for (std::size_t i = 0; i < GetParam().rules.size(); ++i) {
    RuleText rule;
    rule.name = "r" + std::to_string(i + 1);
    rule.expression = GetParam().rules[i].expression;
    rule.action = GetParam().rules[i].action;
    text.live.rules.push_back(std::move(rule));
  }
  text.lists = {{.name = "empty", .kind = rules::ListKind::ip},
                {.name = "serials",
                 .kind = rules::ListKind::bytes,
                 .entries = {"0A", "0a", "A1B", "00FF", "0A:1B", "FF"}}};
  auto const found = lint(make_policy(std::move(text)), context());
  auto const shown = render(found);
  ASSERT_EQ(found.size(), GetParam().warnings.size()) << shown;
  std::size_t i = 0;
  for (auto const& warning : found) {
    EXPECT_EQ(warning.severity, Severity::warning);
    EXPECT_FALSE(warning.hint.empty()) << shown;
    auto const& expected = GetParam().warnings[i++];
    auto const place = warning.place.file + " " + std::to_string(warning.place.column) + ": ";
    EXPECT_EQ(expected.rfind(place, 0), 0u) << expected << "\n" << shown;
    EXPECT_NE(warning.message.find(expected.substr(std::min(place.size(), expected.size()))),
              std::string::npos)
        << expected << "\n"
        << shown;
  }
}

constexpr auto allow = Action::allow;
constexpr auto log = Action::log;

INSTANTIATE_TEST_SUITE_P(
    Table, Warnings,
    ::testing::Values(
        Case{
            "careful_rule",
            {{R"(http.host eq "a.example" and (not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked))"}},
            {}},
        Case{"never_matches",
             {{R"(http.host eq "a.example" and http.host eq "b.example")"}},
             {"r1 1: can never match"}},
        Case{"shadowed_by_the_same_host",
             {{R"(http.host eq "a.example")"}, {R"(http.host eq "a.example" and ssl)", allow}},
             {"r2 1: `r1` matches everything"}},
        Case{"shadowed_on_the_one_host_that_is_left",
             {{R"(http.host eq "b.example")"},
              {R"(http.host in {"a.example" "b.example"} and http.host ne "a.example")", allow}},
             {"r2 1: `r1` matches everything"}},
        Case{"shadowed_by_a_rule_for_every_host",
             {{R"(http.request.uri.path eq "/x")"},
              {R"(http.host eq "a.example" and http.request.uri.path eq "/x")"}},
             {"r2 1: `r1`"}},
        Case{"log_rules_shadow_nothing",
             {{"http.request.uri.path eq \"/x\"", log}, {"http.request.uri.path eq \"/x\""}},
             {}},
        Case{"log_rules_can_be_shadowed",
             {{"http.request.uri.path eq \"/x\""}, {"http.request.uri.path eq \"/x\"", log}},
             {"r2 1: `r1`"}},
        Case{"narrower_first_is_fine",
             {{R"(http.host eq "a.example" and http.request.uri.path eq "/x")"},
              {R"(http.host eq "a.example")", allow}},
             {}},
        Case{"revoked_forgotten_in_block",
             {{R"(http.host eq "a.example" and not cf.tls_client_auth.cert_verified)"}},
             {"r1 34: stays true for a revoked"}},
        Case{"revoked_blocked_by_another_rule",
             {{R"(http.host eq "a.example" and not cf.tls_client_auth.cert_verified)"},
              {"cf.tls_client_auth.cert_revoked"}},
             {}},
        Case{
            "revoked_forgotten_beside_a_pin",
            {{R"(not (cf.tls_client_auth.cert_verified and cf.tls_client_auth.cert_issuer_ski eq "AB"))"}},
            {"r1 6: stays true for a revoked"}},
        Case{
            "revoked_handled_beside_a_pin",
            {{R"(not (cf.tls_client_auth.cert_verified and cf.tls_client_auth.cert_issuer_ski eq "AB"))"},
             {"cf.tls_client_auth.cert_revoked"}},
            {}},
        Case{"revoked_forgotten_in_allow",
             {{"cf.tls_client_auth.cert_verified", allow}},
             {"r1 1: lets revoked clients in"}},
        Case{"revoked_tested_in_allow",
             {{"cf.tls_client_auth.cert_verified and not cf.tls_client_auth.cert_revoked", allow}},
             {}},
        Case{"unverified_name_in_allow",
             {{R"(cf.tls_client_auth.cert_subject_dn eq "CN=a")", allow}},
             {"r1 1: can claim any name"}},
        Case{
            "verified_name_in_allow",
            {{R"(cf.tls_client_auth.cert_subject_dn eq "CN=a" and cf.tls_client_auth.cert_verified and not cf.tls_client_auth.cert_revoked)",
              allow}},
            {}},
        Case{"unverified_name_excepted_from_block",
             {{R"(http.host eq "a.example" and cf.tls_client_auth.cert_serial ne "0A")"}},
             {"r1 30: can claim any name"}},
        Case{
            "unverified_name_blocked_elsewhere",
            {{R"(http.host eq "a.example" and cf.tls_client_auth.cert_serial ne "0A")"},
             {R"(http.host eq "a.example" and (not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked))"}},
            {}},
        Case{"a_deny_list_needs_no_verification",
             {{R"(cf.tls_client_auth.cert_serial in {"0A" "0B"})"}},
             {}},
        Case{"hex_in_the_wrong_case", {{R"(cf.tls_client_auth.cert_serial eq "0a")"}}, {"r1 35: ", "r1 1: can never match"}},
        Case{"part_of_a_name",
             {{R"(cf.tls_client_auth.cert_subject_dn contains "CN=a")"}},
             {"r1 1: can stand anywhere"}},
        Case{"unanchored_name",
             {{R"(cf.tls_client_auth.cert_issuer_dn matches "CN=a")"}},
             {"r1 1: can stand anywhere"}},
        Case{"anchored_name", {{R"(cf.tls_client_auth.cert_issuer_dn matches "^CN=a,O=b$")"}}, {}},
        Case{
            "sha1",
            {{R"(cf.tls_client_auth.cert_fingerprint_sha1 eq "933ad5282c560ae3f482a43ecd73bc9de878a190")"}},
            {"r1 1: SHA-1", "r1 1: can give an ECDSA-signed certificate another one"}},
        Case{
            "no_certificates_asked_for",
            {{R"(http.host eq "off.example" and (not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked))"}},
            {"r1 1: not asked for on `off.example`"}},
        Case{"unknown_host", {{R"(http.host eq "api.nowhere.test")"}}, {"r1 1: no entry of hosts"}},
        Case{"host_with_a_star",
             {{R"(http.host in {"a.example" "*.example"})"}},
             {"r1 27: a `*` is only a star here"}},
        Case{"host_with_a_port",
             {{R"(http.host ne "a.example:8443")"}},
             {"r1 14: http.host has no port"}},
        Case{"host_with_a_dot", {{R"(http.host ne "a.example.")"}}, {"r1 14: no dot at its end"}},
        Case{"host_with_a_scheme",
             {{R"(http.host ne "https://a.example")"}},
             {"r1 14: without scheme and path"}},
        Case{"hosts_that_are_right", {{R"(http.host in {"a.example" "[2001:db8::1]"} and http.host ne "")"}}, {"r1 1: no entry"}},
        Case{"serial_with_an_odd_number_of_digits",
             {{R"(cf.tls_client_auth.cert_serial in {"0A" "A1B"})"}},
             {"r1 41: even number of digits"}},
        Case{"serial_with_a_leading_zero_byte",
             {{R"(cf.tls_client_auth.cert_serial eq "00FFEE")"}},
             {"r1 35: no leading 00"}},
        Case{"serial_that_is_no_number",
             {{R"(cf.tls_client_auth.cert_serial eq "0AXY")"}},
             {"r1 35: is hexadecimal"}},
        Case{"serials_that_are_right", {{R"(cf.tls_client_auth.cert_serial in {"00" "0A1B" ""})"}}, {}},
        Case{"fingerprint_of_the_other_kind",
             {{R"(cf.tls_client_auth.cert_fingerprint_sha256 eq "933ad5282c560ae3f482a43ecd73bc9de878a190")"}},
             {"r1 47: the value is 64 hexadecimal digits",
              "r1 1: can give an ECDSA-signed certificate another one"}},
        Case{"kept_out_by_a_fingerprint",
             {{R"(ssl and cf.tls_client_auth.cert_fingerprint_sha256 in {"5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"})"}},
             {"r1 9: can give an ECDSA-signed certificate another one"}},
        Case{"let_in_unless_it_has_a_fingerprint",
             {{R"(cf.tls_client_auth.cert_verified and not cf.tls_client_auth.cert_revoked and not cf.tls_client_auth.cert_fingerprint_sha256 eq "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e")",
               allow}},
             {"r1 82: can give an ECDSA-signed certificate another one"}},
        Case{"let_in_by_a_fingerprint",
             {{R"(cf.tls_client_auth.cert_revoked or not (cf.tls_client_auth.cert_verified and cf.tls_client_auth.cert_fingerprint_sha256 eq "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"))"},
              {R"(cf.tls_client_auth.cert_verified and not cf.tls_client_auth.cert_revoked and cf.tls_client_auth.cert_fingerprint_sha256 eq "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e")",
               allow}},
             {}},
        Case{"path_without_its_slash",
             {{R"(http.request.uri.path in {"/v1" "v2"})"}},
             {"r1 33: a path begins with"}},
        Case{"path_with_a_query",
             {{R"(http.request.uri.path eq "/v1?a=1")"}},
             {"r1 26: ends before"}},
        Case{"path_with_dot_segments",
             {{R"(http.request.uri.path eq "/a/../b")"}},
             {"r1 26: without dot segments"}},
        Case{"raw_path_with_dot_segments", {{R"(raw.http.request.uri.path eq "/a/../b")"}}, {}},
        Case{"path_of_a_server_wide_request", {{R"(http.request.uri.path eq "*")"}}, {}},
        Case{"query_of_two_marks", {{R"(http.request.uri.query eq "?a=1")"}}, {}},
        Case{"extension_with_its_dot",
             {{R"(http.request.uri.path.extension in {"php" ".exe"})"}},
             {"r1 43: without its dot"}},
        Case{"version_that_is_not_spoken",
             {{R"(not http.request.version in {"HTTP/1.1" "HTTP/2"})"}},
             {"r1 41: certgate speaks HTTP/1"}},
        Case{"tls_version_misspelt",
             {{R"(cf.tls_version ne "TLS1.3")"}},
             {"r1 19: certgate speaks TLS 1.2 and 1.3"}},
        Case{"dates_in_order",
             {{R"(cf.tls_client_auth.cert_not_after lt "2027")"}},
             {"r1 1: dates are compared as text"}},
        Case{"list_with_entries_that_are_never_met",
             {{"cf.tls_client_auth.cert_serial in $serials"}},
             {"r1 35: 4 entries of the list can never be `cf.tls_client_auth.cert_serial`, such as "
              "\"00FF\": a serial number has no leading 00"}},
        Case{"list_that_is_right_for_another_field", {{"http.user_agent in $serials"}}, {}},
        Case{"fixed_field", {{R"(ip.src.country eq "XX")"}}, {"r1 1: is always \"\" here"}},
        Case{"empty_list", {{"ip.src in $empty"}}, {"r1 11: is empty and never matches"}}),
    [](auto const& c) { return std::string{c.param.name}; });

TEST(Lint, a_rule_about_certificates_where_no_host_asks) {
  RuleText rule{.name = "r", .expression = "cf.tls_client_auth.cert_revoked"};
  LintContext nowhere;
  nowhere.any_host_asks = false;
  auto const found = lint(make_policy({rule}), nowhere);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found.begin()->message.find("no host asks"), std::string::npos);
}

TEST(Lint, headers_with_unverified_names) {
  auto const values = HeaderValues::build({{"X-Client-DN", "cf.tls_client_auth.cert_subject_dn"},
                                           {"X-Host", "http.host"}})
                          .value();
  LintContext with_headers;
  with_headers.header_values = &values;
  EXPECT_EQ(lint(Policy{}, with_headers).size(), 1u);
  RuleText rule{
      .name = "r",
      .expression = "not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked"};
  EXPECT_TRUE(lint(make_policy({rule}), with_headers).empty());
}

TEST(Lint, ten_thousand_rules_on_distinct_hosts_are_not_compared_with_each_other) {
  std::vector<RuleText> rules;
  for (int i = 0; i < 10'000; ++i) {
    RuleText rule;
    rule.name = std::to_string(i);
    rule.expression = "http.host eq \"h" + std::to_string(i) + ".example\"";
    rules.push_back(std::move(rule));
  }
  rules.push_back(rules[77]);
  auto const found = lint(make_policy(std::move(rules)), {});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found.begin()->message.find("`77`"), std::string::npos);
}

}  // namespace
}  // namespace certgate::policy
