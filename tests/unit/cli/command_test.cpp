#include "certgate/cli/command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <sstream>

#include "../gateway/site_folder.hpp"

namespace certgate::cli {
namespace {

using ::testing::HasSubstr;
using testing::SiteFolder;

struct Outcome {
  int status = 0;
  std::string out, err;
};

Outcome certgate(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "certgate");
  std::vector<char*> pointers;
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.status = run(static_cast<int>(arguments.size()), pointers.data());
  std::fflush(nullptr);
  outcome.out = ::testing::internal::GetCapturedStdout();
  outcome.err = ::testing::internal::GetCapturedStderr();
  return outcome;
}

// The names under "Subcommands:".
std::vector<std::string> below(std::string const& help) {
  std::vector<std::string> names;
  auto const begin = help.find("Subcommands:");
  if (begin == std::string::npos) return names;
  std::regex const line("^  ([a-z-]+) {2,}");
  std::istringstream lines(help.substr(begin));
  for (std::string text; std::getline(lines, text);) {
    if (std::smatch found; std::regex_search(text, found, line)) names.push_back(found[1]);
  }
  return names;
}

struct Slip {
  std::vector<std::string> words;
  char const* said;
};

TEST(CommandLine, a_slip_is_named_with_what_was_probably_meant) {
  for (auto const& slip : {
           Slip{{}, "certgate: a command is missing\n`certgate --help` lists the commands.\n"},
           Slip{{"chekc"}, "certgate: unknown command `chekc`; did you mean `check`?\n"},
           Slip{{"frobnicate"}, "certgate: unknown command `frobnicate`\n"},
           Slip{{"ca"}, "certgate ca: a command is missing\n`certgate ca --help` lists the commands."},
           Slip{{"ca", "isue", "dir"}, "certgate ca: unknown command `isue`; did you mean `issue`?\n"},
           Slip{{"check", "--confg", "x"},
                "certgate check: unknown option `--confg`; did you mean `--config`?\n"
                "`certgate check --help` lists the options.\n"},
           Slip{{"check", "--confg=x"}, "unknown option `--confg`; did you mean `--config`?\n"},
           Slip{{"run", "certgate.yaml"},
                "certgate run: `certgate.yaml` is one argument too many\n"},
           Slip{{"explain"}, "certgate explain: --url is required\n"},
           Slip{{"ca", "issue", "d", "--days", "0"},
                "certgate ca issue: --days: Value 0 not in range "},
       }) {
    auto const outcome = certgate(slip.words);
    EXPECT_EQ(outcome.status, 2) << slip.said;
    EXPECT_EQ(outcome.out, "") << slip.said;
    EXPECT_THAT(outcome.err, HasSubstr(slip.said));
  }
}

void expect_help(std::vector<std::string> const& words) {
  auto arguments = words;
  arguments.push_back("--help");
  auto const help = certgate(arguments);
  auto const name = ::testing::PrintToString(words);
  EXPECT_EQ(help.status, 0) << name;
  EXPECT_EQ(help.err, "") << name;
  auto const names = below(help.out);
  if (names.empty()) {
    EXPECT_THAT(help.out, HasSubstr("Example")) << name;
    std::string command = "certgate";
    for (auto const& word : words) command += " " + word;
    EXPECT_THAT(help.out.substr(help.out.find("Example")), HasSubstr(command)) << name;
  }
  for (auto const& one : names) {
    auto next = words;
    next.push_back(one);
    expect_help(next);
  }
}

TEST(CommandLine, EveryCommandHasHelpWithAnExampleOfItself) { expect_help({}); }

TEST(CommandLine, BadUsageIsStatus2AndSaidOnStandardError) {
  for (auto const& words : std::vector<std::vector<std::string>>{
           {}, {"nonsense"}, {"run", "--nonsense"}, {"explain"}, {"rule"}, {"ca"}, {"test"}}) {
    auto const done = certgate(words);
    EXPECT_EQ(done.status, 2) << ::testing::PrintToString(words);
    EXPECT_EQ(done.out, "") << ::testing::PrintToString(words);
    EXPECT_NE(done.err, "") << ::testing::PrintToString(words);
  }
}

TEST(CommandLine, TellsItsVersion) {
  auto const done = certgate({"--version"});
  EXPECT_EQ(done.status, 0);
  EXPECT_THAT(done.out, ::testing::StartsWith("certgate "));
}

TEST(CheckCommand, Is0ForAValidConfigurationAnd2ForAnInvalidOne) {
  SiteFolder const folder;
  auto const good = certgate({"check", "--config", folder.config_path()});
  EXPECT_EQ(good.status, 0) << good.err;
  EXPECT_EQ(good.err, "");
  EXPECT_THAT(good.out, HasSubstr("host api.example.com"));
  EXPECT_THAT(good.out, HasSubstr(": ok\n"));
  folder.write("certgate.yaml", folder.config("wrokers: 1\n"));
  auto const bad = certgate({"check", "--config", folder.config_path()});
  EXPECT_EQ(bad.status, 2);
  EXPECT_EQ(bad.out, "");
  EXPECT_THAT(bad.err, HasSubstr("hint: did you mean `workers`?"));
  EXPECT_EQ(certgate({"check", "--config", folder.config_path(), "--at", "soon"}).status, 2);
}

TEST(CheckCommand, TellsErrorsBeforeWarnings) {
  SiteFolder const folder;
  std::filesystem::permissions(folder.path("server.key"), std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  folder.write("certgate.yaml", folder.config("  - {name: b, expression: no.such, action: log}\n"));
  auto const done = certgate({"check", "--config", folder.config_path()});
  EXPECT_EQ(done.status, 2);
  ASSERT_THAT(done.err, HasSubstr("warning: "));
  EXPECT_LT(done.err.find("no.such"), done.err.find("warning: ")) << done.err;
}

TEST(CheckCommand, TellsScriptsInJson) {
  SiteFolder const folder;
  auto const good = certgate({"check", "--json", "--config", folder.config_path()});
  EXPECT_EQ(good.status, 0);
  EXPECT_THAT(good.out, HasSubstr("\"valid\": true"));
  EXPECT_THAT(good.out, HasSubstr("\"kind\": \"crl\""));
  folder.write("certgate.yaml", folder.config("wrokers: 1\n"));
  auto const bad = certgate({"check", "--json", "--config", folder.config_path()});
  EXPECT_EQ(bad.status, 2);
  EXPECT_EQ(bad.err, "");
  EXPECT_THAT(bad.out, HasSubstr("\"severity\": \"error\""));
  EXPECT_THAT(bad.out, HasSubstr("\"valid\": false"));
}

TEST(ExplainCommand, Is0ForAnyDecisionAnd2ForAFixtureThatIsNotThere) {
  SiteFolder const folder;
  std::vector<std::string> const ask = {"explain", "--config", folder.config_path(), "--url",
                                        "https://api.example.com/x"};
  auto const blocked = certgate(ask);
  EXPECT_EQ(blocked.status, 0) << blocked.err;
  EXPECT_THAT(blocked.out, HasSubstr("block"));
  auto with = ask;
  with.insert(with.end(), {"--client-cert", folder.path("nowhere.pem")});
  auto const missing = certgate(with);
  EXPECT_EQ(missing.status, 2);
  EXPECT_THAT(missing.err, HasSubstr("nowhere.pem"));
  with = ask;
  with.insert(with.end(), {"--source-ip", "300.1.1.1"});
  EXPECT_EQ(certgate(with).status, 2);
}

TEST(TestCommand, Is1ForAFailedTestAnd2ForAFixtureThatIsNotThere) {
  SiteFolder const folder;
  auto const with = [&](std::string const& tests) {
    folder.write("rules_test.yaml", tests);
    return certgate({"test", "--config", folder.config_path(), folder.path("rules_test.yaml")});
  };
  std::string const request =
      "- name: a device without a certificate\n"
      "  request: {url: \"https://api.example.com/\"}\n";
  auto const passed = with(request + "  expect: {action: block}\n");
  EXPECT_EQ(passed.status, 0) << passed.out << passed.err;
  EXPECT_EQ(with(request + "  expect: {action: allow}\n").status, 1);
  auto const json = certgate({"test", "--json", "--config", folder.config_path(),
                              folder.path("rules_test.yaml")});
  EXPECT_EQ(json.status, 1);
  EXPECT_THAT(json.out, HasSubstr("\"failed\": 1"));
  auto const missing = with(request + "  client_certificate: nowhere.pem\n  expect: {action: block}\n");
  EXPECT_EQ(missing.status, 2);
  EXPECT_THAT(missing.err, HasSubstr("rules_test.yaml:3:"));
  EXPECT_THAT(missing.err, HasSubstr("nowhere.pem"));
  EXPECT_THAT(missing.err, HasSubstr("hint: "));
  EXPECT_EQ(with("- nonsense").status, 2);
  EXPECT_EQ(certgate({"test", "--config", folder.config_path(), "/nowhere.yaml"}).status, 2);
}

TEST(AdminCommands, Are1WhenNobodyAnswersAnd2WhenNobodyIsNamed) {
  SiteFolder const folder;
  for (auto const* command : {"reload", "status"}) {
    auto const nobody = certgate({command, "--admin", "unix:" + folder.path("admin.sock")});
    EXPECT_EQ(nobody.status, 1) << command;
    EXPECT_THAT(nobody.err, HasSubstr("admin.sock")) << command;
    auto const unnamed = certgate({command, "--config", folder.config_path()});
    EXPECT_EQ(unnamed.status, 2) << command;
    EXPECT_THAT(unnamed.err, HasSubstr("admin")) << command;
  }
}

TEST(RuleCommand, PrintsTheExpressionOfTheForm) {
  auto const done = certgate({"rule", "preview", "--host", "api.example.com"});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("http.host in {\"api.example.com\"}"));
}

}  // namespace
}  // namespace certgate::cli
