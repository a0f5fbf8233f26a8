// Explanations, tests of rule sets, and replays.
#include "certgate/policy/explain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "certgate/policy/replay.hpp"
#include "certgate/policy/rule_test.hpp"
#include "unit/policy/request_fixture.hpp"

namespace certgate::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Compares with tests/golden/policy/NAME; CERTGATE_UPDATE_GOLDEN=1 writes it instead.
void expect_golden(std::string const& name, std::string const& text) {
  auto const path = std::filesystem::path{CERTGATE_TEST_DIR} / "golden/policy" / name;
  if (std::getenv("CERTGATE_UPDATE_GOLDEN") != nullptr) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream{path, std::ios::binary} << text;
  }
  std::ifstream file{path, std::ios::binary};
  std::string const expected{std::istreambuf_iterator<char>{file}, {}};
  EXPECT_EQ(text, expected) << name;
}

RuleText rule(std::string name, std::string expression, Action action = Action::block) {
  RuleText text;
  text.name = std::move(name);
  text.expression = std::move(expression);
  text.action = action;
  return text;
}

Policy example_policy() {
  auto off = rule("old", "ssl");
  off.enabled = false;
  return make_policy(
      {rule("health check", R"(http.request.uri.path eq "/health")", Action::allow),
       rule("watch curl", R"(http.user_agent contains "curl/")", Action::log), off,
       rule("clients with a valid certificate only",
            "http.host in {\"api.example.com\"} and (not cf.tls_client_auth.cert_verified or "
            "cf.tls_client_auth.cert_revoked)"),
       rule("no admin", R"(starts_with(http.request.uri.path, "/admin"))")});
}

std::unique_ptr<SampleRequest> example_request(char const* url, char const* animal) {
  static auto const asking = zoo_policy();
  SampleText text;
  text.url = url;
  text.headers = {{"User-Agent", "curl/7.88.1"}};
  if (animal != nullptr) text.certificate = chain_of(zoo().animal(animal));
  return make_request(text, &asking);
}

TEST(Explain, a_blocked_request) {
  Scratch scratch;
  auto const policy = example_policy();
  auto const request = example_request("https://api.example.com/v1", nullptr);
  auto const explanation = explain(policy, *request, scratch);
  EXPECT_EQ(explanation.status, 403);
  expect_golden("explain_blocked.txt", format_text(explanation));
  expect_golden("explain_blocked.json", format_json(explanation));
}

TEST(Explain, an_allowed_request) {
  Scratch scratch;
  auto const policy = example_policy();
  auto const request = example_request("https://api.example.com/v1", "direct");
  auto explanation = explain(policy, *request, scratch);
  EXPECT_EQ(explanation.status, 0);
  explanation.certificate = "SUCCESS";  // serial numbers are fresh every time
  expect_golden("explain_allowed.txt", format_text(explanation));
}

TEST(Explain, decides_as_decide_does) {
  auto const policy = example_policy();
  Scratch scratch;
  for (auto const* animal : {"direct", "wrong_ca", "self_signed"}) {
    for (auto const* url : {"https://api.example.com/v1", "https://api.example.com/health",
                            "https://other.example/admin"}) {
      auto const request = example_request(url, animal);
      auto const decision = decide(policy, request->facts(), scratch);
      auto const explained = explain(policy, request->facts(), scratch).decision;
      EXPECT_EQ(explained.action, decision.action);
      EXPECT_EQ(explained.rule, decision.rule);
    }
  }
}

TEST(Explain, each_rule_has_its_role) {
  Scratch scratch;
  auto const policy = example_policy();
  auto const request = example_request("https://api.example.com/admin", nullptr);
  std::vector<RuleRole> roles;
  for (auto const& explained : explain(policy, request->facts(), scratch).rules) {
    roles.push_back(explained.role);
  }
  EXPECT_THAT(roles, ElementsAre(RuleRole::not_matched, RuleRole::logged, RuleRole::disabled,
                                 RuleRole::decided, RuleRole::not_reached));
}

TEST(Explain, each_change_is_enough_by_itself) {
  Scratch scratch;
  auto const policy = example_policy();
  auto const request = example_request("https://api.example.com/v1", nullptr);
  auto const changes = explain(policy, request->facts(), scratch).changes;
  std::vector<std::string> conditions;
  for (auto const& change : changes) {
    conditions.push_back(change.condition);
    EXPECT_EQ(change.action, Action::allow);
  }
  EXPECT_THAT(conditions, ElementsAre(R"(http.request.uri.path eq "/health")",
                                      R"(http.host in {"api.example.com"})",
                                      "cf.tls_client_auth.cert_verified"));
}

