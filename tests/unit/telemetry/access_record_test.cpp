// The access log's lines: every fact is there, nothing a peer sends can break them.
#include "certgate/telemetry/access_record.hpp"

#include <gtest/gtest.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "line_writer.hpp"
#include "record_format.hpp"

namespace certgate::telemetry {
namespace {

using std::chrono::microseconds;
using Json = nlohmann::json;

constexpr std::string_view matched_rules[] = {"watch sensors", "watch admin"};

std::chrono::system_clock::time_point at_micro(std::int64_t us) {
  return std::chrono::system_clock::time_point{microseconds{us}};
}

AccessRecord full_record() {
  AccessRecord record;
  record.time = at_micro(1772366400123456);
  record.request_id = "0192f0c1a5b87d3e";
  record.client_address = "192.0.2.7";
  record.client_port = 50123;
  record.listener = "0.0.0.0:8443";
  record.sni = "api.example.com";
  record.host = "api.example.com";
  record.method = "GET";
  record.path = "/v1/things/42";
  record.query = "full=1";
  record.protocol = "HTTP/1.1";
  record.user_agent = "sensor/2.1";
  record.status = 200;
  record.bytes_in = 912;
  record.bytes_out = 1290;
  record.handshake = microseconds{1834};
  record.origin_connect = microseconds{211};
  record.origin_time = microseconds{734};
  record.total = microseconds{801};
  record.tls_version = "TLSv1.3";
  record.tls_cipher = "TLS_AES_128_GCM_SHA256";
  record.tls_resumed = true;
  record.certificate.presented = true;
  record.certificate.verdict = CertificateVerdict::expired;
  record.certificate.reason = "certificate has expired";
  record.certificate.subject = "CN=sensor-7,O=Example";
  record.certificate.issuer = "CN=Example Client CA";
  record.certificate.serial = "0A1B2C";
  record.certificate.fingerprint =
      "af363dc85bc942a892d3cee9796190fdb36d89cd588a4f1cb17c74a943439714";
  record.action = RequestAction::allowed;
  record.rule = "devices only";
  record.logging_rules = matched_rules;
  record.shadow = "block by \"strict devices\"";
  record.origin = "api";
  record.origin_server = "127.0.0.1:9000";
  record.origin_attempts = 2;
  record.failure = "origin_retry";
  return record;
}

std::string json_of(auto const& record) {
  std::string out;
  append_json(record, out);
  return out;
}
std::string text_of(auto const& record) {
  std::string out;
  append_text(record, out);
  return out;
}

TEST(AccessRecordJson, has_every_fact) {
  EXPECT_EQ(
      json_of(full_record()),
      R"({"time":"2026-03-01T12:00:00.123456Z","event":"request","request_id":"0192f0c1a5b87d3e",)"
      R"("client":"192.0.2.7","client_port":50123,"listener":"0.0.0.0:8443",)"
      R"("sni":"api.example.com","host":"api.example.com","method":"GET","path":"/v1/things/42",)"
      R"("query":"full=1","protocol":"HTTP/1.1","status":200,"bytes_in":912,"bytes_out":1290,)"
      R"("handshake_us":1834,"origin_connect_us":211,"origin_us":734,"total_us":801,)"
      R"("tls_version":"TLSv1.3","tls_cipher":"TLS_AES_128_GCM_SHA256","tls_resumed":true,)"
      R"("cert_verdict":"expired","cert_reason":"certificate has expired",)"
      R"("cert_subject":"CN=sensor-7,O=Example","cert_issuer":"CN=Example Client CA",)"
      R"("cert_serial":"0A1B2C","cert_fingerprint":)"
      R"("af363dc85bc942a892d3cee9796190fdb36d89cd588a4f1cb17c74a943439714",)"
      R"("action":"allowed","rule":"devices only","log_rules":["watch sensors","watch admin"],)"
      R"("shadow":"block by \"strict devices\"","origin":"api","origin_server":"127.0.0.1:9000",)"
      R"("origin_attempts":2,"failure":"origin_retry","user_agent":"sensor/2.1"})"
      "\n");
}

TEST(AccessRecordText, has_every_fact) {
  EXPECT_EQ(text_of(full_record()),
            "2026-03-01T12:00:00.123456Z 192.0.2.7:50123 api.example.com "
            "\"GET /v1/things/42?full=1 HTTP/1.1\" 200 in=912 out=1290 handshake=1834us "
            "connect=211us origin_time=734us total=801us action=allowed rule=\"devices only\" "
            "log_rule=\"watch sensors\" log_rule=\"watch admin\" "
            "shadow=\"block by \\\"strict devices\\\"\" failure=origin_retry cert=expired "
            "cert_reason=\"certificate has expired\" subject=\"CN=sensor-7,O=Example\" "
            "issuer=\"CN=Example Client CA\" serial=0A1B2C "
            "fingerprint=af363dc85bc942a892d3cee9796190fdb36d89cd588a4f1cb17c74a943439714 "
            "origin=api server=127.0.0.1:9000 attempts=2 tls=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256 "
            "resumed sni=api.example.com listener=0.0.0.0:8443 id=0192f0c1a5b87d3e "
            "agent=sensor/2.1\n");
}

TEST(AccessRecord, may_be_empty) {
  EXPECT_EQ(json_of(AccessRecord{}),
            R"({"time":"1970-01-01T00:00:00.000000Z","event":"request","status":0,"bytes_in":0,)"
            R"("bytes_out":0,"cert_verdict":"not_asked","action":"refused"})"
            "\n");
  EXPECT_EQ(text_of(AccessRecord{}),
            "1970-01-01T00:00:00.000000Z - - \"-\" 0 in=0 out=0 action=refused cert=not_asked\n");
  EXPECT_EQ(json_of(HandshakeRecord{}),
            R"({"time":"1970-01-01T00:00:00.000000Z","event":"handshake_failed",)"
            R"("cert_verdict":"not_asked"})"
            "\n");
  EXPECT_EQ(text_of(HandshakeRecord{}),
            "1970-01-01T00:00:00.000000Z - handshake failed cert=not_asked\n");
}

TEST(HandshakeRecord, carries_certificate_reason_and_alert) {
  HandshakeRecord record;
  record.client_address = "2001:db8::7";
  record.client_port = 4711;
  record.listener = "[::]:8443";
  record.sni = "api.example.com";
  record.handshake = microseconds{950};
  record.tls_version = "TLSv1.2";
  record.certificate = full_record().certificate;
  record.reason = "error:0A000086:SSL routines::certificate verify failed";
  record.alert = "certificate_expired";
  record.failure = "handshake_certificate";
  auto const json = Json::parse(json_of(record));
  EXPECT_EQ(json["event"], "handshake_failed");
  EXPECT_EQ(json["cert_serial"], "0A1B2C");
  EXPECT_EQ(json["reason"], record.reason);
  EXPECT_EQ(json["alert"], "certificate_expired");
  EXPECT_EQ(json["failure"], "handshake_certificate");
  EXPECT_EQ(json["client_port"], 4711);
  EXPECT_TRUE(text_of(record).starts_with(
      "1970-01-01T00:00:00.000000Z [2001:db8::7]:4711 handshake failed "
      "failure=handshake_certificate reason=\"error:0A000086:SSL routines::certificate verify "
      "failed\" alert=certificate_expired cert=expired"))
      << text_of(record);
}

// threats.md 52: quotes, ANSI escapes and line feeds in a name must not forge a line.
TEST(AccessRecord, what_a_peer_sends_cannot_break_a_line) {
  auto record = full_record();
  record.certificate.subject = "CN=x\",\"rule\":\"forged\n\x1B[2J\x7F\xC2\x9B";
  record.path = "/a\"b\r\nHTTP/1.1 200";
  record.rule = "a=b c";
  std::string const json = json_of(record);
  EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 1);
  EXPECT_EQ(Json::parse(json)["rule"], "a=b c");
  EXPECT_EQ(Json::parse(json)["cert_subject"], record.certificate.subject);
  for (std::string const& line : {json, text_of(record)}) {
    EXPECT_EQ(line.find('\x1B'), std::string::npos);
    EXPECT_EQ(line.find('\r'), std::string::npos);
    EXPECT_EQ(line.find('\x7F'), std::string::npos);
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  }
  EXPECT_NE(text_of(record).find(R"("GET /a\"b\r\nHTTP/1.1 200?full=1 HTTP/1.1")"),
            std::string::npos);
}

