// What a correct file means: values, defaults, inheritance, includes, warnings.
#include "certgate/config/read_config.hpp"

#include <gtest/gtest.h>

#include "sample.hpp"

namespace certgate::config {
namespace {

constexpr std::string_view frame =
    "listeners: [{address: \"127.0.0.1:8443\"}]\n"
    "hosts: [{names: api.example.com, certificate: s.pem, private_key: s.key, origin: api}]\n"
    "origins: {api: {servers: \"http://127.0.0.1:9000\"}}\n";

Config parse(std::string const& extra, std::map<std::string, std::string> files = {}) {
  auto config = parse_text(std::string{frame} + extra, std::move(files));
  EXPECT_TRUE(config) << render(config.error());
  return config ? std::move(*config) : Config{};
}

TEST(ReadConfig, TheSmallestFileHasTheDefaults) {
  Config const config = parse("");
  ASSERT_EQ(config.listeners.size(), 1u);
  EXPECT_EQ(config.listeners[0].address->to_string(), "127.0.0.1:8443");
  ASSERT_EQ(config.hosts.size(), 1u);
  EXPECT_EQ(*config.hosts[0].client_auth.mode, ClientAuthMode::off);
  EXPECT_EQ(config.hosts[0].identities[0].certificate.resolved, "s.pem");
  EXPECT_EQ(*config.default_action, Action::allow);
  EXPECT_EQ(*config.limits.body_bytes, unlimited);
  EXPECT_EQ(*config.workers, 0u);
  EXPECT_FALSE(config.admin);
  EXPECT_FALSE(config.shadow);
  EXPECT_TRUE(config.warnings.empty());
  EXPECT_TRUE(config.limits == Limits{});
  EXPECT_TRUE(config.timeouts == Timeouts{});
  EXPECT_FALSE(config.limits.header_bytes.mark.written());
  EXPECT_NE(config.find_origin("api"), nullptr);
  EXPECT_EQ(config.find_origin("other"), nullptr);
}

TEST(ReadConfig, MarksPointAtWhatWasWritten) {
  Config const config = parse("limits:\n  header_fields: 64\n");
  Place const place = config.limits.header_fields.mark.place();
  EXPECT_EQ(place.file, "certgate.yaml");
  EXPECT_EQ(place.line, 5u);
  EXPECT_EQ(place.column, 18u);
  EXPECT_EQ(render(config.limits.header_fields.mark.diagnostic("too few", "more")),
            "certgate.yaml:5:18: too few\n"
            "    5 |   header_fields: 64\n"
            "      |                  ^^\n"
            "  hint: more\n");
  EXPECT_EQ(render(config.limits.header_bytes.mark.diagnostic("nowhere")), "nowhere\n");
}

// The marks of a copy stay valid when the first Config is gone.
TEST(ReadConfig, CopiesShareTheSources) {
  Config copy;
  {
    Config const config = parse("workers: 3\n");
    copy = config;
  }
  EXPECT_EQ(copy.workers.mark.place().line, 4u);
}

TEST(ReadConfig, PathsAreRelativeToTheFileThatNamesThem) {
  TextReader files{{{"/etc/certgate/rules/a.yaml", "[]"}}};
  auto const config = parse_config(
      SourceText{"/etc/certgate/certgate.yaml",
                 "listeners: [{address: \"127.0.0.1:8443\"}]\n"
                 "hosts: [{names: x, certificate: s.pem, private_key: /keys/s.key, origin: api}]\n"
                 "origins: {api: {servers: \"http://127.0.0.1:9000\"}}\n"
                 "rule_files: rules/a.yaml\n"},
      files);
  ASSERT_TRUE(config) << render(config.error());
  EXPECT_EQ(config->hosts[0].identities[0].certificate.resolved, "/etc/certgate/s.pem");
  EXPECT_EQ(config->hosts[0].identities[0].certificate.written, "s.pem");
  EXPECT_EQ(config->hosts[0].identities[0].private_key.resolved, "/keys/s.key");
  EXPECT_EQ(config->rule_files[0].resolved, "/etc/certgate/rules/a.yaml");
}

TEST(ReadConfig, HostsInheritWhatTheyDoNotSay) {
  auto const config = parse_text(
      "tls: {min_version: 1.3, ciphers: \"A:B\", session_lifetime: 5m}\n"
      "forward_client_certificate: rfc9440\n"
      "request_headers: {remove: [X-A]}\n"
      "listeners: [{address: \"127.0.0.1:8443\"}]\n"
      "hosts:\n"
      "  - {names: a, certificate: c, private_key: k, origin: api}\n"
      "  - names: b\n"
      "    certificate: c\n"
      "    private_key: k\n"
      "    origin: api\n"
      "    tls: {min_version: 1.2, groups: X25519}\n"
      "    forward_client_certificate: []\n"
      "    request_headers: {set: {X-B: http.host}}\n"
      "origins: {api: {servers: \"http://127.0.0.1:9000\"}}\n");
  ASSERT_TRUE(config) << render(config.error());
  Host const& a = config->hosts[0];
  Host const& b = config->hosts[1];
  EXPECT_TRUE(a.tls == config->tls);
  EXPECT_EQ(a.tls.ciphers.size(), 2u);
  EXPECT_EQ(a.forward_client_certificate.size(), 1u);
  EXPECT_EQ(a.request_headers.remove.size(), 1u);
  EXPECT_EQ(*b.tls.min_version, TlsVersion::tls_1_2);
  EXPECT_EQ(b.tls.ciphers.size(), 2u);
  EXPECT_EQ(b.tls.groups.size(), 1u);
  EXPECT_EQ(*b.tls.session_lifetime, std::chrono::minutes{5});
  EXPECT_TRUE(b.forward_client_certificate.empty());
  EXPECT_TRUE(b.request_headers.remove.empty());
  EXPECT_EQ(*b.request_headers.set[0].name, "X-B");
}

TEST(ReadConfig, RuleFilesComeBehindTheRules) {
  Config const config =
      parse("rules: [{name: a, expression: x, action: log}]\nrule_files: [one.yaml, two.yaml]\n",
            {{"one.yaml", "- {name: b, expression: y, action: allow}\n"}, {"two.yaml", "[]\n"}});
  ASSERT_EQ(config.rules.size(), 2u);
  EXPECT_EQ(*config.rules[1].name, "b");
  EXPECT_EQ(config.rules[1].mark.place().file, "one.yaml");
  EXPECT_EQ(config.sources.size(), 3u);
}

TEST(ReadConfig, ReadsTheMtlsForm) {
  Config const config = parse(
      "rules:\n"
      "  - {name: a, mtls: {hosts: [API.example.com., \"*.x.example\"], paths: /v1}, action: "
      "block}\n"
      "  - {name: b, mtls: {hosts: c, block_revoked: false}, action: log, enabled: false}\n");
  ASSERT_EQ(config.rules.size(), 2u);
  MtlsForm const& form = *config.rules[0].mtls;
  EXPECT_EQ(form.hosts[0]->to_string(), "api.example.com");
  EXPECT_EQ(form.hosts[1]->kind, HostName::Kind::wildcard);
  EXPECT_EQ(*form.paths[0], "/v1");
  EXPECT_TRUE(*form.block_revoked);
  EXPECT_FALSE(*config.rules[1].mtls->block_revoked);
  EXPECT_FALSE(*config.rules[1].enabled);
  EXPECT_TRUE(config.rules[0].expression.empty());
}

TEST(ReadConfig, GuessesTheTypeOfLists) {
  Config const config = parse(
      "lists:\n"
      "  ips: [192.0.2.1, 10.0.0.0/8, \"2001:db8::/32\", 192.0.2.1..192.0.2.9]\n"
      "  numbers: [1, -2, 3..9]\n"
      "  quoted: [\"1\", \"2\"]\n"
      "  mixed: [1, a]\n"
      "  empty: []\n"
      "  typed: {type: string, values: [1, 2]}\n"
      "  file_ips: {file: ips.txt}\n"
      "  file_numbers: {file: numbers.txt}\n"
      "  file_words: {file: words.txt}\n"
      "  hosts: {type: host, file: words.txt}\n",
      {{"ips.txt", "\xEF\xBB\xBF# ours\n192.0.2.1  # one\n\n  10.0.0.0/8\r\n"},
       {"numbers.txt", "1\n2\n"},
       {"words.txt", "1\na#b\n"}});
  ListType const wanted[] = {
      ListType::ip,     ListType::integer, ListType::string,  ListType::string, ListType::string,
      ListType::string, ListType::ip,      ListType::integer, ListType::string, ListType::host};
  ASSERT_EQ(config.lists.size(), std::size(wanted));
  for (std::size_t i = 0; i < config.lists.size(); ++i) {
    EXPECT_EQ(*config.lists[i].type, wanted[i]) << *config.lists[i].name;
  }
  EXPECT_EQ(config.lists[0].entries.size(), 4u);
  EXPECT_EQ(config.lists[6].text->text().substr(0, 6), "# ours");
}

TEST(ReadConfig, CrlsAreFilesFoldersOrUrls) {
  auto const config = parse_text(
      sample_with("hosts[].client_auth", "crl: [a.crl, crls/, \"https://pki.example/b.crl\"]"));
  ASSERT_TRUE(config) << render(config.error());
  auto const& crl = config->hosts[0].client_auth.crl;
  ASSERT_EQ(crl.size(), 3u);
  EXPECT_EQ(crl[0].kind, CrlSource::Kind::path);
  EXPECT_EQ(crl[1].path.resolved, "crls/");
  EXPECT_EQ(crl[2].kind, CrlSource::Kind::url);
  EXPECT_EQ(crl[2].url, "https://pki.example/b.crl");
}

TEST(ReadConfig, WarnsAboutWhatHasNoEffect) {
  auto const config = parse_text(
      "listeners: [{address: \"127.0.0.1:8443\"}]\n"
      "hosts:\n"
      "  - {names: x, certificate: c, private_key: k, origin: api, "
      "client_auth: {mode: off, ca: ca.pem}}\n"
      "origins: {api: {servers: \"http://a\"}, spare: {servers: \"http://b\"}}\n");
  ASSERT_TRUE(config) << render(config.error());
  ASSERT_EQ(config->warnings.size(), 2u);
  EXPECT_FALSE(config->warnings.has_errors());
  EXPECT_EQ(render_short(config->warnings.items()[1]),
            "certgate.yaml:4:39: warning: no host or route uses the origin `spare` (remove it, or "
            "name it)");
}

TEST(ReadConfig, WarnsOfNamesThatAreLookedUpAllTheTime) {
  for (auto const& [every, warnings] :
       {std::pair{"1ms", 1u}, {"999ms", 1u}, {"1s", 0u}, {"0s", 0u}, {"30s", 0u}}) {
    auto const config = parse_text(sample_with("origins.*", std::string{"resolve_every: "} + every));
    ASSERT_TRUE(config) << render(config.error());
    ASSERT_EQ(config->warnings.size(), warnings) << every;
    if (warnings == 0) continue;
    EXPECT_NE(render(config->warnings).find("`resolve_every` below 1s"), std::string::npos);
  }
}

TEST(ReadConfig, LoweringTheHeaderLowersTheTarget) {
  EXPECT_EQ(*parse("limits: {header_bytes: 8KiB}\n").limits.uri_bytes, kib(8));
  EXPECT_EQ(*parse("limits: {header_bytes: 64KiB}\n").limits.uri_bytes, kib(16));
}

TEST(ReadConfig, PortZeroMayBeUsedTwice) {
  auto const config = parse_text(
      "listeners: [{address: \"127.0.0.1:0\"}, {address: \"127.0.0.1:0\"}]\n"
      "hosts: [{names: x, certificate: c, private_key: k, origin: api}]\n"
      "origins: {api: {servers: \"http://a\"}}\n");
  EXPECT_TRUE(config) << render(config.error());
}

TEST(ReadConfig, MistakesAreCountedBeyondTheMost) {
  std::string rules = "rules:\n";
  for (std::size_t i = 0; i < max_reported_mistakes + 5; ++i) rules += "  - 1\n";
  auto const config = parse_text(std::string{frame} + rules);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().size(), max_reported_mistakes + 1);
  EXPECT_EQ(config.error().items().back().message, "5 more mistakes are not shown");
}

TEST(ReadConfig, TenThousandRulesKeepTheirOrder) {
  std::string rules = "rules:\n";
  for (int i = 0; i < 10'000; ++i) {
    rules += "  - name: rule " + std::to_string(i) + "\n    expression: http.host == \"h" +
             std::to_string(i) + ".example.com\"\n    action: block\n";
  }
  Config const config = parse(rules);
  ASSERT_EQ(config.rules.size(), 10'000u);
  EXPECT_EQ(*config.rules[9'999].name, "rule 9999");
  EXPECT_EQ(config.rules[9'999].name.mark.place().line, 4u + 9'999u * 3 + 1);
}

TEST(ReadTests, TakesAListOrAMapWithOneKey) {
  std::string const list =
      "- name: a\n"
      "  request:\n"
      "    url: https://api.example.com/v1?x=1\n"
      "    headers: {Accept: [a, b], X: 1}\n"
      "    body: \"a=1\\r\\n\"\n"
      "    source_ip: 2001:db8::1\n"
      "  client_certificate: fixtures/a.pem\n"
      "  fields: {cf.tls_client_auth.cert_verified: true}\n"
      "  expect: {action: block, rule: devices}\n";
  auto const plain = parse_tests(SourceText{"t/tests.yaml", list});
  ASSERT_TRUE(plain) << render(plain.error());
  RuleTest const& test = plain->tests.at(0);
  EXPECT_EQ(*test.method, "GET");
  EXPECT_EQ(*test.url, "https://api.example.com/v1?x=1");
  EXPECT_EQ(test.headers.size(), 3u);
  EXPECT_EQ(*test.headers[1].second, "b");
  EXPECT_EQ(*test.body, "a=1\r\n");
  EXPECT_EQ((*test.source_ip)->to_string(), "2001:db8::1");
  EXPECT_EQ(test.client_certificate.resolved, "t/fixtures/a.pem");
  EXPECT_EQ(*test.fields[0].second, "true");
  EXPECT_EQ(*test.expected_action, Action::block);
  EXPECT_EQ(test.mark.place().line, 1u);
  EXPECT_TRUE(parse_tests(SourceText{"tests.yaml", "tests:\n" + list}));
  EXPECT_FALSE(parse_tests(SourceText{"tests.yaml", "test:\n" + list}));
  EXPECT_FALSE(parse_tests(SourceText{"tests.yaml", "tests: 1\n"}));
  EXPECT_FALSE(parse_tests(SourceText{"tests.yaml", ""}));
}

}  // namespace
}  // namespace certgate::config
