// Which addresses of a cRLDistributionPoints extension count.
#include "certgate/x509/distribution_points.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/test_ca.hpp"

namespace certgate::x509 {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> urls_of(certgate::testing::CertificateSpec const& spec) {
  return distribution_point_urls(*certgate::testing::issue(spec, nullptr).facts);
}

// Tag and length, below 128 bytes.
std::string element(char tag, std::string const& inside) {
  return std::string{tag, static_cast<char>(inside.size())} + inside;
}

// DistributionPoint { [0] { [0] { [6] … } }, rest }
std::string point(std::vector<std::string> const& uris, std::string const& rest = {}) {
  std::string names;
  for (auto const& uri : uris) names += element('\x86', uri);
  return element('\x30', element('\xA0', element('\xA0', names)) + rest);
}

TEST(DistributionPoints, only_http_and_https_count_each_once) {
  auto spec = certgate::testing::client_spec("points");
  EXPECT_THAT(urls_of(spec), IsEmpty());
  spec.crl_points = {"http://a.example/1.crl"};
  EXPECT_THAT(urls_of(spec), ElementsAre("http://a.example/1.crl"));
  spec.crl_points = {"ldap://a.example/x"};
  EXPECT_THAT(urls_of(spec), IsEmpty());
  spec.crl_points.clear();
  spec.extensions = {{"2.5.29.31", false,
                      element('\x30', point({"http://a/1", "ldap://a/"}) + point({"HTTPS://a/2"}) +
                                          point({"file:///x", "http://a/1"}) + point({"ftp://a"}))}};
  EXPECT_THAT(urls_of(spec), ElementsAre("http://a/1", "HTTPS://a/2"));
}

TEST(DistributionPoints, points_with_reasons_or_another_issuer_do_not_count) {
  auto spec = certgate::testing::client_spec("points");
  auto const reasons = element('\x81', std::string("\x01\x06", 2));
  auto const issuer = element('\xA2', element('\xA4', element('\x30', "")));
  spec.extensions = {{"2.5.29.31", false,
                      element('\x30', point({"http://a", "http://b"}) + point({"http://c"}, reasons) +
                                          point({"http://d"}, issuer))}};
  EXPECT_THAT(urls_of(spec), ElementsAre("http://a", "http://b"));
}

TEST(DistributionPoints, broken_ones_are_none) {
  auto spec = certgate::testing::client_spec("points");
  spec.extensions = {{"2.5.29.31", false, std::string("\x30\x03\x30\x05\xA0", 5)}};
  auto const issued = certgate::testing::issue(spec, nullptr);
  if (issued.facts != nullptr) {
    EXPECT_THAT(distribution_point_urls(*issued.facts), IsEmpty());
  }
}

TEST(DistributionPoints, deltas_are_named_by_freshest_crl) {
  auto spec = certgate::testing::client_spec("points");
  spec.crl_points = {"http://a.example/1.crl"};
  auto const extension = element('\x30', point({"http://a.example/delta.crl", "ldap://a.example/"}));
  spec.extensions = {{"2.5.29.46", false, extension}};
  auto const issued = certgate::testing::issue(spec, nullptr);
  EXPECT_THAT(freshest_crl_urls(*issued.facts), ElementsAre("http://a.example/delta.crl"));
  EXPECT_THAT(distribution_point_urls(*issued.facts), ElementsAre("http://a.example/1.crl"));

  auto const ca = certgate::testing::make_ca("Delta CA");
  certgate::testing::CrlSpec list;
  EXPECT_THAT(freshest_crl_urls(*certgate::testing::read_crl(make_crl(list, ca))), IsEmpty());
  list.extensions = {{"2.5.29.46", false, extension}};
  auto const read = certgate::testing::read_crl(make_crl(list, ca));
  EXPECT_THAT(freshest_crl_urls(*read), ElementsAre("http://a.example/delta.crl"));
  EXPECT_EQ(read->unusable_because(), "");
}

}  // namespace
}  // namespace certgate::x509
