// The revocation index: against a linear scan, and every rule of what list counts.
#include "certgate/x509/revocation_index.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "support/test_ca.hpp"

namespace certgate::x509 {
namespace {

using namespace std::string_literals;
using testing::CrlSpec;
using testing::Issued;
using testing::make_crl;
using testing::read_crl;
using testing::test_now;

Issued const& ca() {
  static Issued const made = testing::make_ca("Index CA");
  return made;
}
Issued const& other_ca() {
  static Issued const made = testing::make_ca("Other Index CA");
  return made;
}
IssuerId id(Issued const& issued) { return issued.facts->id_as_issuer(); }

LabelledCrl list(CrlSpec const& spec, Issued const& issuer = ca(), std::string label = "a.crl") {
  return {read_crl(make_crl(spec, issuer)), std::move(label)};
}
CrlSpec with_serials(std::vector<std::string> const& serials, std::string number = "01") {
  CrlSpec spec;
  for (auto const& serial : serials) spec.entries.push_back({serial, 1, {}, {}});
  spec.number = std::move(number);
  return spec;
}

Result<RevocationIndex::Pointer> build(std::vector<LabelledCrl> const& lists,
                                       RevocationIndex const* previous = nullptr,
                                       OnOlderCrl on_older = OnOlderCrl::refuse) {
  std::vector<Certificate::Pointer> const issuers{ca().facts, other_ca().facts};
  return RevocationIndex::build(lists, issuers, previous, on_older);
}
std::string error_of(std::vector<LabelledCrl> const& lists,
                     RevocationIndex const* previous = nullptr) {
  auto const built = build(lists, previous);
  return built ? "no error" : built.error().detail;
}
bool finds(RevocationIndex const& index, std::string const& serial, Issued const& issuer = ca()) {
  return index.find(id(issuer), as_bytes(*parse_hex(serial))).has_value();
}

TEST(RevocationIndex, empty_knows_nothing) {
  auto const index = *build({});
  EXPECT_EQ(index->entry_count(), 0u);
  EXPECT_FALSE(index->has_issuer(id(ca())));
  EXPECT_FALSE(finds(*index, "01"));
  EXPECT_EQ(index->coverage(id(ca()), *ca().facts, 0).status, CrlStatus::none);
}

TEST(RevocationIndex, a_list_without_entries_covers_its_issuer) {
  auto const index = *build({list({})});
  EXPECT_TRUE(index->has_issuer(id(ca())));
  EXPECT_EQ(index->coverage(id(ca()), *ca().facts, test_now()).status, CrlStatus::current);
}

std::string random_serial(std::mt19937& random, std::size_t bytes) {
  std::string serial;
  for (std::size_t n = 0; n < bytes; ++n) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02X", static_cast<unsigned>(random() & 0xFF));
    serial += digits;
  }
  return serial;
}

// The oracle: a set of what the list says.
TEST(RevocationIndex, agrees_with_a_set_of_serials) {
  std::mt19937 random(5);
  for (int round = 0; round < 24; ++round) {
    CrlSpec spec;
    std::size_t const count = round < 4 ? static_cast<std::size_t>(round) : random() % 3000;
    for (std::size_t i = 0; i < count; ++i) {
      // Short serials collide often, long ones are random, some are neighbours.
      std::string serial = random_serial(random, 1 + random() % (round % 2 == 0 ? 3 : 20));
      if (round % 3 == 0 && i > 0 && i % 2 == 0) {
        serial = spec.entries[i - 1].serial;
        serial.back() = serial.back() == '0' ? '1' : '0';
      }
      spec.entries.push_back({serial, static_cast<int>(random() % 7), {}, {}});
    }
    auto const crl = read_crl(make_crl(spec, ca()));
    auto const index = *build({{crl, "x"}});
    std::set<std::string> oracle;
    CrlEntry entry;
    for (auto cursor = crl->entries(); cursor.next(entry);) {
      ASSERT_FALSE(entry.negative);
      oracle.emplace(as_text(entry.serial));
    }
    EXPECT_EQ(index->entry_count(), count);
    for (auto const& serial : oracle) {
      EXPECT_TRUE(index->find(id(ca()), as_bytes(serial)));
      for (std::size_t at = 0; at < serial.size(); ++at) {
        std::string neighbour(serial);
        neighbour[at] = static_cast<char>(neighbour[at] ^ 1 << random() % 8);
        if (neighbour[0] == 0) continue;
        EXPECT_EQ(index->find(id(ca()), as_bytes(neighbour)).has_value(),
                  oracle.contains(neighbour));
      }
      std::string const shorter = serial.substr(serial.empty() ? 0 : 1);
      EXPECT_EQ(index->find(id(ca()), as_bytes(shorter)).has_value(), oracle.contains(shorter));
      EXPECT_EQ(index->find(id(ca()), as_bytes(serial + '\1')).has_value(),
                oracle.contains(serial + '\1'));
    }
  }
}

TEST(RevocationIndex, threat_41_an_entry_costs_at_most_32_bytes) {
  for (int const bytes : {16, 20}) {
    CrlSpec spec;
    std::mt19937 random(7);
    for (int i = 0; i < 20000; ++i) {
      spec.entries.push_back(
          {"1" + random_serial(random, static_cast<std::size_t>(bytes)).substr(1), 1, {}, {}});
    }
    auto const empty = *build({list({})});
    auto const full = *build({list(spec)});
    EXPECT_EQ(full->entry_count(), 20000u);
    EXPECT_LE(full->memory_bytes() - empty->memory_bytes(), 20000u * 32) << bytes;
  }
}

TEST(RevocationIndex, keeps_reason_and_date) {
  CrlSpec spec;
  spec.entries = {{"10", 1, 1500000000, {}}, {"11", -1, {}, {}}};
  auto const index = *build({list(spec)});
  auto const found = index->find(id(ca()), as_bytes("\x10"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->reason, RevocationReason::key_compromise);
  EXPECT_EQ(found->revoked_at, 1500000000);
  EXPECT_EQ(index->find(id(ca()), as_bytes("\x11"))->reason, RevocationReason::unspecified);
}

TEST(RevocationIndex, threat_30_same_serial_under_two_cas) {
  auto const index = *build({list(with_serials({"7777"})), list({}, other_ca(), "b.crl")});
  EXPECT_TRUE(finds(*index, "7777"));
  EXPECT_FALSE(finds(*index, "7777", other_ca()));
}

TEST(RevocationIndex, threat_30_negative_and_positive_serials_differ) {
  auto const index = *build({list(with_serials({"-80", "0090"}))});
  EXPECT_TRUE(index->find(id(ca()), as_bytes("\x80"), true));
  EXPECT_FALSE(index->find(id(ca()), as_bytes("\x80"), false));
  EXPECT_TRUE(index->find(id(ca()), as_bytes("\x90"), false));
  EXPECT_FALSE(index->find(id(ca()), as_bytes("\x90"), true));
  testing::CertificateSpec spec = testing::client_spec("negative");
  spec.serial = "-80";
  EXPECT_TRUE(index->find(id(ca()), *testing::issue(spec, &ca()).facts));
}

TEST(RevocationIndex, threat_32_and_37_two_cas_of_one_name) {
  Issued const twin = testing::make_ca("Index CA");
  auto const foreign = list(with_serials({"10"}), twin, "twin.crl");
  EXPECT_TRUE(error_of({foreign}).starts_with(
      "twin.crl: the CRL of \"CN=Index CA,O=Test\" cannot be trusted: it names another key"))
      << error_of({foreign});
  std::vector<Certificate::Pointer> const both{ca().facts, twin.facts};
  std::vector<LabelledCrl> const lists{foreign, list({})};
  auto const index = *RevocationIndex::build(lists, both);
  EXPECT_TRUE(finds(*index, "10", twin));
  EXPECT_FALSE(finds(*index, "10", ca()));
}

TEST(RevocationIndex, threat_37_lists_of_strangers_are_refused) {
  Issued const stranger = testing::make_ca("Stranger");
  EXPECT_EQ(error_of({list({}, stranger, "s.crl")}),
            "s.crl: the CRL of \"CN=Stranger,O=Test\" was issued by none of the CAs configured");
}

TEST(RevocationIndex, threat_38_going_backwards_is_refused) {
  auto const second = *build({list(with_serials({"10"}, "02"))});
  EXPECT_EQ(error_of({list(with_serials({}, "01"))}, second.get()),
            "a.crl: the CRL of \"CN=Index CA,O=Test\" goes backwards: number 02 is in force, this "
            "is number 01");
  EXPECT_EQ(error_of({list(with_serials({}, "02"))}, second.get()), "no error");
  EXPECT_EQ(error_of({list(with_serials({}, "0100"))}, second.get()), "no error");
  EXPECT_TRUE(error_of({list(with_serials({}, ""))}, second.get()).ends_with("without a number"));
  CrlSpec older = with_serials({}, "02");
  older.this_update = test_now() - 86400;
  EXPECT_NE(error_of({list(older)}, second.get()).find("goes backwards: one of "),
            std::string::npos);
  EXPECT_TRUE(build({list(with_serials({}, "01"))}, second.get(), OnOlderCrl::accept));
  // Another issuer's list is nobody's predecessor, and taking a list away is the operator's right.
  EXPECT_EQ(error_of({list(with_serials({}, "01"), other_ca())}, second.get()), "no error");
  // Each scope has numbers of its own: a higher one of another scope neither hides nor forbids.
  CrlSpec users = with_serials({"11"}, "03"), older_users = with_serials({}, "02");
  users.only_user = older_users.only_user = true;
  auto const all = list(with_serials({}, "05"));
  auto const both = *build({all, list(users)});
  EXPECT_NE(error_of({all, list(older_users)}, both.get()).find("number 03 is in force"),
            std::string::npos);
  EXPECT_EQ(error_of({list(users)}, both.get()), "no error");
}

TEST(RevocationIndex, of_one_scope_the_newest_counts) {
  auto const index = *build({list(with_serials({"10"}, "01"), ca(), "old.crl"),
                             list(with_serials({"11"}, "02"), ca(), "new.crl")});
  EXPECT_FALSE(finds(*index, "10"));
  EXPECT_TRUE(finds(*index, "11"));
  ASSERT_EQ(index->lists().size(), 1u);
  EXPECT_EQ(index->lists()[0].label, "new.crl");
}

TEST(RevocationIndex, threat_39_partitions_add_up_and_cover_their_own) {
  CrlSpec one = with_serials({"10"}), two = with_serials({"11"}), users = with_serials({"12"});
  one.point_uri = "http://crl.example.com/1";
  two.point_uri = "http://crl.example.com/2";
  two.next_update = test_now() - 1800;
  auto const index = *build({list(one), list(two)});
  EXPECT_TRUE(finds(*index, "10"));
  EXPECT_TRUE(finds(*index, "11"));
  testing::CertificateSpec spec = testing::client_spec("partitioned");
  auto const status_with = [&](std::vector<std::string> points) {
    spec.crl_points = std::move(points);
    auto const facts = testing::issue(spec, &ca()).facts;
    return index->coverage(id(ca()), *facts, test_now()).status;
  };
  EXPECT_EQ(status_with({"http://crl.example.com/1"}), CrlStatus::current);
  EXPECT_EQ(status_with({"http://crl.example.com/2"}), CrlStatus::expired);
  EXPECT_EQ(status_with({"http://crl.example.com/2", "http://crl.example.com/1"}),
            CrlStatus::current);
  EXPECT_EQ(status_with({"http://crl.example.com/3"}), CrlStatus::out_of_scope);
  EXPECT_EQ(status_with({}), CrlStatus::out_of_scope);
  users.only_user = true;
  auto const for_users = *build({list(users)});
  auto const leaf = testing::make_client("leaf", ca()).facts;
  EXPECT_EQ(for_users->coverage(id(ca()), *leaf, test_now()).status, CrlStatus::current);
  EXPECT_EQ(for_users->coverage(id(ca()), *ca().facts, test_now()).status, CrlStatus::out_of_scope);
}

TEST(RevocationIndex, threat_39_unusable_lists_are_refused_by_name) {
  CrlSpec indirect;
  indirect.indirect = true;
  EXPECT_EQ(error_of({list(indirect)}),
            "a.crl: the CRL of \"CN=Index CA,O=Test\" cannot be used: it is an indirect CRL");
}

TEST(RevocationIndex, threat_40_hold_and_future_dates_are_revoked_now) {
  CrlSpec spec;
  spec.entries = {{"10", 6, {}, {}}, {"11", 1, test_now() + 86400, {}}, {"12", 8, {}, {}}};
  auto const index = *build({list(spec)});
  EXPECT_EQ(index->find(id(ca()), as_bytes("\x10"))->reason, RevocationReason::certificate_hold);
  EXPECT_TRUE(finds(*index, "11"));
  EXPECT_TRUE(finds(*index, "12"));  // removeFromCRL means nothing in a complete list
  EXPECT_EQ(index->latest_revocation(id(ca())), test_now() + 86400);
  EXPECT_EQ(index->latest_revocation(id(other_ca())), 0);
}

TEST(RevocationIndex, threat_40_delta_adds_and_removes) {
  CrlSpec delta = with_serials({"20"}, "03");
  delta.base_number = "01";
  delta.entries.push_back({"11", 8, {}, {}});
  delta.entries.push_back({"12", 4, {}, {}});
  auto const index = *build({list(with_serials({"10", "11", "12"}, "02")), list(delta)});
  EXPECT_TRUE(finds(*index, "10"));
  EXPECT_FALSE(finds(*index, "11"));
  EXPECT_TRUE(finds(*index, "20"));
  EXPECT_EQ(index->find(id(ca()), as_bytes("\x12"))->reason, RevocationReason::superseded);
  EXPECT_EQ(index->entry_count(), 3u);
  EXPECT_EQ(index->lists().size(), 2u);
}

TEST(RevocationIndex, threat_26_delta_numbers_are_checked) {
  CrlSpec delta = with_serials({"20"}, "05");
  delta.base_number = "03";
  EXPECT_EQ(error_of({list(delta)}),
            "a.crl: the CRL of \"CN=Index CA,O=Test\" is a delta without its base");
  EXPECT_EQ(error_of({list(with_serials({}, "02")), list(delta, ca(), "d.crl")}),
            "d.crl: the CRL of \"CN=Index CA,O=Test\" is a delta to number 03, but the base has "
            "number 02");
  EXPECT_EQ(error_of({list(with_serials({}, "")), list(delta, ca(), "d.crl")}),
            "d.crl: the CRL of \"CN=Index CA,O=Test\" is a delta, but its base has no CRL number");
  // A base that is newer than the delta has all of it already.
  auto const newer = *build({list(with_serials({"10"}, "06")), list(delta)});
  EXPECT_FALSE(finds(*newer, "20"));
  EXPECT_EQ(newer->lists().size(), 1u);
  // Dropping a delta would un-revoke what it revoked.
  auto const with_delta = *build({list(with_serials({}, "04")), list(delta)});
  EXPECT_NE(error_of({list(with_serials({}, "04"))}, with_delta.get()).find("goes backwards"),
            std::string::npos);
}

TEST(RevocationIndex, coverage_ends_at_next_update) {
  CrlSpec spec;
  spec.next_update = test_now() + 100;
  auto const index = *build({list(spec)});
  auto const leaf = testing::make_client("leaf", ca()).facts;
  auto const coverage = index->coverage(id(ca()), *leaf, test_now());
  EXPECT_EQ(coverage.status, CrlStatus::current);
  EXPECT_EQ(coverage.until, test_now() + 99);
  EXPECT_EQ(index->coverage(id(ca()), *leaf, test_now() + 99).status, CrlStatus::current);
  EXPECT_EQ(index->coverage(id(ca()), *leaf, test_now() + 100).status, CrlStatus::expired);
  spec.no_next_update = true;
  auto const endless = *build({list(spec)});
  EXPECT_EQ(endless->coverage(id(ca()), *leaf, test_now() + 1000000000).status, CrlStatus::current);
}

// What pages and warnings say of an end is what enforcement takes for it.
TEST(RevocationIndex, a_base_and_its_delta_count_until_both_have_ended) {
  auto const leaf = testing::make_client("leaf", ca()).facts;
  for (auto const& [base_ends, delta_ends] : {std::pair{100, 900}, std::pair{900, 100}}) {
    CrlSpec base = with_serials({"10"}, "02"), delta = with_serials({"20"}, "03");
    delta.base_number = "02";
    base.next_update = test_now() + base_ends;
    delta.next_update = test_now() + delta_ends;
    auto const index = *build({list(base), list(delta)});
    EXPECT_EQ(index->coverage(id(ca()), *leaf, test_now() + 899).status, CrlStatus::current);
    EXPECT_EQ(index->coverage(id(ca()), *leaf, test_now() + 900).status, CrlStatus::expired);
    for (CrlFacts const& facts : index->lists()) {
      EXPECT_EQ(facts.counts_until, test_now() + 900);
      EXPECT_EQ(facts.next_update, test_now() + (facts.is_delta ? delta_ends : base_ends));
    }
  }
  CrlSpec endless = with_serials({}, "02");
  endless.no_next_update = true;
  EXPECT_FALSE((*build({list(endless)}))->lists().front().counts_until);
}

TEST(RevocationIndex, of_lists_that_cover_the_same_the_one_that_counts_longest_decides) {
  auto const leaf = testing::make_client("leaf", ca()).facts;
  CrlSpec all = with_serials({}), users = with_serials({});
  users.only_user = true;
  all.next_update = test_now() + 100;
  users.next_update = test_now() + 900;
  for (auto const& lists : {std::vector{list(all), list(users)}, std::vector{list(users), list(all)}}) {
    auto const coverage = (*build(lists))->coverage(id(ca()), *leaf, test_now());
    EXPECT_EQ(coverage.status, CrlStatus::current);
    EXPECT_EQ(coverage.until, test_now() + 899);
  }
}

TEST(RevocationIndex, of_several_deltas_the_newest_counts) {
  CrlSpec older = with_serials({"20"}, "03"), newer = with_serials({"21"}, "04");
  older.base_number = newer.base_number = "01";
  auto const base = list(with_serials({"10"}, "02"));
  for (auto const& deltas : {std::vector{list(older), list(newer)}, std::vector{list(newer), list(older)}}) {
    auto const index = *build({base, deltas[0], deltas[1]});
    EXPECT_TRUE(finds(*index, "10"));
    EXPECT_FALSE(finds(*index, "20"));
    EXPECT_TRUE(finds(*index, "21"));
    EXPECT_EQ(highest_number(index->lists()), "04");
  }
}

TEST(RevocationIndex, numbers_are_compared_by_value) {
  EXPECT_TRUE(compare_crl_numbers("", "00") < 0);
  EXPECT_TRUE(compare_crl_numbers("FF", "0100") < 0);
  EXPECT_TRUE(compare_crl_numbers("0A", "09") > 0);
  EXPECT_TRUE(compare_crl_numbers("\x80", "\x7F") > 0);
  EXPECT_TRUE(compare_crl_numbers("0B", "0B") == 0);
  CrlSpec delta = with_serials({}, "0100");
  delta.base_number = "FF";
  auto const index = *build({list(with_serials({}, "FF")), list(delta)});
  EXPECT_EQ(highest_number(index->lists()), "0100");
  EXPECT_EQ(highest_number({}), "");
}

}  // namespace
}  // namespace certgate::x509