TEST(AccessRecord, long_texts_are_cut_at_the_limit) {
  AccessRecord record;
  std::string const most(max_logged_text, 'a');
  std::string const more = most + 'b';
  record.path = most;
  EXPECT_EQ(Json::parse(json_of(record))["path"], most);
  record.path = more;
  EXPECT_EQ(Json::parse(json_of(record))["path"], most + "...");
  EXPECT_LE(text_of(record).size(), worst_case_size(record));
}

TEST(AccessRecord, logs_sixteen_rules_at_most) {
  AccessRecord record;
  std::vector<std::string_view> const rules(17, "r");
  record.logging_rules = rules;
  EXPECT_EQ(Json::parse(json_of(record))["log_rules"].size(), 16u);
}

std::vector<std::string_view*> texts_of(AccessRecord& record) {
  return {&record.request_id,
          &record.client_address,
          &record.listener,
          &record.sni,
          &record.host,
          &record.method,
          &record.path,
          &record.query,
          &record.protocol,
          &record.user_agent,
          &record.tls_version,
          &record.tls_cipher,
          &record.certificate.reason,
          &record.certificate.subject,
          &record.certificate.issuer,
          &record.certificate.serial,
          &record.certificate.fingerprint,
          &record.rule,
          &record.shadow,
          &record.origin,
          &record.origin_server,
          &record.failure};
}

