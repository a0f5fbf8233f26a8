// What is told of a configuration with mistakes of several kinds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "certgate/gateway/build.hpp"
#include "site_folder.hpp"

namespace certgate::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::SiteFolder;

class LoadConfig : public ::testing::Test {
 protected:
  void replace(std::string const& old, std::string const& better) {
    auto const at = text_.find(old);
    ASSERT_NE(at, std::string::npos) << old;
    text_.replace(at, old.size(), better);
  }
  // "line: message" of each, in their order.
  std::vector<std::string> mistakes() {
    folder_.write("certgate.yaml", text_);
    auto const loaded = load_config(folder_.config_path(), SystemClock{}.unix_seconds());
    std::vector<std::string> told;
    if (loaded) return told;
    for (auto const& mistake : loaded.error()) {
      told.push_back(std::to_string(mistake.place.line) + ": " + mistake.message);
    }
    return told;
  }

  SiteFolder folder_;
  std::string text_ = folder_.config();
};

TEST_F(LoadConfig, NamesAFileThatIsNotThere) {
  auto const loaded = load_config("/nowhere/certgate.yaml", 0);
  ASSERT_FALSE(loaded);
  EXPECT_THAT(render(loaded.error()), HasSubstr("/nowhere/certgate.yaml"));
  EXPECT_THAT(render(loaded.error()), HasSubstr("--config"));
}

TEST_F(LoadConfig, TellsMistakesOfExpressionsBesideThoseOfTheFile) {
  replace("workers: 2", "workers: many");
  replace("not cf.tls_client_auth.cert_verified", "not cf.tls_client_auth.cert_verifed");
  text_ += "request_headers: {set: {X-Serial: cf.tls_client_auth.cert_serail}}\n";
  text_ += "shadow: {rules: [{name: later, expression: http.hots eq 1, action: block}]}\n";
  EXPECT_THAT(mistakes(),
              ElementsAre(HasSubstr("1: `workers` must be"),
                          HasSubstr("16: unknown field `cf.tls_client_auth.cert_verifed`"),
                          HasSubstr("18: unknown field `cf.tls_client_auth.cert_serail`"),
                          HasSubstr("19: unknown field `http.hots`")));
}

TEST_F(LoadConfig, TellsMistakesOfFilesBesideThoseOfTheFile) {
  replace("workers: 2", "workers: many");
  replace("private_key: server.key", "private_key: servr.key");
  EXPECT_THAT(mistakes(), ElementsAre(HasSubstr("1: `workers` must be"),
                                      HasSubstr("7: cannot read the private key")));
}

// Its certificate may be meant for other names, its CA for another mode.
TEST_F(LoadConfig, DoesNotJudgeTheFilesOfAHostThatIsWrongItself) {
  replace("names: [api.example.com]", "names: [api..example.com]");
  replace("private_key: server.key", "private_key: servr.key");
  EXPECT_THAT(mistakes(), ElementsAre(HasSubstr("5: `api..example.com` is not a host name")));
}

TEST_F(LoadConfig, TellsAMistakeThatManyHostsInheritOnce) {
  text_ += "request_headers: {set: {X-Serial: cf.tls_client_auth.cert_serail}}\n";
  replace("workers: 2", "workers: many");
  replace("hosts:\n", "hosts:\n"
                      "  - names: [www.example.com]\n"
                      "    certificate: server.pem\n"
                      "    private_key: server.key\n"
                      "    client_auth: {mode: off}\n"
                      "    origin: api\n");
  EXPECT_THAT(mistakes(), ElementsAre(HasSubstr("1: `workers` must be"),
                                      HasSubstr("unknown field `cf.tls_client_auth.cert_serail`")));
}

TEST_F(LoadConfig, IsSilentAboutRulesThatNeedAListWithAMistake) {
  text_ += "  - {name: from the office, expression: ip.src in $office, action: allow}\n"
           "  - {name: odd, expression: http.hots eq \"a\", action: allow}\n"
           "lists: {office: [[1]]}\n";
  EXPECT_THAT(mistakes(), ElementsAre(HasSubstr("unknown field `http.hots`"),
                                      HasSubstr("an entry of list `office` must be a value")));
}

TEST_F(LoadConfig, TellsMistakesOfListEntriesBesideThoseOfTheFile) {
  replace("workers: 2", "workers: many");
  text_ += "lists: {office: {type: ip, values: [10.0.0.1/8, here]}}\n";
  EXPECT_THAT(mistakes(), ElementsAre(HasSubstr("1: `workers` must be"), HasSubstr("10.0.0.1/8"),
                                      HasSubstr("`here`")));
}

TEST_F(LoadConfig, IsSilentAboutLengthWhileTheLimitIsWrong) {
  text_ += "limits: {expression_length: 10k}\n";
  text_ += "default_action: allow\n";
  replace("not cf.tls_client_auth.cert_verified", "http.host eq \"" + std::string(5000, 'a') + "\"");
  EXPECT_THAT(mistakes(), ElementsAre(HasSubstr("`expression_length`")));
}

TEST_F(LoadConfig, TellsAnEmptyExpressionOnce) {
  replace("not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked", "\"\"");
  EXPECT_THAT(mistakes(), ElementsAre(HasSubstr("`expression` is empty")));
}

TEST_F(LoadConfig, TellsTheMistakeOfAFormWithoutItsHostsOnce) {
  replace("expression: not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked",
          "mtls: {hosts: [api..example.com]}");
  EXPECT_THAT(mistakes(), ElementsAre(HasSubstr("`api..example.com` is not a host name")));
}

TEST_F(LoadConfig, TellsNoWarnings) {
  replace("workers: 2", "workers: many");
  replace(", crl: ca.crl", "");
  EXPECT_THAT(mistakes(), ElementsAre(HasSubstr("1: `workers` must be")));
}

}  // namespace
}  // namespace certgate::gateway
