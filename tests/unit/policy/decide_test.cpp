// Decisions: order, actions, certificates of every kind, failure, memory.
#include "certgate/policy/decide.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <random>

#include "unit/policy/request_fixture.hpp"

namespace {
// Counts what this thread takes from the heap while `counting` is set.
thread_local bool counting = false;
thread_local std::size_t allocations = 0;
void* allocate(std::size_t size) {
  if (counting) ++allocations;
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc{};
  return memory;
}
}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
// std::stable_sort asks this way for its buffer and gives it back the usual way.
void* operator new(std::size_t size, std::nothrow_t const&) noexcept {
  if (counting) ++allocations;
  return std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace certgate::policy {
namespace {

RuleText rule(std::string name, std::string expression, Action action = Action::block) {
  RuleText text;
  text.name = std::move(name);
  text.expression = std::move(expression);
  text.action = action;
  return text;
}

Decision decide_url(Policy const& policy, std::string const& url) {
  static Scratch scratch;
  auto const request = make_request(url);
  return decide(policy, request->facts(), scratch);
}

TEST(Decide, the_first_terminating_rule_that_matches_decides) {
  auto const policy =
      make_policy({rule("health", R"(http.request.uri.path eq "/health")", Action::allow),
                   rule("a", R"(http.host eq "a.example")"),
                   rule("all of a", R"(starts_with(http.host, "a."))", Action::allow)});
  auto decision = decide_url(policy, "https://a.example/health");
  EXPECT_EQ(decision.action, Action::allow);
  EXPECT_EQ(decision.rule_name, "health");
  decision = decide_url(policy, "https://a.example/");
  EXPECT_EQ(decision.action, Action::block);
  EXPECT_EQ(decision.rule, 1u);
  EXPECT_EQ(decision.by, DecidedBy::rule);
  decision = decide_url(policy, "https://b.example/");
  EXPECT_EQ(decision.action, Action::allow);
  EXPECT_EQ(decision.by, DecidedBy::default_action);
  EXPECT_EQ(decision.rule, no_rule);
}

TEST(Decide, the_default_action_can_be_block) {
  auto const policy =
      make_policy({rule("a", R"(http.host eq "a.example")", Action::allow)}, Action::block);
  EXPECT_EQ(decide_url(policy, "https://a.example/").action, Action::allow);
  EXPECT_EQ(decide_url(policy, "https://b.example/").action, Action::block);
}

TEST(Decide, a_policy_without_rules_allows) {
  EXPECT_EQ(decide_url(Policy{}, "https://a.example/").action, Action::allow);
}

TEST(Decide, log_rules_are_remembered_until_something_decides) {
  auto const policy = make_policy(
      {rule("one", "ssl", Action::log), rule("two", "not ssl", Action::log),
       rule("three", "ssl", Action::log), rule("stop", "ssl"), rule("four", "ssl", Action::log)});
  auto const decision = decide_url(policy, "https://a.example/");
  EXPECT_EQ(decision.rule_name, "stop");
  ASSERT_EQ(decision.logged().size(), 2u);
  EXPECT_EQ(decision.logged()[0], 0u);
  EXPECT_EQ(decision.logged()[1], 2u);
  EXPECT_FALSE(decision.more_logged);
}

TEST(Decide, more_log_rules_than_fit_are_said_to_be_more) {
  for (std::size_t const count : {max_logged_rules, max_logged_rules + 1}) {
    std::vector<RuleText> rules;
    for (std::size_t i = 0; i < count; ++i)
      rules.push_back(rule("l" + std::to_string(i), "ssl", Action::log));
    auto const decision = decide_url(make_policy(std::move(rules)), "https://a.example/");
    EXPECT_EQ(decision.logged().size(), max_logged_rules);
    EXPECT_EQ(decision.more_logged, count > max_logged_rules);
  }
}

TEST(Decide, a_disabled_rule_does_nothing) {
  auto off = rule("off", "ssl");
  off.enabled = false;
  EXPECT_EQ(decide_url(make_policy({off}), "https://a.example/").by, DecidedBy::default_action);
}

TEST(Decide, a_custom_response_belongs_to_its_rule) {
  auto text = rule("teapot", R"(http.host eq "a.example")");
  text.response = BlockResponse{418, "text/plain", "no"};
  auto const policy = make_policy({text, rule("plain", "ssl")});
  auto const decision = decide_url(policy, "https://a.example/");
  ASSERT_NE(decision.response, nullptr);
  EXPECT_EQ(decision.response->status, 418);
  EXPECT_EQ(decide_url(policy, "https://b.example/").response, nullptr);
}

TEST(Decide, threat_60_a_request_that_cannot_be_judged_is_blocked) {
  auto const policy = make_policy({rule("args", R"(any(http.request.uri.args["a"][*] eq "1"))")});
  auto const request = make_request("https://a.example/?b=1&c=2&d=3");
  Scratch small{64, 4096};
  auto const decision = decide(policy, request->facts(), small);
  EXPECT_EQ(decision.action, Action::block);
  EXPECT_TRUE(decision.evaluation_failed());
  EXPECT_EQ(describe(decision), "evaluation failed");
}

TEST(Decide, threat_60_an_evaluation_that_cannot_be_completed_is_blocked) {
  auto const policy = make_policy({rule("upper", R"(upper(http.request.uri.path) eq "/X")"),
                                   rule("let in", "ssl", Action::allow)});
  auto const request = make_request("https://a.example/" + std::string(2000, 'a'));
  Scratch small{1024, 512};
  auto const decision = decide(policy, request->facts(), small);
  EXPECT_EQ(decision.action, Action::block);
  EXPECT_TRUE(decision.evaluation_failed());
  EXPECT_EQ(decision.rule, 0u);
  EXPECT_EQ(decision.response, nullptr);
}

TEST(Shadow, is_judged_beside_and_changes_nothing) {
  PolicyText text;
  text.live = {{rule("live", R"(http.host eq "a.example")")}, Action::allow};
  text.shadow = RuleSetText{{rule("candidate", R"(http.host eq "b.example")")}, Action::allow};
  auto const policy = make_policy(std::move(text));
  auto decision = decide_url(policy, "https://a.example/");
  EXPECT_EQ(decision.action, Action::block);
  EXPECT_TRUE(decision.shadow.evaluated);
  EXPECT_TRUE(decision.shadow.differs);
  EXPECT_EQ(decision.shadow.action, Action::allow);
  decision = decide_url(policy, "https://b.example/");
  EXPECT_EQ(decision.action, Action::allow);
  EXPECT_TRUE(decision.shadow.differs);
  EXPECT_EQ(decision.shadow.rule_name, "candidate");
  EXPECT_FALSE(decide_url(policy, "https://c.example/").shadow.differs);
}

TEST(Shadow, without_one_nothing_is_reported) {
  EXPECT_FALSE(decide_url(Policy{}, "https://a.example/").shadow.evaluated);
}

TEST(Lists, are_used_by_rules) {
  PolicyText text;
  text.live = {{rule("office", "ip.src in $office", Action::allow),
                rule("hosts", "http.host in $ours"), rule("agents", "http.user_agent in $agents")},
               Action::allow};
  text.lists = {{.name = "office", .kind = rules::ListKind::ip, .entries = {"192.0.2.0/24"}},
                {.name = "ours", .kind = rules::ListKind::host, .entries = {"*.Example.com"}},
                {.name = "agents", .kind = rules::ListKind::bytes, .entries = {"x"}}};
  auto const policy = make_policy(std::move(text));
  EXPECT_EQ(decide_url(policy, "https://a.example.com/").rule_name, "office");
  SampleText elsewhere;
  elsewhere.url = "https://A.example.com/";
  elsewhere.source_ip = IpAddress::parse("198.51.100.1");
  Scratch scratch;
  EXPECT_EQ(decide(policy, make_request(elsewhere)->facts(), scratch).rule_name, "hosts");
}

TEST(Build, reports_the_mistakes_of_every_rule_and_list) {
  PolicyText text;
  text.live.rules = {rule("first", "http.hots eq \"a\""), rule("second", "ssl"),
                     rule("third", "cf.bot_management.score lt 30")};
  text.shadow = RuleSetText{{rule("fourth", "ssl and")}, Action::allow};
  text.lists = {{.name = "broken", .kind = rules::ListKind::ip, .entries = {"192.0.2.1", "x"}}};
  auto const policy = Policy::build(std::move(text));
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().size(), 4u) << render(policy.error());
  auto const shown = render(policy.error());
  for (auto const* expected : {"http.host", "bot score", "fourth", "first:1:1"}) {
    EXPECT_NE(shown.find(expected), std::string::npos) << expected << "\n" << shown;
  }
}

TEST(Build, places_come_from_the_caller) {
  auto text = rule("named", "ssl and http.hots eq \"a\"");
  text.locate = [](std::size_t offset, std::size_t length, std::string message, std::string hint,
                   Severity severity) {
    return Diagnostic{severity, {"certgate.yaml", 10, 5 + offset}, length, message, hint, ""};
  };
  PolicyText all;
  all.live.rules = {text};
  auto const policy = Policy::build(std::move(all));
  ASSERT_FALSE(policy);
  auto const& place = policy.error().begin()->place;
  EXPECT_EQ(place.file, "certgate.yaml");
  EXPECT_EQ(place.line, 10u);
  EXPECT_EQ(place.column, 13u);
}

// Issue: three rules, verbatim, with every kind of certificate.
struct Verdicts {
  bool presented, verified, revoked;
};

TEST(VerbatimRules, decide_by_the_certificate_on_every_kind_of_host) {
  auto const unverified = make_policy(
      {rule("r", R"(http.host in {"api.example.com"} and not cf.tls_client_auth.cert_verified)")});
  auto const revoked = make_policy({rule("r", "cf.tls_client_auth.cert_revoked")});
  auto const either =
      make_policy({rule("r",
                        "http.host == \"example.com\" and (not "
                        "cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked)")});
  auto const asking = zoo_policy();
  Scratch scratch;
  auto const blocks = [&scratch](Policy const& policy, SampleRequest const& request) {
    return decide(policy, request.facts(), scratch).action == Action::block;
  };
  auto const check = [&](std::string const& name, x509::ClientChain::Pointer const& chain,
                         bool is_verified, bool is_revoked) {
    auto const api = make_client_request("https://api.example.com/", chain, &asking);
    auto const plain = make_client_request("https://example.com/", chain, &asking);
    auto const never_asked = make_client_request("https://example.com/", chain, nullptr);
    EXPECT_EQ(blocks(unverified, *api), !is_verified) << name;
    EXPECT_FALSE(blocks(unverified, *plain)) << name;
    EXPECT_EQ(blocks(revoked, *api), is_revoked) << name;
    EXPECT_EQ(blocks(revoked, *plain), is_revoked) << name;
    EXPECT_FALSE(blocks(revoked, *never_asked)) << name;
    EXPECT_EQ(blocks(either, *plain), !is_verified || is_revoked) << name;
    EXPECT_FALSE(blocks(either, *api)) << name;
    EXPECT_TRUE(blocks(either, *never_asked)) << name;
  };
  check("no certificate", nullptr, false, false);
  for (auto const& animal : zoo().animals) {
    auto const chain = chain_of(animal);
    if (chain) check(animal.name, chain, animal.verified, animal.revoked);
  }
}

TEST(VerbatimRules, threat_18_a_self_signed_certificate_with_an_allowed_subject_is_blocked) {
  auto const& stranger = zoo().animal("self_signed");
  auto const subject = rules::format_quoted(stranger.fields.at("cert_subject_dn"));
  auto const policy = make_policy(
      {rule("known",
            "cf.tls_client_auth.cert_verified and cf.tls_client_auth.cert_subject_dn eq " + subject,
            Action::allow)},
      Action::block);
  auto const asking = zoo_policy();
  Scratch scratch;
  auto const request = make_client_request("https://a.example/", chain_of(stranger), &asking);
  EXPECT_EQ(decide(policy, request->facts(), scratch).action, Action::block);
}

TEST(Headers, threat_51_every_value_of_a_repeated_header_is_seen) {
  auto const policy =
      make_policy({rule("admin", R"(any(http.request.headers["x-role"][*] eq "admin"))")});
  SampleText text;
  text.url = "https://a.example/";
  text.headers = {{"X-Role", "user"}, {"x-role", "admin"}};
  Scratch scratch;
  EXPECT_EQ(decide(policy, make_request(text)->facts(), scratch).action, Action::block);
}

TEST(Paths, threat_54_rules_see_the_path_that_is_forwarded) {
  auto const policy =
      make_policy({rule("admin", R"(starts_with(http.request.uri.path, "/admin"))")});
  for (auto const* path :
       {"/admin", "/x/../admin", "/%61dmin", "/./admin", "/%2e/admin", "/admin/%2e%2e/admin/x"}) {
    EXPECT_EQ(decide_url(policy, std::string{"https://a.example"} + path).action, Action::block)
        << path;
  }
  for (auto const* path : {"/%2561dmin", "//admin", "/x/admin"}) {
    EXPECT_EQ(decide_url(policy, std::string{"https://a.example"} + path).action, Action::allow)
        << path;
  }
}

TEST(Memory, a_decision_allocates_nothing) {
  std::vector<RuleText> rules;
  for (int i = 0; i < 200; ++i) {
    rules.push_back(
        rule("h" + std::to_string(i), "http.host eq \"h" + std::to_string(i) + ".example\""));
  }
  rules.push_back(rule(
      "all fields",
      [] {
        std::string all;
        for (auto const& row : field_table().first(valued_field_count())) {
          all += "(" + std::string{row.example} + ") and not ssl or ";
        }
        return all.substr(0, 3900).substr(0, all.substr(0, 3900).rfind(" or "));
      }(),
      Action::log));
  for (auto const& row : field_table().first(valued_field_count())) {
    rules.push_back(rule(std::string{row.name}, std::string{row.example}, Action::log));
  }
  auto const policy = make_policy(std::move(rules));
  auto const asking = zoo_policy();
  SampleText text;
  text.url = "https://a.example/x.PHP?a=1&b=2&a=3";
  text.certificate = chain_of(zoo().animal("two_intermediates"));
  text.headers = {{"Cookie", "a=%41; b"},
                  {"Accept-Language", "de, en;q=0.5"},
                  {"Cookie", "c=d"},
                  {"X-Upper", "1"},
                  {"Content-Type", ""}};
  for (std::string const type :
       {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"}) {
    text.body = "--b\r\nContent-Disposition: form-data; name=\"a\\\\b\"\r\n\r\nx=1&y\r\n--b--";
    text.headers.back() = {"Content-Type", type};
    auto const request = make_request(text, &asking);
    Scratch scratch;
    (void)decide(policy, request->facts(), scratch);  // function-local statics are made once
    allocations = 0;
    counting = true;
    auto const decision = decide(policy, request->facts(), scratch);
    counting = false;
    EXPECT_EQ(allocations, 0u) << type;
    EXPECT_FALSE(decision.evaluation_failed()) << type;
  }
}

// The naive way: every rule by itself, in order, with a program of its own.
Decision decide_naively(std::vector<RuleText> const& texts, Action default_action,
                        Facts const& facts, Scratch& scratch) {
  Decision decision;
  auto const scheme = make_scheme();
  for (std::uint32_t i = 0; i < texts.size(); ++i) {
    if (!texts[i].enabled) continue;
    auto const compiled = rules::compile(scheme, texts[i].expression).value();
    EXPECT_TRUE(fill_values(facts, FillPlan{compiled.program.fields_used()}, scratch));
    if (rules::evaluate(compiled.program, scratch.values(), scratch.evaluation()) !=
        rules::Outcome::match)
      continue;
    if (texts[i].action == Action::log) {
      if (decision.logged_count < max_logged_rules)
        decision.logged_rules[decision.logged_count++] = i;
      continue;
    }
    decision.action = texts[i].action;
    decision.by = DecidedBy::rule;
    decision.rule = i;
    return decision;
  }
  decision.action = default_action;
  decision.by = DecidedBy::default_action;
  return decision;
}

class RandomRules {
 public:
  explicit RandomRules(unsigned seed) : random_(seed) {}
  std::size_t below(std::size_t bound) { return random_() % bound; }
  std::string host() { return "h" + std::to_string(below(12)) + ".example"; }
  std::string path() { return "/p" + std::to_string(below(6)); }
  std::string term() {
    switch (below(11)) {
      case 0:
        return "http.host eq \"" + host() + "\"";
      case 1:
        return "http.host in {\"" + host() + "\" \"" + host() + "\"}";
      case 2:
        return "http.request.uri.path in {\"" + path() + "\" \"" + path() + "\"}";
      case 3:
        return "starts_with(http.request.uri.path, \"/p\")";
      case 4:
        return "cf.tls_client_auth.cert_verified";
      case 5:
        return "cf.tls_client_auth.cert_revoked";
      case 6:
        return "ip.src in {192.0.2.0/" + std::to_string(24 + below(2)) + "}";
      case 7:
        return "cf.tls_client_auth.cert_serial ne \"\"";
      case 8:
        return "http.host wildcard \"h1*.example\"";
      case 9:
        return "any(http.request.uri.args[\"a\"][*] eq \"" + std::to_string(below(3)) + "\")";
      default:
        return "http.request.method eq \"GET\"";
    }
  }
  std::string expression(int depth = 2) {
    if (depth == 0 || below(3) == 0) return below(4) == 0 ? "not " + term() : term();
    static constexpr char const* ops[] = {" and ", " or ", " xor "};
    auto const* op = ops[below(8) < 5 ? 0 : 1 + below(2)];
    auto out = "(" + expression(depth - 1) + op + expression(depth - 1) + ")";
    return below(5) == 0 ? "not " + out : out;
  }
  std::vector<RuleText> rules(std::size_t count) {
    std::vector<RuleText> made;
    for (std::size_t i = 0; i < count; ++i) {
      static constexpr Action actions[] = {Action::block, Action::allow, Action::log, Action::log};
      auto text = rule("r" + std::to_string(i), "(" + expression() + ") and " + expression(1),
                       actions[below(4)]);
      text.enabled = below(10) != 0;
      made.push_back(std::move(text));
    }
    return made;
  }

 private:
  std::mt19937 random_;
};

TEST(RandomRuleSets, threat_56_decide_as_every_rule_in_turn_would) {
  RandomRules random{20240607};
  auto const asking = zoo_policy();
  Scratch scratch;
  for (int round = 0; round < 60; ++round) {
    auto const texts = random.rules(1 + random.below(round % 10 == 0 ? 150 : 12));
    auto const policy = make_policy(texts);
    for (int i = 0; i < 5; ++i) {
      auto const& animals = zoo().animals;
      auto const chain =
          random.below(3) == 0 ? nullptr : chain_of(animals[random.below(animals.size())]);
      auto const request = make_client_request(
          "https://" + random.host() + random.path() + "?a=" + std::to_string(random.below(3)),
          chain, &asking);
      auto const fast = decide(policy, request->facts(), scratch);
      auto const slow = decide_naively(texts, Action::allow, request->facts(), scratch);
      ASSERT_EQ(fast.action, slow.action);
      ASSERT_EQ(fast.by, slow.by);
      ASSERT_EQ(fast.rule, slow.rule);
      ASSERT_TRUE(std::ranges::equal(fast.logged(), slow.logged()));
    }
  }
}

}  // namespace
}  // namespace certgate::policy
