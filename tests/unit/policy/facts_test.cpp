// The value of every field, for requests and certificates of every kind.
#include "certgate/policy/facts.hpp"

#include <gtest/gtest.h>

#include "unit/policy/request_fixture.hpp"

namespace certgate::policy {
namespace {

FillPlan plan_of(rules::FieldId id) {
  rules::FieldSet fields;
  fields.insert(id);
  return FillPlan{fields};
}

// As text: booleans and numbers as they are written, bytes as themselves.
std::string value_text(Facts const& facts, rules::FieldId id) {
  static Scratch scratch;
  if (!fill_values(facts, plan_of(id), scratch)) return "(scratch too small)";
  auto const& value = scratch.values()[id];
  EXPECT_TRUE(rules::has_type(value, field_table()[id].type)) << field_table()[id].name;
  EXPECT_FALSE(value.is_missing()) << field_table()[id].name;
  if (value.kind() == rules::Kind::array || value.kind() == rules::Kind::map) {
    return rules::format_value(value, 10'000);
  }
  std::string text;
  rules::append_text(text, value);
  return text;
}
std::string value_text(Facts const& facts, Field field) { return value_text(facts, id_of(field)); }

TEST(CertificateFields, each_animal_of_the_zoo_has_the_expected_value_of_every_field) {
  auto const client = zoo_policy();
  std::size_t compared = 0;
  for (auto const& animal : zoo().animals) {
    auto const chain = chain_of(animal);
    if (!chain) continue;
    auto const request = make_client_request("https://api.example.com/", chain, &client);
    for (auto id = id_of(Field::cert_presented); id < id_of(Field::ssl); ++id) {
      std::string name{field_table()[id].name};
      name.erase(0, std::string_view{"cf.tls_client_auth."}.size());
      auto const expected = animal.fields.find(name);
      if (expected == animal.fields.end()) continue;
      EXPECT_EQ(value_text(request->facts(), id), expected->second) << animal.name << " " << name;
      ++compared;
    }
    EXPECT_EQ(value_text(request->facts(), Field::cert_verified),
              animal.verified ? "true" : "false")
        << animal.name;
    EXPECT_EQ(value_text(request->facts(), Field::cert_revoked), animal.revoked ? "true" : "false")
        << animal.name;
  }
  EXPECT_GT(compared, 40u * 10u);
}

TEST(CertificateFields, default_to_false_and_empty_without_a_certificate) {
  auto const client = zoo_policy();
  for (auto const* policy : {static_cast<x509::ClientPolicy const*>(nullptr), &client}) {
    auto const request = make_client_request("https://api.example.com/", nullptr, policy);
    for (auto id = id_of(Field::cert_presented); id < id_of(Field::ssl); ++id) {
      auto const expected = field_table()[id].type == rules::bool_type ? "false" : "";
      EXPECT_EQ(value_text(request->facts(), id), expected) << field_table()[id].name;
    }
  }
}

TEST(CertificateFields, a_host_that_does_not_ask_sees_no_certificate) {
  auto const off = zoo_policy(x509::ClientAuthMode::off);
  auto const request =
      make_client_request("https://api.example.com/", chain_of(zoo().animals.front()), &off);
  EXPECT_EQ(value_text(request->facts(), Field::cert_presented), "false");
  EXPECT_EQ(value_text(request->facts(), Field::cert_serial), "");
}

struct Case {
  char const* name;
  Field field;
  std::string expected;
};
void PrintTo(Case const& c, std::ostream* out) { *out << c.name; }

class RequestFields : public ::testing::TestWithParam<Case> {};

TEST_P(RequestFields, value) {
  SampleText text;
  text.method = "POST";
  text.url = "https://API.Example.com.:8443/a/./%62/../C.TXT?q=1&Q=%32&q=2&flag&x=";
  text.source_ip = IpAddress::parse("2001:db8::7");
  text.headers = {{"User-Agent", "one/1"},
                  {"X-Many", "1"},
                  {"Cookie", "a=1; %62=2"},
                  {"x-many", "2"},
                  {"Accept-Language", "fr-CH, fr;q=0.8, en;q=0.9, de;q=0.7, *;q=0.5, it;q=0"},
                  {"Cookie", "b=3"},
                  {"Client-Cert", ":forged:"},
                  {"X-Forwarded-For", "192.0.2.9"},
                  {"X-Forwarded-For", ""},
                  {"X-Forwarded-For", "192.0.2.10"}};
  auto const request = make_request(text);
  EXPECT_EQ(value_text(request->facts(), GetParam().field), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Table, RequestFields,
    ::testing::Values(
        Case{"ssl", Field::ssl, "true"}, Case{"tls_version", Field::tls_version, "TLSv1.3"},
        Case{"tls_cipher", Field::tls_cipher, "TLS_AES_256_GCM_SHA384"},
        Case{"hello_length", Field::tls_client_hello_length, "0"},
        Case{"hello_random", Field::tls_client_random, ""},
        Case{"hello_extensions", Field::tls_client_extensions_sha1, ""},
        Case{"hello_extensions_le", Field::tls_client_extensions_sha1_le, ""},
        Case{"hello_ciphers", Field::tls_ciphers_sha1, ""},
        Case{"ip_src", Field::ip_src, "2001:db8::7"},
        Case{"server_ip", Field::edge_server_ip, "127.0.0.1"},
        Case{"server_port", Field::edge_server_port, "8443"},
        Case{"client_tcp", Field::edge_client_tcp, "true"},
        Case{"ray_id", Field::ray_id, "00000000000000000000000000000000"},
        Case{"random_seed", Field::random_seed, "sample request"},
        Case{"sec", Field::timestamp_sec, std::to_string(fixture_now)},
        Case{"msec", Field::timestamp_msec, "0"},
        Case{"host_is_canonical", Field::host, "api.example.com"},
        Case{"method", Field::method, "POST"}, Case{"version", Field::version, "HTTP/1.1"},
        Case{"full_uri", Field::full_uri, "https://api.example.com/a/C.TXT?q=1&Q=%32&q=2&flag&x="},
        Case{"uri", Field::uri, "/a/C.TXT?q=1&Q=%32&q=2&flag&x="},
        Case{"path_is_normalised", Field::path, "/a/C.TXT"},
        Case{"extension_is_lower_case", Field::path_extension, "txt"},
        Case{"query", Field::query, "q=1&Q=%32&q=2&flag&x="},
        Case{"args", Field::args, R"({"q": ["1" "2"], "Q": ["%32"], "flag": [""], "x": [""]})"},
        Case{"args_names", Field::args_names, R"(["q" "Q" "q" "flag" "x"])"},
        Case{"args_values", Field::args_values, R"(["1" "%32" "2" "" ""])"},
        Case{"raw_full_uri", Field::raw_full_uri,
             "https://api.example.com/a/./%62/../C.TXT?q=1&Q=%32&q=2&flag&x="},
        Case{"raw_uri", Field::raw_uri, "/a/./%62/../C.TXT?q=1&Q=%32&q=2&flag&x="},
        Case{"raw_path", Field::raw_path, "/a/./%62/../C.TXT"},
        Case{"raw_extension", Field::raw_path_extension, "txt"},
        Case{"raw_query", Field::raw_query, "q=1&Q=%32&q=2&flag&x="},
        Case{"raw_args", Field::raw_args,
             R"({"q": ["1" "2"], "Q": ["%32"], "flag": [""], "x": [""]})"},
        Case{"raw_args_names", Field::raw_args_names, R"(["q" "Q" "q" "flag" "x"])"},
        Case{"raw_args_values", Field::raw_args_values, R"(["1" "%32" "2" "" ""])"},
        Case{"headers_by_lower_case_name_without_forged_identity", Field::headers,
             R"({"host": ["API.Example.com.:8443"], "user-agent": ["one/1"], "x-many": ["1" "2"], )"
             R"("cookie": ["a=1; %62=2" "b=3"], )"
             R"("accept-language": ["fr-CH, fr;q=0.8, en;q=0.9, de;q=0.7, *;q=0.5, it;q=0"], )"
             R"("x-forwarded-for": ["192.0.2.9" "" "192.0.2.10"]})"},
        Case{"header_names_in_the_spelling_of_the_client", Field::headers_names,
             R"(["Host" "User-Agent" "X-Many" "Cookie" "x-many" "Accept-Language" "Cookie" )"
             R"("X-Forwarded-For" "X-Forwarded-For" "X-Forwarded-For"])"},
        Case{"headers_truncated", Field::headers_truncated, "false"},
        Case{"cookie_fields_are_joined", Field::cookie, "a=1; %62=2; b=3"},
        Case{"cookie_names_are_decoded_and_merged", Field::cookies,
             R"({"a": ["1"], "b": ["2" "3"]})"},
        Case{"user_agent", Field::user_agent, "one/1"}, Case{"absent_referer", Field::referer, ""},
        Case{"x_forwarded_for_is_joined", Field::x_forwarded_for, "192.0.2.9, , 192.0.2.10"},
        Case{"languages_by_weight", Field::accepted_languages, R"(["fr-CH" "en" "fr" "de"])"}),
    [](auto const& c) { return std::string{c.param.name}; });

TEST(FixedFields, are_false_zero_or_empty) {
  auto const request = make_request("https://a.example/");
  for (auto id = id_of(Field::first_fixed); id < valued_field_count(); ++id) {
    auto const type = field_table()[id].type;
    EXPECT_EQ(value_text(request->facts(), id), type == rules::bool_type  ? "false"
                                                : type == rules::int_type ? "0"
                                                                          : "")
        << field_table()[id].name;
  }
}

TEST(ClientHelloFields, are_shown_when_recorded) {
  auto const request = make_request("https://a.example/");
  ClientHelloFacts const hello{517, "cmFuZG9t", "ZXh0", "ZXh0bGU=", "Y2lwaGVycw=="};
  auto facts = request->facts();
  facts.client_hello = &hello;
  EXPECT_EQ(value_text(facts, Field::tls_client_hello_length), "517");
  EXPECT_EQ(value_text(facts, Field::tls_client_random), "cmFuZG9t");
  EXPECT_EQ(value_text(facts, Field::tls_client_extensions_sha1), "ZXh0");
  EXPECT_EQ(value_text(facts, Field::tls_client_extensions_sha1_le), "ZXh0bGU=");
  EXPECT_EQ(value_text(facts, Field::tls_ciphers_sha1), "Y2lwaGVycw==");
}

TEST(Maps, thousands_of_different_arguments_are_grouped_in_order) {
  std::string url = "https://a.example/?";
  for (int i = 0; i < 3000; ++i)
    url += "k" + std::to_string(i % 1500) + "=" + std::to_string(i) + "&";
  auto const request = make_request(url);
  Scratch scratch;
  ASSERT_TRUE(fill_values(request->facts(), plan_of(id_of(Field::args)), scratch));
  auto const map = scratch.values()[id_of(Field::args)].as_map();
  ASSERT_EQ(map.size(), 1500u);
  for (std::size_t i = 0; i < map.size(); ++i) {
    EXPECT_EQ(map[i].key, "k" + std::to_string(i));
    ASSERT_EQ(map[i].value.as_array().size(), 2u);
    EXPECT_EQ(map[i].value.as_array()[1].as_bytes(), std::to_string(i + 1500));
  }
}

TEST(Scratch, that_is_too_small_is_reported_and_not_guessed) {
  Scratch small{64, 1024};
  auto const request = make_request("https://a.example/?a=1&b=2&c=3&d=4");
  EXPECT_FALSE(fill_values(request->facts(), plan_of(id_of(Field::args)), small));
  EXPECT_TRUE(fill_values(request->facts(), plan_of(id_of(Field::path)), small));
}

}  // namespace
}  // namespace certgate::policy
