// What one decision costs: filling the values and walking the rules.
//
//   policy_bench --benchmark_filter='mtls_rule|distinct_hosts'
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "certgate/policy/decide.hpp"
#include "certgate/policy/sample_request.hpp"

namespace {

using namespace certgate;

std::unique_ptr<policy::SampleRequest> request(std::string url) {
  policy::SampleText text;
  text.url = std::move(url);
  text.headers = {{"User-Agent", "bench/1"}, {"Accept", "*/*"}, {"Cookie", "session=1"}};
  return policy::SampleRequest::build(text, nullptr, http::Normalisation::rfc3986, 1'790'000'000)
      .value();
}

policy::Policy build(std::vector<std::string> expressions) {
  policy::PolicyText text;
  for (auto& expression : expressions) {
    policy::RuleText rule;
    rule.name = "rule " + std::to_string(text.live.rules.size());
    rule.expression = std::move(expression);
    text.live.rules.push_back(std::move(rule));
  }
  return policy::Policy::build(std::move(text)).value();
}

void decide_all(benchmark::State& state, policy::Policy const& rules, policy::Facts const& facts) {
  policy::Scratch scratch;
  for (auto _ : state) {
    auto decision = policy::decide(rules, facts, scratch);
    benchmark::DoNotOptimize(decision);
  }
}

// The rule that the mTLS form makes: blocked, verified, another host.
void mtls_rule(benchmark::State& state, bool verified, char const* url) {
  auto const rules =
      build({R"(http.host in {"api.example.com"} and (not cf.tls_client_auth.cert_verified or )"
             "cf.tls_client_auth.cert_revoked)"});
  auto const sample = request(url);
  x509::Verdict verdict;
  verdict.presented = verified;
  verdict.verified = verified;
  auto facts = sample->facts();
  facts.verdict = &verdict;
  decide_all(state, rules, facts);
}
BENCHMARK_CAPTURE(mtls_rule, blocked, false, "https://api.example.com/v1/a");
BENCHMARK_CAPTURE(mtls_rule, verified, true, "https://api.example.com/v1/a");
BENCHMARK_CAPTURE(mtls_rule, other_host, true, "https://b.example.com/v1/a");

void no_rules(benchmark::State& state) {
  decide_all(state, policy::Policy{}, request("https://api.example.com/")->facts());
}
BENCHMARK(no_rules);

void distinct_hosts(benchmark::State& state) {
  std::vector<std::string> expressions;
  for (int i = 0; i < state.range(0); ++i) {
    expressions.push_back("http.host in {\"h" + std::to_string(i) +
                          ".example.com\"} and (not cf.tls_client_auth.cert_verified or "
                          "cf.tls_client_auth.cert_revoked)");
  }
  auto const rules = build(std::move(expressions));
  auto const sample =
      request("https://h" + std::to_string(state.range(0) / 2) + ".example.com/v1/a");
  decide_all(state, rules, sample->facts());
  state.counters["bytes_per_rule"] =
      static_cast<double>(rules.memory_bytes()) / static_cast<double>(state.range(0));
}
BENCHMARK(distinct_hosts)->Arg(1)->Arg(10)->Arg(1'000)->Arg(10'000)->Arg(100'000);

void compile_rules(benchmark::State& state) {
  std::vector<std::string> expressions;
  for (int i = 0; i < state.range(0); ++i) {
    expressions.push_back("http.host eq \"h" + std::to_string(i) +
                          ".example.com\" and not cf.tls_client_auth.cert_verified");
  }
  for (auto _ : state) {
    auto rules = build(expressions);
    benchmark::DoNotOptimize(rules);
  }
}
BENCHMARK(compile_rules)->Arg(1'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

void headers_map(benchmark::State& state) {
  auto const rules = build({R"(any(http.request.headers["x-role"][*] eq "admin"))"});
  decide_all(state, rules, request("https://api.example.com/")->facts());
}
BENCHMARK(headers_map);

void arguments_map(benchmark::State& state) {
  auto const rules = build({R"(any(http.request.uri.args["a"][*] eq "9"))"});
  decide_all(state, rules, request("https://api.example.com/?a=1&b=2&c=3&a=4")->facts());
}
BENCHMARK(arguments_map);

}  // namespace
