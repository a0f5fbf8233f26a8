// Serials, names, profiles, reasons: the values that a certificate is made of.
#include <gtest/gtest.h>

#include <set>

#include "certgate/pki/alternative_name.hpp"
#include "certgate/pki/profile.hpp"
#include "certgate/pki/revocation.hpp"
#include "certgate/pki/serial.hpp"

namespace certgate::pki {
namespace {

TEST(Serial, is_random_and_positive) {
  std::set<std::string> seen;
  bool top_bit = false;
  for (int i = 0; i < 200; ++i) {
    auto const serial = Serial::random().value();
    EXPECT_LE(serial.bytes().size(), random_serial_bytes);
    EXPECT_TRUE(seen.insert(serial.hex()).second);
    top_bit = top_bit || (static_cast<unsigned char>(serial.bytes()[0]) & 0x80) != 0;
  }
  EXPECT_TRUE(top_bit) << "all 128 bits are random, the first too";
}

struct SerialCase {
  char const* text;
  char const* hex;  // null: refused
};
class SerialText : public testing::TestWithParam<SerialCase> {};
TEST_P(SerialText, has_one_canonical_form) {
  auto const serial = Serial::parse(GetParam().text);
  ASSERT_EQ(serial.has_value(), GetParam().hex != nullptr);
  if (serial) {
    EXPECT_EQ(serial->hex(), GetParam().hex);
  }
}
INSTANTIATE_TEST_SUITE_P(
    Forms, SerialText,
    testing::Values(SerialCase{"0a", "0A"}, SerialCase{"A", "0A"}, SerialCase{"00:0a:FF", "0AFF"},
                    SerialCase{"0x1234", "1234"}, SerialCase{"", nullptr}, SerialCase{"0", nullptr},
                    SerialCase{"xyz", nullptr}, SerialCase{"-1", nullptr},
                    SerialCase{"ffffffffffffffffffffffffffffffffffffffff",
                               "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"},
                    SerialCase{"01ffffffffffffffffffffffffffffffffffffffff", nullptr}));

struct NameCase {
  NameKind kind;
  std::string_view text;
  bool fine;
};
void PrintTo(NameCase const& c, std::ostream* out) {
  *out << name_of(c.kind) << ' ' << c.text.substr(0, 40);
}
class Names : public testing::TestWithParam<NameCase> {};
TEST_P(Names, are_checked) {
  EXPECT_EQ(AlternativeName::parse(GetParam().kind, GetParam().text).has_value(), GetParam().fine);
}
std::string const label_63(63, 'a');
std::string const label_64(64, 'a');
INSTANTIATE_TEST_SUITE_P(
    Kinds, Names,
    testing::Values(
        NameCase{NameKind::dns, "example.com", true},
        NameCase{NameKind::dns, "*.example.com", true}, NameCase{NameKind::dns, "sensor_7", true},
        NameCase{NameKind::dns, label_63, true}, NameCase{NameKind::dns, label_64, false},
        NameCase{NameKind::dns, "", false}, NameCase{NameKind::dns, "*", false},
        NameCase{NameKind::dns, "a.*.com", false}, NameCase{NameKind::dns, "example.com.", false},
        NameCase{NameKind::dns, ".example.com", false},
        NameCase{NameKind::dns, std::string_view("a\0.com", 6), false},
        NameCase{NameKind::dns, "-a.com", false}, NameCase{NameKind::dns, "192.0.2.1", false},
        NameCase{NameKind::dns, "b\xc3\xbc.de", false},
        NameCase{NameKind::uri, "spiffe://example.org/a", true},
        NameCase{NameKind::uri, "urn:uuid:1", true}, NameCase{NameKind::uri, "//host/a", false},
        NameCase{NameKind::uri, "http://a b", false}, NameCase{NameKind::uri, "1x:y", false},
        NameCase{NameKind::uri, "x:", false}, NameCase{NameKind::uri, "http://a\n", false},
        NameCase{NameKind::email, "ann@example.org", true},
        NameCase{NameKind::email, "ann+phone@example.org", true},
        NameCase{NameKind::email, "ann", false}, NameCase{NameKind::email, "@example.org", false},
        NameCase{NameKind::email, "a@b@c", false}, NameCase{NameKind::email, "a b@c", false},
        NameCase{NameKind::ip, "10.0.0.1", true}, NameCase{NameKind::ip, "2001:db8::1", true},
        NameCase{NameKind::ip, "10.0.0.0/8", false}, NameCase{NameKind::ip, "localhost", false}));

TEST(Subject, counts_characters_not_bytes) {
  std::string umlauts;
  for (int i = 0; i < 64; ++i) umlauts += "ü";
  EXPECT_TRUE(check_subject({umlauts, {}, {}}));
  EXPECT_FALSE(check_subject({umlauts + "ü", {}, {}}));
  for (std::string const bad : {"\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xff", "a\nb", "\xc2\x85"}) {
    EXPECT_FALSE(check_subject({bad, {}, {}})) << bad;
  }
}

TEST(Profile, keeps_authorities_out_of_the_offer) {
  EXPECT_EQ(device_profile_names(),
            (std::vector<std::string_view>{"mobile", "iot", "service", "server"}));
  EXPECT_TRUE(profile_of(ProfileKind::root).is_authority);
  EXPECT_FALSE(parse_profile("admin"));
}

TEST(Reason, is_read_in_every_usual_spelling) {
  for (auto const name : reason_names()) EXPECT_EQ(name_of(*parse_reason(name)), name);
  EXPECT_EQ(parse_reason("key-compromise"), RevocationReason::key_compromise);
  EXPECT_EQ(parse_reason("KEY_COMPROMISE"), RevocationReason::key_compromise);
  EXPECT_FALSE(parse_reason("removeFromCRL")) << "belongs to delta lists only";
  EXPECT_FALSE(parse_reason("boredom"));
}

TEST(State, changes_only_as_rfc_5280_allows) {
  using enum RecordedState;
  auto const hold = RevocationReason::certificate_hold;
  auto const gone = RevocationReason::key_compromise;
  EXPECT_EQ(*state_after_revoking(active, gone), revoked);
  EXPECT_EQ(*state_after_revoking(active, hold), held);
  EXPECT_EQ(*state_after_revoking(held, gone), revoked);
  EXPECT_FALSE(state_after_revoking(held, hold));
  EXPECT_FALSE(state_after_revoking(revoked, hold));
  EXPECT_FALSE(state_after_revoking(revoked, gone));
  EXPECT_EQ(*state_after_restoring(held), active);
  EXPECT_FALSE(state_after_restoring(revoked));
  EXPECT_FALSE(state_after_restoring(active));
}

TEST(Status, expires_the_second_after_the_end) {
  EXPECT_EQ(status_at(RecordedState::active, 100, 100), Status::active);
  EXPECT_EQ(status_at(RecordedState::active, 100, 101), Status::expired);
  EXPECT_EQ(status_at(RecordedState::revoked, 100, 101), Status::revoked);
  EXPECT_EQ(status_at(RecordedState::held, 100, 101), Status::held);
}

TEST(StaysOnList, follows_rfc_5280_section_5) {
  EXPECT_TRUE(stays_on_list(100, 50, std::nullopt));
  EXPECT_TRUE(stays_on_list(100, 50, 100));
  EXPECT_FALSE(stays_on_list(100, 50, 101));
  EXPECT_TRUE(stays_on_list(100, 150, 120)) << "revoked after its end, never listed yet";
}

}  // namespace
}  // namespace certgate::pki
