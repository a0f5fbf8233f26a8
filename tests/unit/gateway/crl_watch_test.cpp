// When a CRL, certificate or CA in use is told to end, by a clock that the test sets.
#include "crl_watch.hpp"

#include <gtest/gtest.h>

namespace certgate::gateway {
namespace {

constexpr UnixSeconds start = 1'900'000'000;

Expiry expiry_of(Expiry::Kind kind, std::string name, UnixSeconds lasts = 1000) {
  Expiry expiry;
  expiry.kind = kind;
  expiry.name = std::move(name);
  expiry.file = "some.file";
  expiry.from = start;
  expiry.until = start + lasts;
  expiry.consequence = "something stops";
  return expiry;
}

TEST(TimeLeft, has_its_edges_at_half_a_tenth_and_the_end) {
  auto const left = [](UnixSeconds passed) { return time_left(start, start + 1000, start + passed); };
  EXPECT_EQ(left(-5), TimeLeft::more_than_half);
  EXPECT_EQ(left(499), TimeLeft::more_than_half);
  EXPECT_EQ(left(500), TimeLeft::less_than_half);
  EXPECT_EQ(left(899), TimeLeft::less_than_half);
  EXPECT_EQ(left(900), TimeLeft::less_than_a_tenth);
  EXPECT_EQ(left(999), TimeLeft::less_than_a_tenth);
  EXPECT_EQ(left(1000), TimeLeft::none);
  EXPECT_EQ(time_left(start, start, start), TimeLeft::none);
}

TEST(ExpiryWarnings, threat_35_come_once_at_each_mark) {
  ExpiryWarnings warnings;
  std::vector<Expiry> const in_use{expiry_of(Expiry::Kind::crl, "CN=CA")};
  auto const due = [&](UnixSeconds passed) { return warnings.due(in_use, start + passed); };
  EXPECT_TRUE(due(0).empty());
  EXPECT_TRUE(due(499).empty());
  auto const half = due(500);
  ASSERT_EQ(half.size(), 1u);
  EXPECT_EQ(half[0],
            "the CRL of CN=CA (some.file) has half of its time left, until 2030-03-17 18:03 UTC: "
            "something stops");
  EXPECT_TRUE(due(500).empty());
  EXPECT_TRUE(due(899).empty());
  ASSERT_EQ(due(900).size(), 1u);
  EXPECT_TRUE(due(999).empty());
  auto const over = due(1000);
  ASSERT_EQ(over.size(), 1u);
  EXPECT_NE(over[0].find("has ended on 2030-03-17 18:03 UTC"), std::string::npos);
  EXPECT_TRUE(due(100000).empty());
  // A clock that goes back tells nothing twice.
  EXPECT_TRUE(due(950).empty());
  EXPECT_TRUE(due(1000).empty());
}

TEST(ExpiryWarnings, a_late_start_tells_the_latest_mark_only) {
  ExpiryWarnings warnings;
  auto const due = warnings.due({expiry_of(Expiry::Kind::crl, "CN=CA")}, start + 950);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_NE(due[0].find("a tenth of its time left"), std::string::npos);
}

TEST(ExpiryWarnings, a_new_list_begins_anew) {
  ExpiryWarnings warnings;
  EXPECT_EQ(warnings.due({expiry_of(Expiry::Kind::crl, "CN=CA", 1000)}, start + 950).size(), 1u);
  EXPECT_TRUE(warnings.due({expiry_of(Expiry::Kind::crl, "CN=CA", 5000)}, start + 951).empty());
  EXPECT_EQ(warnings.due({expiry_of(Expiry::Kind::crl, "CN=CA", 5000)}, start + 2500).size(), 1u);
}

TEST(ExpiryWarnings, threat_86_tell_of_certificates_and_cas_as_well) {
  ExpiryWarnings warnings;
  std::vector<Expiry> const in_use{expiry_of(Expiry::Kind::server_certificate, "CN=server"),
                                   expiry_of(Expiry::Kind::client_ca, "CN=clients"),
                                   expiry_of(Expiry::Kind::upstream_certificate, "CN=me"),
                                   expiry_of(Expiry::Kind::upstream_ca, "CN=origins")};
  for (UnixSeconds const passed : {500, 900, 1001}) {
    auto const due = warnings.due(in_use, start + passed);
    ASSERT_EQ(due.size(), 4u);
    EXPECT_TRUE(due[0].starts_with("the certificate CN=server (some.file) has "));
    EXPECT_TRUE(due[1].starts_with("the CA CN=clients (some.file) has "));
    EXPECT_TRUE(due[2].starts_with("the certificate CN=me (some.file) has "));
    EXPECT_TRUE(due[3].starts_with("the CA CN=origins (some.file) has "));
  }
}

TEST(ExpiryWarnings, a_list_is_over_at_its_end_and_a_certificate_behind_it) {
  ExpiryWarnings warnings;
  std::vector<Expiry> const in_use{expiry_of(Expiry::Kind::crl, "CN=CA"),
                                   expiry_of(Expiry::Kind::client_ca, "CN=CA")};
  ASSERT_EQ(warnings.due(in_use, start + 999).size(), 2u);
  auto const at_the_end = warnings.due(in_use, start + 1000);
  ASSERT_EQ(at_the_end.size(), 1u);
  EXPECT_TRUE(at_the_end[0].starts_with("the CRL of CN=CA (some.file) has ended on "));
  auto const behind_it = warnings.due(in_use, start + 1001);
  ASSERT_EQ(behind_it.size(), 1u);
  EXPECT_TRUE(behind_it[0].starts_with("the CA CN=CA (some.file) has ended on "));
}

TEST(ExpiryWarnings, thousands_at_once_are_summed_up) {
  ExpiryWarnings warnings;
  std::vector<Expiry> in_use;
  for (int i = 0; i < 500; ++i) {
    in_use.push_back(expiry_of(Expiry::Kind::server_certificate, "CN=" + std::to_string(i)));
  }
  auto const due = warnings.due(in_use, start + 600);
  ASSERT_EQ(due.size(), 21u);
  EXPECT_TRUE(due[20].starts_with("and 480 more "));
  EXPECT_TRUE(warnings.due(in_use, start + 601).empty());
}

}  // namespace
}  // namespace certgate::gateway
