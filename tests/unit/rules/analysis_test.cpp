// What can be proven, and what an expression requires.
#include "certgate/rules/analysis.hpp"

#include <gtest/gtest.h>

#include "sample.hpp"

namespace certgate::rules {
namespace {

Scheme make_scheme() {
  Scheme scheme;
  add_standard_functions(scheme);
  scheme.add_field("host", bytes_type, {.letters = Letters::folded, .never_missing = true});
  scheme.add_field("path", bytes_type, {.never_missing = true});
  scheme.add_field("agent", bytes_type);
  scheme.add_field("port", int_type, {.never_missing = true});
  scheme.add_field("ip", ip_type, {.never_missing = true});
  auto const presented = scheme.add_field("presented", bool_type);
  auto const verified = scheme.add_field("verified", bool_type);
  auto const revoked = scheme.add_field("revoked", bool_type);
  scheme.add_field("serial", bytes_type, {.letters = Letters::upper, .never_missing = true});
  scheme.add_field("names", Type::array_of(bytes_type));
  scheme.add_implication(revoked, verified);
  scheme.add_implication(verified, presented);
  scheme.add_list("none", build_list(ListKind::bytes, {}).value());
  return scheme;
}

class Proofs : public testing::Test {
 protected:
  CheckedExpression checked(std::string_view text) {
    auto result = check(scheme_, text);
    EXPECT_TRUE(result) << text << ": " << (result ? "" : result.error()[0].message);
    return std::move(result).value();
  }
  Scheme scheme_ = make_scheme();
};

TEST_F(Proofs, never_matches) {
  for (auto const* text :
       {"host in {}", "host in $none", R"(host eq "a" and host eq "b")",
        "verified and not verified", "revoked and not presented", "port gt 5 and port lt 3",
        "port in {1..5} and port gt 5", "ip in {10.0.0.0/8} and ip in {192.0.2.0/24}",
        R"(serial eq "0a")", R"(starts_with(path, "/a") and starts_with(path, "/b"))",
        R"(path eq "/x" and starts_with(path, "/a"))", R"(path eq "/x" and path matches "^/y")",
        R"(path contains "abc" and not path contains "b")",
        R"((host eq "a" or host eq "b") and host in {"c" "d"})",
        R"(any(names[*] eq "x") and not any(names[*] eq "x"))", "port eq 1 xor port in {1}",
        R"(starts_with(path, "/api/v1") and not starts_with(path, "/api"))",
        R"(not (host eq "a") and not (host ne "a"))"}) {
    EXPECT_TRUE(never_matches(checked(text), scheme_)) << text;
  }
  for (auto const* text :
       {"verified", R"(host eq "a")", R"(not (agent eq "a") and not (agent ne "a"))",
        R"(any(names[*] eq "x") and all(names[*] eq "y"))", "ip eq ::1 or ip eq 1.2.3.4",
        R"(agent matches "a" and agent matches "b")", "port ne 5 and port ne 6",
        R"(starts_with(path, "/a") and starts_with(path, "/a/b"))"}) {
    EXPECT_FALSE(never_matches(checked(text), scheme_)) << text;
  }
}

TEST_F(Proofs, always_matches) {
  for (auto const* text :
       {"verified or not verified", R"(host eq "a" or host ne "a")", "port lt 5 or port ge 5",
        "not revoked or presented", "ip in {0.0.0.0/0 ::/0}"}) {
    EXPECT_TRUE(always_matches(checked(text), scheme_)) << text;
  }
  for (auto const* text : {R"(agent eq "a" or agent ne "a")", "verified", "port ne 5"}) {
    EXPECT_FALSE(always_matches(checked(text), scheme_)) << text;
  }
}

struct Pair {
  char const* specific;
  char const* general;
};

TEST_F(Proofs, implies) {
  for (auto const& [specific, general] : std::initializer_list<Pair>{
           {R"(host eq "a" and verified)", R"(host in {"A" "b"})"},
           {"revoked", "verified"},
           {R"(host in {"a" "b"} and revoked)", R"(host in {"a" "b" "c"} and presented)"},
           {R"(starts_with(path, "/admin/x"))", R"(starts_with(path, "/admin"))"},
           {R"(path eq "/admin/x")", R"(path strict wildcard "/admin/*")"},
           {R"(path in {"/a1" "/a2"})", R"(path matches "^/a[0-9]$")"},
           {"ip in {10.1.0.0/16}", "ip in {10.0.0.0/8}"},
           {"port eq 443", "port in {80 400..500}"},
           {R"(host eq "a")", R"(host ne "b")"},
           {R"(host eq "a" and agent contains "x")", R"(host eq "a" or agent eq "z")"},
           {R"(any(names[*] eq "x"))", R"(any(names[*] eq "x") or verified)"},
           {R"(ends_with(host, ".example.com"))", R"(host contains ".Example.")"}}) {
    EXPECT_TRUE(implies(checked(specific), checked(general), scheme_))
        << specific << " " << general;
  }
  for (auto const& [specific, general] : std::initializer_list<Pair>{
           {"verified", "revoked"},
           {R"(host eq "a")", R"(host eq "a" and verified)"},
           {R"(not agent eq "a")", R"(agent ne "a")"},
           {"ip in {10.0.0.0/8}", "ip in {10.1.0.0/16}"},
           {R"(agent matches "^/a")", R"(agent eq "/a")"},
           {R"(starts_with(path, "/admin"))", R"(starts_with(path, "/admin/x"))"}}) {
    EXPECT_FALSE(implies(checked(specific), checked(general), scheme_))
        << specific << " " << general;
  }
}

TEST_F(Proofs, disjoint_and_requires_bool) {
  EXPECT_TRUE(disjoint(checked(R"(host eq "a")"), checked(R"(host in {"b" "c"})"), scheme_));
  EXPECT_FALSE(disjoint(checked(R"(host eq "a")"), checked(R"(path eq "b")"), scheme_));
  auto const verified = *scheme_.find_field("verified");
  EXPECT_TRUE(requires_bool(checked(R"(host eq "a" and revoked)"), verified, true, scheme_));
  EXPECT_TRUE(requires_bool(checked("not (verified or revoked)"), verified, false, scheme_));
  EXPECT_FALSE(requires_bool(checked("verified or port eq 1"), verified, true, scheme_));
}

TEST_F(Proofs, gives_up_on_too_many_cases) {
  std::string text = "(port eq 1 or port eq 2)";
  for (int i = 0; i < 12; ++i) text += " and (agent eq \"a\" or agent contains \"b\")";
  EXPECT_FALSE(never_matches(checked(text + " and verified and not verified"), scheme_));
}

std::string format_requirements(Requirements const& all, Scheme const& scheme) {
  std::string out;
  for (auto const& each : all) {
    constexpr char const* shapes[] = {" is", " starts", " in", " true", " not true"};
    out += (out.empty() ? "" : "; ") + scheme.field(each.field).name +
           shapes[static_cast<int>(each.shape)];
    for (auto const& value : each.values) out += " " + value;
    for (auto const& network : each.networks) out += " " + network.to_string();
  }
  return out;
}

TEST_F(Proofs, requirements) {
  for (auto const& [text, expected] : std::initializer_list<Pair>{
           {R"(host eq "A" and path in {"/x" "/y"} and not verified)",
            "host is a; path is /x /y; verified not true"},
           {R"(host eq "a" or host eq "b")", "host is a b"},
           {R"(path eq "/a" or starts_with(path, "/b"))", "path starts /a /b"},
           {R"(host eq "a" or path eq "b")", ""},
           {"not (verified or revoked)", "verified not true; revoked not true"},
           {"not (verified and revoked)", ""},
           {R"(path strict wildcard "/v1/*/x")", "path starts /v1/"},
           {R"(path wildcard "/v1/*")", ""},
           {R"(host wildcard "A.*")", "host starts a."},
           {R"(path matches "^/api/v\d")", "path starts /api/v"},
           {R"(path matches "^/a|^/b")", ""},
           {R"(lower(host) eq "a")", "host is a"},
           {R"(lower(path) eq "a")", ""},
           {"port in {1..3 7}", "port is 1 2 3 7"},
           {"port in {1..100000}", ""},
           {"ip in {10.0.0.0/8 192.0.2.1..192.0.2.4}",
            "ip in 10.0.0.0/8 192.0.2.1/32 192.0.2.2/31 192.0.2.4/32"},
           {R"(host ne "a" and any(names[*] eq "b") and host eq "c" xor verified)", ""}}) {
    EXPECT_EQ(format_requirements(requirements(checked(text), scheme_), scheme_), expected) << text;
  }
}

TEST_F(Proofs, literals_fields_and_oddities) {
  auto const expression = checked(
      R"(serial in {"0A" "0B"} and starts_with(path, "/a") and host eq "a" and host ne "b")");
  std::string literals;
  for (auto const& each : compared_literals(expression)) {
    literals += scheme_.field(each.field).name + "=" + each.value + "@" +
                std::to_string(each.span.offset) + " ";
  }
  EXPECT_EQ(literals, "serial=0A@11 serial=0B@16 path=/a@44 host=a@62 host=b@78 ");
  EXPECT_EQ(field_uses(expression).size(), 3u);
  EXPECT_EQ(oddities(checked(R"(host in {} or path matches ".*" or host in $none)")).size(), 3u);
  EXPECT_TRUE(oddities(expression).empty());
}

}  // namespace
}  // namespace certgate::rules
