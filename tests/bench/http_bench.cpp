// Targets and protected names: what every request pays, and what a hostile one does.
#include <benchmark/benchmark.h>

#include <string>

#include "certgate/base/host_name.hpp"
#include "certgate/http/protected_fields.hpp"
#include "certgate/http/target.hpp"

namespace certgate::http {
namespace {

void parse_one_target(benchmark::State& state, std::string const& text) {
  std::string scratch(target_scratch_bytes(text.size()), '\0');
  for (auto _ : state) {
    auto const target = parse_target("GET", text, Normalisation::cloudflare, scratch);
    benchmark::DoNotOptimize(target.has_value());
  }
}
BENCHMARK_CAPTURE(parse_one_target, plain, "/v1/devices/4711/measurements.json?limit=100");
BENCHMARK_CAPTURE(parse_one_target, rewritten, "/v1//devices/%34711/./x/../measurements.json?a=b");
BENCHMARK_CAPTURE(parse_one_target, hostile_8k, [] {
  std::string text;
  while (text.size() < 8000) text += "/..%2e/%41/\\";
  return text;
}());

void protected_names(benchmark::State& state) {
  auto const fields = ProtectedFields::identity();
  std::string_view const names[] = {"User-Agent", "Accept",        "Accept-Language", "Cookie",
                                    "Connection", "Authorization", "X-Device-Id",     "X-Trace-Id",
                                    "Cf-Ray",     "Cache-Control", "Content-Type",    "Host",
                                    "Referer",    "Origin",        "X-App-Version"};
  for (auto _ : state) {
    for (auto const name : names) benchmark::DoNotOptimize(fields.matches(name));
  }
}
BENCHMARK(protected_names);

void parse_host(benchmark::State& state) {
  HostBuffer buffer;
  for (auto _ : state) {
    auto const authority = parse_authority("api.example.com:8443", buffer);
    benchmark::DoNotOptimize(authority.has_value());
  }
}
BENCHMARK(parse_host);

}  // namespace
}  // namespace certgate::http