TEST(Explain, what_is_refused_before_the_rules_is_said) {
  Scratch scratch;
  auto const ambiguous = make_request("https://a.example/x/..%2Fadmin");
  auto explanation = explain(example_policy(), *ambiguous, scratch);
  EXPECT_EQ(explanation.status, 400);
  EXPECT_THAT(format_text(explanation), HasSubstr("refused with 400"));
  EXPECT_THAT(format_json(explanation), HasSubstr("\"refused\":"));
  auto const strict = zoo_policy(x509::ClientAuthMode::require);
  auto const nobody = make_client_request("https://a.example/", nullptr, &strict);
  EXPECT_THAT(format_text(explain(example_policy(), *nobody, scratch)),
              HasSubstr("the handshake fails"));
}

TEST(SampleRequests, mistakes_of_the_writer_are_errors) {
  struct Case {
    char const* url;
    std::vector<std::pair<std::string, std::string>> fields;
    char const* error;
  };
  for (auto const& c :
       {Case{"http://a.example/", {}, "https://"}, Case{"https:///x", {}, "no host"},
        Case{"https://a.example/", {{"http.hots", "x"}}, "no field"},
        Case{"https://a.example/", {{"cf.tls_client_auth.cert_verified", "yes"}}, "true or false"},
        Case{"https://a.example/", {{"cf.edge.server_port", "x"}}, "a number"},
        Case{"https://a.example/", {{"ip.src", "x"}}, "an IP address"},
        Case{"https://a.example/", {{"http.request.headers", "x"}}, "cannot be set"}}) {
    SampleText text;
    text.url = c.url;
    text.fields = c.fields;
    auto const built =
        SampleRequest::build(text, nullptr, http::Normalisation::rfc3986, fixture_now);
    ASSERT_FALSE(built) << c.url;
    EXPECT_THAT(built.error().detail, HasSubstr(c.error));
  }
  EXPECT_EQ(parse_sample_host("https://API.example.com.:8443/x").value(), "api.example.com");
}

RuleTestResult run(RuleTest const& test, SampleText text) {
  Scratch scratch;
  return run_rule_test(example_policy(), test, *make_request(std::move(text)), scratch);
}

TEST(RuleTests, pass_and_fail) {
  SampleText text;
  text.url = "https://api.example.com/v1";
  text.headers = {{"User-Agent", "curl/1"}};
  EXPECT_TRUE(run({"t", Action::block, ""}, text).passed);
  EXPECT_TRUE(run({"t", Action::block, "clients with a valid certificate only"}, text).passed);
  EXPECT_TRUE(run({"t", Action::log, "watch curl"}, text).passed);
  EXPECT_TRUE(run({"t", Action::log, ""}, text).passed);
  EXPECT_FALSE(run({"t", Action::log, "old"}, text).passed);
  EXPECT_FALSE(run({"t", Action::block, "no admin"}, text).passed);
  auto const wrong = run({"t", Action::allow, ""}, text);
  EXPECT_EQ(wrong.problem,
            "expected allow, but it is blocked by rule `clients with a valid certificate only`");
  EXPECT_THAT(format_results({wrong}), HasSubstr("1 test, 1 failed"));
  text.fields = {{"cf.tls_client_auth.cert_verified", "true"}};
  EXPECT_TRUE(run({"t", Action::allow, "default_action"}, text).passed);
  EXPECT_FALSE(run({"t", Action::allow, "health check"}, text).passed);
  text.url = "https://api.example.com/health";
  EXPECT_TRUE(run({"t", Action::allow, "health check"}, text).passed);
}

struct ReplayCase {
  char const* name;
  char const* expression;
  char const* expected;  // "block", "allow", or the missing fields
};
void PrintTo(ReplayCase const& c, std::ostream* out) { *out << c.name; }

class Replay : public ::testing::TestWithParam<ReplayCase> {};

