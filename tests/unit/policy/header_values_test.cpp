// Header fields computed from facts.
#include "certgate/policy/header_values.hpp"

#include <gtest/gtest.h>

#include "unit/policy/request_fixture.hpp"

namespace certgate::policy {
namespace {

std::string rendered(std::string expression, SampleRequest const& request) {
  auto const values = HeaderValues::build({{"X-Test", std::move(expression)}});
  if (!values) return render(values.error());
  Scratch scratch;
  RenderedHeaders out;
  if (!values->render(request.facts(), scratch, out)) return "(failed)";
  return std::string{out.values().front()};
}

TEST(HeaderValues, come_in_every_primitive_type) {
  auto const request = make_request("https://api.example.com/a%2Fb?x=1");
  EXPECT_EQ(rendered("http.host", *request), "api.example.com");
  EXPECT_EQ(rendered("cf.tls_client_auth.cert_verified", *request), "false");
  EXPECT_EQ(rendered("cf.edge.server_port", *request), "443");
  EXPECT_EQ(rendered("ip.src", *request), "192.0.2.1");
  EXPECT_EQ(rendered("\"literal\"", *request), "literal");
  EXPECT_EQ(rendered("concat(\"id=\", cf.ray_id)", *request),
            "id=00000000000000000000000000000000");
  EXPECT_EQ(rendered("http.request.headers[\"absent\"][0]", *request), "");
  EXPECT_EQ(rendered("http.request.uri", *request), "/a%2Fb?x=1");
}

TEST(HeaderValues, threat_48_nothing_in_a_certificate_breaks_out_of_its_field) {
  auto const asking = zoo_policy();
  for (auto const& animal : zoo().animals) {
    auto const chain = chain_of(animal);
    if (!chain) continue;
    auto const request = make_client_request("https://a.example/", chain, &asking);
    for (auto const* field :
         {"cf.tls_client_auth.cert_subject_dn", "cf.tls_client_auth.cert_issuer_dn_legacy",
          "concat(\"a \", cf.tls_client_auth.cert_subject_dn_rfc2253)"}) {
      for (char const c : rendered(field, *request)) {
        EXPECT_TRUE(c >= 0x20 && c <= 0x7E) << animal.name;
      }
    }
  }
}

TEST(HeaderValues, decoded_control_characters_are_escaped) {
  auto const request = make_request("https://a.example/?x=a%0d%0aSet-Cookie:%20b");
  EXPECT_EQ(rendered("url_decode(http.request.uri.query)", *request), "x=a%0D%0ASet-Cookie: b");
  EXPECT_EQ(rendered("\" padded \"", *request), "padded");
}

TEST(HeaderValues, a_value_that_is_too_long_is_left_out_whole) {
  SampleText text;
  text.url = "https://a.example/";
  for (std::size_t const size : {max_header_value_bytes, max_header_value_bytes + 1}) {
    text.headers = {{"X-Long", std::string(size, 'a')}};
    auto const request = make_request(text);
    EXPECT_EQ(rendered("http.request.headers[\"x-long\"][0]", *request).size(),
              size <= max_header_value_bytes ? size : 0u);
  }
}

TEST(HeaderValues, keep_their_order_and_are_rendered_again_without_leftovers) {
  auto const values =
      HeaderValues::build(
          {{"A", "http.request.uri.path"}, {"B", "http.user_agent"}, {"C", "ip.src"}})
          .value();
  Scratch scratch;
  RenderedHeaders out;
  for (auto const* path : {"/a/long/path/that/makes/the/text/move", "/b"}) {
    ASSERT_TRUE(values.render(make_request(std::string{"https://a.example"} + path)->facts(),
                              scratch, out));
    ASSERT_EQ(out.values().size(), 3u);
    EXPECT_EQ(out.values()[0], path);
    EXPECT_EQ(out.values()[1], "");
    EXPECT_EQ(out.values()[2], "192.0.2.1");
  }
}

TEST(HeaderValues, mistakes_are_reported_for_all) {
  auto const values =
      HeaderValues::build({{"A", "http.hots"}, {"B", "http.request.headers"}, {"C", "ip.src"}});
  ASSERT_FALSE(values);
  EXPECT_EQ(values.error().size(), 2u) << render(values.error());
}

}  // namespace
}  // namespace certgate::policy
