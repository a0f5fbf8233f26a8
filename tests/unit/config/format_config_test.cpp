// The dump reads back as what was dumped; differences are told in sentences.
#include "certgate/config/format_config.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "sample.hpp"

namespace certgate::config {
namespace {

std::vector<std::string> shipped() {
  std::vector<std::string> paths{"config/certgate.yaml"};
  std::string const folder = std::string{CERTGATE_SOURCE_DIR} + "/config/examples";
  for (auto const& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    paths.push_back("config/examples/" + entry.path().filename().string());
  }
  return paths;
}

TEST(Examples, AreValidAndReadBackFromTheirDump) {
  EXPECT_GE(shipped().size(), 8u);
  for (std::string const& path : shipped()) {
    FolderReader files{CERTGATE_SOURCE_DIR};
    auto const config = parse_config(SourceText{path, *files.read(path)}, files);
    ASSERT_TRUE(config) << render(config.error());
    EXPECT_TRUE(config->warnings.empty()) << render(config->warnings);
    std::string const dump = format_config(*config);
    auto const again = parse_config(SourceText{"dump.yaml", dump}, files);
    ASSERT_TRUE(again) << dump << render(again.error());
    EXPECT_EQ(format_config(*again), dump);
    EXPECT_EQ(diff(*config, *again), std::vector<std::string>{}) << path;
  }
}

TEST(FormatConfig, EscapesWhatYamlWouldMisread) {
  auto const config = parse_text(
      sample_with("rules[]", "description: \"a: b # \\\"c\\\" \\\\ \\t\\n- caf\xC3\xA9\""));
  ASSERT_TRUE(config) << render(config.error());
  auto const again = parse_text(format_config(*config));
  ASSERT_TRUE(again) << format_config(*config) << render(again.error());
  EXPECT_EQ(*again->rules[0].description, "a: b # \"c\" \\ \t\n- caf\xC3\xA9");
}

struct Case {
  std::string name;
  std::string from;  // replaced in the text below ...
  std::string to;    // ... by this
  std::vector<std::string> sentences;
};
void PrintTo(Case const& each, std::ostream* out) { *out << each.name; }

constexpr std::string_view base = R"(listeners:
  - {address: "127.0.0.1:8443", proxy_protocol: v2, trusted_sources: [10.0.0.1]}
hosts:
  - names: [api.example.com]
    certificate: s.pem
    private_key: s.key
    client_auth: {mode: request, ca: ca.pem, crl: a.crl}
    origin: api
origins:
  api: {servers: ["http://a", "http://b"]}
lists:
  office: [192.0.2.1, 192.0.2.2]
  stolen: {type: string, file: stolen.txt}
limits: {header_fields: 64}
rules:
  - {name: one, expression: a, action: log}
  - {name: two, expression: b, action: block}
  - {name: three, expression: c, action: allow}
tests:
  - {name: t, request: {url: "https://a/"}, expect: {action: allow}}
)";

class Difference : public testing::TestWithParam<Case> {};

TEST_P(Difference, IsToldInSentences) {
  std::string text{base};
  std::map<std::string, std::string> files{{"stolen.txt", "0A\n"}};
  auto const before = parse_text(text, files);
  ASSERT_TRUE(before) << render(before.error());
  if (GetParam().from == "stolen.txt:") {
    files["stolen.txt"] = GetParam().to;
  } else if (GetParam().from.empty()) {
    text += GetParam().to;
  } else {
    std::size_t const at = text.find(GetParam().from);
    ASSERT_NE(at, text.npos);
    text.replace(at, GetParam().from.size(), GetParam().to);
  }
  auto const now = parse_text(text, files);
  ASSERT_TRUE(now) << render(now.error());
  EXPECT_EQ(diff(*before, *now), GetParam().sentences);
}

INSTANTIATE_TEST_SUITE_P(
    Config, Difference,
    testing::Values(
        Case{"nothing", "", "", {}}, Case{"comments_only", "", "# hello\n", {}},
        Case{"rule_added",
             "tests:",
             "  - {name: four, expression: d, action: log}\ntests:",
             {"rules: 1 added"}},
        Case{"rule_changed", "expression: b", "expression: b or c", {"rules: 1 changed"}},
        Case{"rule_removed",
             "  - {name: two, expression: b, action: block}\n",
             "",
             {"rules: 1 removed"}},
        Case{"rule_renamed", "name: two", "name: deux", {"rules: 1 added, 1 removed"}},
        Case{"rules_reordered",
             "  - {name: one, expression: a, action: log}\n"
             "  - {name: two, expression: b, action: block}\n",
             "  - {name: two, expression: b, action: block}\n"
             "  - {name: one, expression: a, action: log}\n",
             {"rules: order changed"}},
        Case{"crl_changed",
             "crl: a.crl",
             "crl: [a.crl, b.crl]",
             {"host api.example.com: crl changed"}},
        Case{"host_twofold",
             "mode: request, ca: ca.pem",
             "mode: require, ca: other.pem",
             {"host api.example.com: client_auth mode, ca changed"}},
        Case{"host_added",
             "origins:\n",
             "  - {names: b, certificate: c, private_key: k, origin: api}\norigins:\n",
             {"host b: added"}},
        Case{"server_removed",
             "[\"http://a\", \"http://b\"]",
             "[\"http://a\"]",
             {"origin api: servers changed"}},
        Case{"listener_moved",
             "127.0.0.1:8443",
             "127.0.0.1:8444",
             {"listener 127.0.0.1:8444: added", "listener 127.0.0.1:8443: removed"}},
        Case{"listener_changed", "v2", "any", {"listener 127.0.0.1:8443: proxy_protocol changed"}},
        Case{"limit",
             "header_fields: 64",
             "header_fields: 32, header_bytes: 16KiB",
             {"limits.header_bytes: 32KiB to 16KiB", "limits.header_fields: 64 to 32"}},
        Case{"admin",
             "",
             "admin: {address: \"127.0.0.1:9901\"}\n",
             {"admin.address: set to \"127.0.0.1:9901\"", "admin.allow_remote: set to false"}},
        Case{"list", "192.0.2.2]", "192.0.2.3, 192.0.2.4]", {"list office: 2 added, 1 removed"}},
        Case{"list_file", "stolen.txt:", "0A\n0B\n", {"list stolen: changed"}},
        Case{"body_of_a_test", "https://a/\"}", "https://a/\", body: \"\"}", {"tests: changed"}},
        Case{"tests", "action: allow}}", "action: block}}", {"tests: changed"}},
        Case{"shadow",
             "",
             "shadow: {rules: [{name: s, expression: a, action: block}]}\n",
             {"shadow rules: 1 added"}},
        Case{"inherited",
             "",
             "forward_client_certificate: xfcc\n",
             {"host api.example.com: forward_client_certificate changed"}}),
    [](auto const& each) { return each.param.name; });

}  // namespace
}  // namespace certgate::config