TEST_P(Replay, of_one_rule) {
  auto const policy = make_policy({rule("r", GetParam().expression)});
  LoggedRequest logged;
  ASSERT_TRUE(logged.set(Field::host, "api.example.com"));
  ASSERT_TRUE(logged.set(Field::ip_src, "192.0.2.7"));
  ASSERT_FALSE(logged.set(Field::edge_server_ip, "here"));
  logged.set_path_and_query("/v1/x.txt", "a=1&b=2");
  logged.set_verdict(true, true, false);
  ASSERT_TRUE(logged.set(Field::cert_serial, "0A"));
  Replayer replayer{policy};
  auto const decision = replayer.replay(logged).live;
  std::string actual{name_of(decision.action())};
  if (!decision.certain()) {
    actual.clear();
    for (auto const id : decision.missing) actual += std::string{field_table()[id].name} + " ";
  }
  EXPECT_EQ(actual, GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Replay,
    ::testing::Values(
        ReplayCase{"known_and_true",
                   R"(http.host eq "api.example.com" and cf.tls_client_auth.cert_verified)",
                   "block"},
        ReplayCase{"known_and_false", "not cf.tls_client_auth.cert_verified", "allow"},
        ReplayCase{"serial", R"(cf.tls_client_auth.cert_serial eq "0A")", "block"},
        ReplayCase{"address", "ip.src in {192.0.2.0/24}", "block"},
        ReplayCase{"derived_from_path", R"(http.request.uri.path.extension eq "txt")", "block"},
        ReplayCase{"derived_from_query", R"(any(http.request.uri.args["b"][*] eq "2"))", "block"},
        ReplayCase{"derived_from_host_and_uri",
                   R"(http.request.full_uri eq "https://api.example.com/v1/x.txt?a=1&b=2")",
                   "block"},
        ReplayCase{"fixed", R"(ip.src.country eq "")", "block"},
        ReplayCase{"header_is_not_logged", R"(any(http.request.headers["x-a"][*] eq "1"))",
                   "http.request.headers "},
        ReplayCase{"unknown_but_settled_by_the_rest",
                   R"(http.host eq "b.example" and any(http.request.headers["x-a"][*] eq "1"))",
                   "allow"},
        ReplayCase{"unknown_or_true", R"(http.referer eq "x" or cf.tls_client_auth.cert_verified)",
                   "block"},
        ReplayCase{"unknown_exclusive_or",
                   R"(http.referer eq "x" xor cf.tls_client_auth.cert_verified)", "http.referer "},
        ReplayCase{"unlogged_certificate_field", R"(cf.tls_client_auth.cert_ski eq "AA")",
                   "cf.tls_client_auth.cert_ski "}),
    [](auto const& c) { return std::string{c.param.name}; });

TEST(ReplayedRequests, without_a_certificate_every_field_of_it_is_known) {
  auto const policy = make_policy({rule("r", R"(cf.tls_client_auth.cert_ski ne "AA")")});
  LoggedRequest logged;
  logged.set_verdict(false, false, false);
  Replayer replayer{policy};
  EXPECT_TRUE(replayer.replay(logged).live.certain());
  EXPECT_EQ(replayer.replay(logged).live.rule, "r");
}

TEST(ReplayedRequests, an_unknown_rule_of_the_same_action_leaves_the_answer_certain) {
  auto const policy = make_policy({rule("maybe", R"(http.referer eq "x")"), rule("surely", "ssl")});
  Replayer replayer{policy};
  LoggedRequest const logged;
  auto const decision = replayer.replay(logged).live;
  EXPECT_TRUE(decision.certain());
  EXPECT_EQ(decision.action(), Action::block);
  EXPECT_EQ(decision.rule, "");
}

TEST(ReplayedRequests, log_rules_are_recorded_surely_or_perhaps_or_not) {
  auto const policy =
      make_policy({rule("yes", "ssl", Action::log), rule("no", "not ssl", Action::log),
                   rule("unknown", R"(http.referer eq "x")", Action::log),
                   rule("perhaps ends here", R"(http.cookie eq "x")", Action::allow),
                   rule("after it", "ssl", Action::log), rule("ends here", "ssl", Action::allow),
                   rule("not reached", "ssl", Action::log)});
  Replayer replayer{policy};
  LoggedRequest const logged;
  auto const replayed = replayer.replay(logged);
  EXPECT_THAT(replayed.live.logged, ::testing::ElementsAre("yes"));
  EXPECT_THAT(replayed.live.may_log, ::testing::ElementsAre("unknown", "after it"));
  // What a log rule hangs on is not what the decision hangs on.
  EXPECT_TRUE(replayed.live.certain());
  EXPECT_TRUE(replayed.live.missing.empty());
  EXPECT_FALSE(replayed.shadow);
}

TEST(ReplayedRequests, shadow_rules_are_judged_beside_the_live_ones) {
  PolicyText text;
  text.live.rules.push_back(rule("live", R"(http.host eq "a.example")"));
  text.shadow.emplace();
  text.shadow->rules.push_back(rule("shadow", R"(http.host eq "b.example")"));
  text.shadow->rules.push_back(rule("by header", R"(http.referer eq "x")"));
  text.shadow->default_action = Action::allow;
  auto const policy = Policy::build(std::move(text)).value();
  Replayer replayer{policy};
  LoggedRequest logged;
  ASSERT_TRUE(logged.set(Field::host, "b.example"));
  auto replayed = replayer.replay(logged);
  EXPECT_EQ(replayed.live.action(), Action::allow);
  ASSERT_TRUE(replayed.shadow);
  EXPECT_EQ(replayed.shadow->action(), Action::block);
  EXPECT_EQ(replayed.shadow->rule, "shadow");
  logged.clear();
  ASSERT_TRUE(logged.set(Field::host, "a.example"));
  replayed = replayer.replay(logged);
  EXPECT_EQ(replayed.live.rule, "live");
  EXPECT_FALSE(replayed.shadow->certain());
  EXPECT_THAT(replayed.shadow->missing, ::testing::ElementsAre(id_of(Field::referer)));
}

}  // namespace
}  // namespace certgate::policy