// Bytes of every kind, of every length, in every field: always JSON, always one line, never longer
// than was promised.
TEST(AccessRecord, formatting_is_total) {
  std::mt19937 random{11};
  for (int round = 0; round < 2000; ++round) {
    auto record = full_record();
    auto const texts = texts_of(record);
    std::vector<std::string> held(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      held[i].resize(random() % 40);
      bool const wild = random() % 3 == 0;
      for (char& c : held[i]) c = static_cast<char>(wild ? random() & 0xFF : 'a' + random() % 26);
      *texts[i] = held[i];
    }
    record.certificate.presented = random() % 2 == 0;
    record.status = random() % 2 == 0 ? static_cast<unsigned>(random()) : 200;
    std::string const json = json_of(record);
    std::string const text = text_of(record);
    ASSERT_TRUE(Json::accept(json)) << json;
    ASSERT_EQ(json.find('\n'), json.size() - 1);
    ASSERT_EQ(text.find('\n'), text.size() - 1);
    ASSERT_LE(json.size() + LineWriter::slack, worst_case_size(record));
    ASSERT_LE(text.size() + LineWriter::slack, worst_case_size(record));
  }
}

TEST(AccessRecord, skeleton_leaves_room_for_the_widest_numbers) {
  auto record = full_record();
  std::string const controls(200, '\x01');
  for (auto* text : texts_of(record)) *text = controls;
  std::vector<std::string_view> const rules(16, controls);
  record.logging_rules = rules;
  record.client_port = 65535;
  record.status = ~0u;
  record.bytes_in = record.bytes_out = ~0ull;
  record.handshake = record.origin_connect = record.origin_time = record.total =
      microseconds::max();
  record.origin_attempts = ~0u;
  EXPECT_LE(json_of(record).size() + LineWriter::slack, worst_case_size(record));
  EXPECT_LE(text_of(record).size() + LineWriter::slack, worst_case_size(record));
}

TEST(LineWriter, time_agrees_with_the_library) {
  std::mt19937_64 random{5};
  for (int i = 0; i < 3000; ++i) {
    // What the clock can express: 1684 to 2255.
    auto const seconds = static_cast<std::int64_t>(random() % 18'000'000'000ull) - 9'000'000'000;
    auto const micro = static_cast<int>(random() % 1000000);
    char written[LineWriter::time_size];
    LineWriter out{written};
    out.time(at_micro(seconds * 1000000 + micro));
    std::time_t const as_time = seconds;
    std::tm civil{};
    ASSERT_NE(gmtime_r(&as_time, &civil), nullptr);
    char expected[64];
    std::snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
                  civil.tm_year + 1900, civil.tm_mon + 1, civil.tm_mday, civil.tm_hour,
                  civil.tm_min, civil.tm_sec, micro);
    ASSERT_EQ(std::string_view(written, static_cast<std::size_t>(out.end() - written)), expected);
  }
}

TEST(LineWriter, numbers_agree_with_the_library) {
  std::vector<std::uint64_t> values{0, 12345, ~std::uint64_t{0}};
  for (std::uint64_t power = 1; power <= 1'000'000'000'000'000'000; power *= 10) {
    for (std::uint64_t const value : {power - 1, power, power + 1, 9 * power}) values.push_back(value);
  }
  values.push_back(9'999'999'999'999'999'999u);
  values.push_back(10'000'000'000'000'000'000u);
  for (std::uint64_t const value : values) {
    char written[LineWriter::number_size];
    LineWriter out{written};
    out.number(value);
    EXPECT_EQ(std::string_view(written, static_cast<std::size_t>(out.end() - written)),
              std::to_string(value));
  }
}

}  // namespace
}  // namespace certgate::telemetry
