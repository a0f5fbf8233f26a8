// No decision takes memory from the heap.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "certgate/rules/ruleset.hpp"
#include "sample.hpp"

namespace {

std::atomic<bool> counting{false};
std::atomic<std::size_t> allocations{0};

}  // namespace

// Every allocation of this test program passes here; they are counted only when asked.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (counting) ++allocations;
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
// std::stable_sort asks this way for its buffer and gives it back the usual way.
[[gnu::noinline]] void* operator new(std::size_t size, std::nothrow_t const&) noexcept {
  if (counting) ++allocations;
  return std::malloc(size ? size : 1);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace certgate::rules {
namespace {

// Runs the expressions once to let RE2 fill its cache, then again under count.
class NoAllocation : public testing::TestWithParam<char const*> {};

TEST_P(NoAllocation, in_a_decision) {
  test::Sample sample;
  std::vector<Rule> rules;
  for (int i = 0; i < 20; ++i) {
    auto rule = compile_rule(sample.scheme(), "r", GetParam(), i);
    ASSERT_TRUE(rule) << rule.error()[0].message;
    rules.push_back(std::move(rule).value());
  }
  Ruleset const ruleset(std::move(rules));
  Scratch scratch;
  std::size_t matched = 0;
  for (int round = 0; round < 3; ++round) {
    allocations = 0;
    counting = round == 2;
    Walk walk(ruleset, sample.values(), scratch);
    while (walk.next().kind == Step::matched) ++matched;
    counting = false;
  }
  EXPECT_EQ(allocations, 0u) << GetParam();
}

INSTANTIATE_TEST_SUITE_P(
    Expressions, NoAllocation,
    testing::Values(
        R"(host in {"api.example.com" "b"} and path in {"/a" "/v1/Users/42"} and (not yes or off))",
        R"(any(lower(names[*])[*] eq "bob"))", R"(all((names[*] ne "x") and (not flags)))",
        R"(any(parts[*][*] eq "c") and headers["accept"][0] contains "html")",
        R"(text matches "(?i)^h.*d$" or path wildcard "*USERS*")",
        R"(path strict wildcard "/v1/*/*" xor text matches "o W")",
        R"(ip in $ips and port in $ports and host in $hosts and text in $words)",
        R"(ip in {10.0.0.0/8 192.0.2.0/24} and port in {1 2 3 443} and ip6 gt ::1)",
        R"(concat(upper(text), to_string(port), to_string(ip6)) contains "::")",
        R"(url_decode(encoded, "ur") contains "b c" and len(split(query, "&", 9)) eq 4)",
        R"(lookup_json_string(json, "list", 1, "k") eq "v" and lookup_json_integer(json, "n") eq 43)",
        R"(wildcard_replace(path, "/v1/*", "/${1}") eq "/Users/42" and has_key(headers, "x"))",
        R"(encode_base64(text) eq "x" or decode_base64(text) eq "y" or uuidv4(seed) eq "z")",
        R"(remove_query_args(query, "a") eq "b=2&c" and join(names, ",") ne "")"));

}  // namespace
}  // namespace certgate::rules
