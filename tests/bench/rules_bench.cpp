// What a decision costs: one expression, rule sets of every size, lists, and compiling them.
#include <benchmark/benchmark.h>

#include <random>
#include <string>

#include "certgate/rules/ruleset.hpp"

namespace {

using namespace certgate;
using namespace certgate::rules;

struct Request {
  Scheme scheme;
  FieldId host, path, verified, revoked, serial, agent, ip, method;
  std::vector<ValueView> values;

  Request() {
    add_standard_functions(scheme);
    host = scheme.add_field("http.host", bytes_type, {.letters = Letters::folded});
    path = scheme.add_field("http.request.uri.path", bytes_type);
    verified = scheme.add_field("cf.tls_client_auth.cert_verified", bool_type);
    revoked = scheme.add_field("cf.tls_client_auth.cert_revoked", bool_type);
    serial = scheme.add_field("cf.tls_client_auth.cert_serial", bytes_type);
    agent = scheme.add_field("http.user_agent", bytes_type);
    ip = scheme.add_field("ip.src", ip_type);
    method = scheme.add_field("http.request.method", bytes_type);
    values.resize(scheme.field_count());
    values[host] = ValueView::bytes("api.example.com");
    values[path] = ValueView::bytes("/v1/a");
    values[verified] = ValueView::boolean(true);
    values[revoked] = ValueView::boolean(false);
    values[serial] = ValueView::bytes("0A1B2C3D4E5F60718293A4B5C6D7E8F9");
    values[agent] = ValueView::bytes("curl/8.5.0 (x86_64-pc-linux-gnu) libcurl/8.5.0");
    values[ip] = ValueView::ip(*IpAddress::parse("192.0.2.7"));
    values[method] = ValueView::bytes("GET");
  }
};

constexpr std::string_view reference =
    R"(http.host in {"api.example.com" "b.example.com"} and http.request.uri.path in {"/v1/a" "/v1/b"} )"
    R"(and (not cf.tls_client_auth.cert_verified or cf.tls_client_auth.cert_revoked))";

void run_reference(benchmark::State& state, std::string_view host, std::string_view path,
                   bool verified, bool revoked) {
  Request request;
  request.values[request.host] = ValueView::bytes(host);
  request.values[request.path] = ValueView::bytes(path);
  request.values[request.verified] = ValueView::boolean(verified);
  request.values[request.revoked] = ValueView::boolean(revoked);
  auto const compiled = compile(request.scheme, reference);
  Scratch scratch;
  for (auto _ : state) {
    benchmark::DoNotOptimize(request.values.data());
    benchmark::ClobberMemory();
    benchmark::DoNotOptimize(evaluate(compiled->program, request.values, scratch));
  }
}

void other_host(benchmark::State& state) {
  run_reference(state, "www.example.com", "/v1/a", true, false);
}
BENCHMARK(other_host);
void other_path(benchmark::State& state) {
  run_reference(state, "api.example.com", "/v2/a", true, false);
}
BENCHMARK(other_path);
void not_verified(benchmark::State& state) {
  run_reference(state, "api.example.com", "/v1/a", false, false);
}
BENCHMARK(not_verified);
void verified(benchmark::State& state) {
  run_reference(state, "api.example.com", "/v1/a", true, false);
}
BENCHMARK(verified);
void second_values(benchmark::State& state) {
  run_reference(state, "b.example.com", "/v1/b", true, false);
}
BENCHMARK(second_values);
void revoked(benchmark::State& state) {
  run_reference(state, "api.example.com", "/v1/a", true, true);
}
BENCHMARK(revoked);

void expression(benchmark::State& state, char const* text) {
  Request request;
  auto const compiled = compile(request.scheme, text);
  Scratch scratch;
  for (auto _ : state) {
    benchmark::DoNotOptimize(evaluate(compiled->program, request.values, scratch));
  }
}
BENCHMARK_CAPTURE(expression, wildcard, R"(http.user_agent wildcard "*LIBCURL/*")");
BENCHMARK_CAPTURE(expression, contains, R"(http.user_agent contains "libcurl/9")");
BENCHMARK_CAPTURE(expression, regex, R"(http.user_agent matches "curl/[0-9]+\.[0-9]+\.1")");
BENCHMARK_CAPTURE(expression, lower, R"(lower(http.user_agent) contains "pc-linux")");
BENCHMARK_CAPTURE(expression, network, "ip.src in {10.0.0.0/8 192.0.2.0/24 2001:db8::/32}");

std::vector<Rule> distinct_hosts(Scheme const& scheme, std::size_t count) {
  std::vector<Rule> rules;
  rules.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto const text = "http.host in {\"h" + std::to_string(i) +
                      ".example.com\"} and (not cf.tls_client_auth.cert_verified or "
                      "cf.tls_client_auth.cert_revoked)";
    rules.push_back(compile_rule(scheme, "r" + std::to_string(i), text, 0).value());
  }
  return rules;
}

void walk_all(benchmark::State& state, Request const& request, Ruleset const& ruleset) {
  Scratch scratch;
  std::size_t run = 0;
  for (auto _ : state) {
    Walk walk(ruleset, request.values, scratch);
    auto step = walk.next();
    while (step.kind == Step::matched) step = walk.next();
    benchmark::DoNotOptimize(step);
    run = walk.rules_run();
  }
  state.counters["rules_run"] = static_cast<double>(run);
  state.counters["bytes_per_rule"] =
      static_cast<double>(ruleset.memory_bytes()) / static_cast<double>(ruleset.size());
}

void decision_distinct_hosts(benchmark::State& state) {
  Request request;
  auto const count = static_cast<std::size_t>(state.range(0));
  Ruleset const ruleset(distinct_hosts(request.scheme, count));
  auto const host = "h" + std::to_string(count / 2) + ".example.com";
  request.values[request.host] = ValueView::bytes(host);
  walk_all(state, request, ruleset);
}
BENCHMARK(decision_distinct_hosts)->Arg(1)->Arg(10)->Arg(1000)->Arg(10000)->Arg(100000);

void decision_with_ten_unindexed(benchmark::State& state) {
  Request request;
  auto const count = static_cast<std::size_t>(state.range(0));
  auto rules = distinct_hosts(request.scheme, count);
  for (int i = 0; i < 10; ++i) {
    rules.push_back(compile_rule(request.scheme, "agent",
                                 R"(http.user_agent contains "bot)" + std::to_string(i) + '"', 0)
                        .value());
  }
  Ruleset const ruleset(std::move(rules));
  walk_all(state, request, ruleset);
}
BENCHMARK(decision_with_ten_unindexed)->Arg(10)->Arg(100000);

void decision_hosts_and_paths(benchmark::State& state) {
  Request request;
  std::vector<Rule> rules;
  for (int i = 0; i < 100000; ++i) {
    auto const text = "http.host eq \"h" + std::to_string(i % 100) +
                      ".example.com\" and http.request.uri.path eq \"/p" + std::to_string(i / 100) +
                      "\" and not cf.tls_client_auth.cert_verified";
    rules.push_back(compile_rule(request.scheme, "r", text, 0).value());
  }
  Ruleset const ruleset(std::move(rules));
  request.values[request.host] = ValueView::bytes("h42.example.com");
  request.values[request.path] = ValueView::bytes("/p77");
  walk_all(state, request, ruleset);
}
BENCHMARK(decision_hosts_and_paths);

void compile_rules(benchmark::State& state) {
  Request request;
  auto const count = static_cast<std::size_t>(state.range(0));
  std::size_t bytes = 0;
  for (auto _ : state) {
    Ruleset const ruleset(distinct_hosts(request.scheme, count));
    bytes = ruleset.memory_bytes();
  }
  state.counters["bytes_per_rule"] = static_cast<double>(bytes) / static_cast<double>(count);
}
BENCHMARK(compile_rules)->Arg(100000)->Unit(benchmark::kMillisecond)->Iterations(3);

std::string list_text(ListKind kind, std::size_t count) {
  std::mt19937_64 random(1);
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    switch (kind) {
      case ListKind::ip:
        text += IpAddress::v4(static_cast<std::uint32_t>(random())).to_string();
        break;
      case ListKind::integer:
        text += std::to_string(random() >> 2);
        break;
      case ListKind::bytes:
        text += "value-" + std::to_string(random());
        break;
      case ListKind::host:
        text += "h" + std::to_string(random()) + ".example.com";
        break;
    }
    text += '\n';
  }
  return text;
}

void load_list(benchmark::State& state) {
  auto const kind = static_cast<ListKind>(state.range(0));
  auto const text = list_text(kind, 1000000);
  for (auto _ : state) benchmark::DoNotOptimize(parse_list(kind, text));
}
BENCHMARK(load_list)->DenseRange(0, 3)->Unit(benchmark::kMillisecond)->Iterations(2);

void look_up_list(benchmark::State& state) {
  auto const kind = static_cast<ListKind>(state.range(0));
  auto const list = parse_list(kind, list_text(kind, 1000000)).value();
  std::mt19937_64 random(2);
  std::vector<std::string> texts;
  std::vector<ValueView> values;
  for (int i = 0; i < 4096; ++i) texts.push_back("h" + std::to_string(random()) + ".example.com");
  for (auto const& text : texts) {
    if (kind == ListKind::ip) {
      values.push_back(ValueView::ip(IpAddress::v4(static_cast<std::uint32_t>(random()))));
    } else if (kind == ListKind::integer) {
      values.push_back(ValueView::integer(static_cast<std::int64_t>(random() >> 2)));
    } else {
      values.push_back(ValueView::bytes(text));
    }
  }
  std::size_t next = 0;
  for (auto _ : state) benchmark::DoNotOptimize(list->contains(values[next++ % values.size()]));
}
BENCHMARK(look_up_list)->DenseRange(0, 3);

}  // namespace
