// Lines that were put together from ready parts are those that would have been formatted.
#include "ready_members.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "record_format.hpp"

namespace certgate::telemetry {
namespace {

std::string line_of(AccessRecord const& record) {
  std::string out;
  append_json(record, out);
  return out;
}

std::string line_of(AccessRecord const& record, ReadyMembers& ready) {
  std::string out(worst_case_size(record), '\0');
  out.resize(static_cast<std::size_t>(write_json(record, out.data(), ready) - out.data()));
  return out;
}

// One client; records point into it.
struct Client {
  std::string address, sni, subject, serial;
  bool resumed = false;

  explicit Client(std::uint64_t number)
      : address("192.0.2." + std::to_string(number)),
        sni(number % 3 == 0 ? "" : "api.example.com"),
        subject("CN=\"client\" " + std::to_string(number)),
        serial(std::to_string(number * 7919)),
        resumed(number % 2 == 0) {}

  AccessRecord record(std::uint64_t number) const {
    AccessRecord record;
    record.connection = number;
    record.client_address = address;
    record.client_port = static_cast<std::uint16_t>(number);
    record.listener = "0.0.0.0:8443";
    record.sni = sni;
    record.tls_version = "TLSv1.3";
    record.tls_cipher = "TLS_AES_128_GCM_SHA256";
    record.tls_resumed = resumed;
    record.certificate.presented = true;
    record.certificate.verdict = CertificateVerdict::verified;
    record.certificate.subject = subject;
    record.certificate.issuer = "CN=Example CA";
    record.certificate.serial = serial;
    return record;
  }
};

TEST(ReadyMembers, give_the_line_that_would_have_been_formatted) {
  std::mt19937 random{3};
  std::vector<Client> clients;
  // Three times as many connections as places.
  constexpr std::uint64_t count = 3 * ReadyMembers::places;
  for (std::uint64_t number = 1; number <= count; ++number) clients.emplace_back(number);
  ReadyMembers ready;
  for (int round = 0; round < 20'000; ++round) {
    auto const near = random() % 2 == 0;  // often the same few, so that much is found
    std::uint64_t const number = 1 + random() % (near ? 16 : count);
    auto record = clients[number - 1].record(random() % 8 == 0 ? 0 : number);
    record.client_port = static_cast<std::uint16_t>(number);
    record.status = static_cast<unsigned>(random() % 600);
    record.path = random() % 2 == 0 ? "/a" : "/\"b\"";
    // Another host may not ask for certificates, or judge otherwise.
    record.certificate.presented = random() % 4 != 0;
    if (random() % 4 == 0) record.certificate.verdict = CertificateVerdict::revoked;
    if (random() % 4 == 0) record.certificate.reason = "certificate \"revoked\"";
    if (random() % 64 == 0) ready.release();
    ready.expect(record.connection);
    ASSERT_EQ(line_of(record, ready), line_of(record));
  }
}

TEST(ReadyMembers, are_kept_for_records_whose_connection_has_a_number) {
  Client const client{5};
  ReadyMembers ready;
  auto const nameless = client.record(0);
  line_of(nameless, ready);
  EXPECT_EQ(ready.find(nameless), nullptr);
  auto const record = client.record(5);
  EXPECT_EQ(ready.find(record), nullptr);
  line_of(record, ready);
  ASSERT_NE(ready.find(record), nullptr);
  EXPECT_EQ(
      ready.find(record)->tls(),
      R"(,"tls_version":"TLSv1.3","tls_cipher":"TLS_AES_128_GCM_SHA256","tls_resumed":false)");
  EXPECT_EQ(ready.find(client.record(5 + ReadyMembers::places)), nullptr) << "has the same place";
  ready.release();
  EXPECT_EQ(ready.find(record), nullptr);
}

TEST(ReadyMembers, certificate_that_was_not_in_the_first_record_is_added) {
  Client const client{5};
  ReadyMembers ready;
  auto without = client.record(5);
  without.certificate = {};
  line_of(without, ready);
  EXPECT_NE(ready.find(without), nullptr);
  auto const with = client.record(5);
  EXPECT_EQ(ready.find(with), nullptr);
  line_of(with, ready);
  EXPECT_NE(ready.find(with), nullptr);
  EXPECT_NE(ready.find(without), nullptr);
}

TEST(ReadyMembers, are_kept_up_to_their_limit) {
  Client client{5};
  ReadyMembers ready;
  client.subject = "";
  auto record = client.record(5);
  line_of(record, ready);
  auto const* const place = ready.find(record);
  ASSERT_NE(place, nullptr);
  auto const others = place->client().size() + place->tls().size() + place->certificate().size() +
                      std::string_view{R"(,"cert_subject":"")"}.size();
  for (std::size_t const more : {0, 1}) {
    ready.release();
    client.subject.assign(ReadyMembers::max_kept_bytes - others + more, 's');
    record = client.record(5);
    EXPECT_EQ(line_of(record, ready), line_of(record));
    EXPECT_EQ(ready.find(record) != nullptr, more == 0);
  }
}

}  // namespace
}  // namespace certgate::telemetry
