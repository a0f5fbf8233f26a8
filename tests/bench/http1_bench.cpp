// The head of a usual request on its way through: read, admitted, written anew for the origin.
#include <benchmark/benchmark.h>

#include <array>
#include <string>

#include "certgate/http/admission.hpp"
#include "certgate/http/forward.hpp"
#include "certgate/http1/chunked.hpp"
#include "certgate/http1/reader.hpp"

namespace certgate::http1 {
namespace {

// About 900 bytes and 15 fields, as a phone sends them.
std::string const request =
    "GET /v1/devices/4711/measurements.json?from=2026-01-01&limit=100 HTTP/1.1\r\n"
    "Host: api.example.com\r\n"
    "User-Agent: ExampleApp/7.3.1 (iPhone; iOS 19.1; Scale/3.00) CFNetwork/1568.200.51 "
    "Darwin/24.1.0\r\n"
    "Accept: application/json, text/plain;q=0.9, */*;q=0.8\r\n"
    "Accept-Language: de-DE,de;q=0.9,en-GB;q=0.8,en;q=0.7\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Authorization: Bearer "
    "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJkZXZpY2UtNDcxMSIsImV4cCI6MTc5OTk5OTk5OX0."
    "c2lnbmF0dXJlLW9mLWEtdXN1YWwtbGVuZ3RoLW9mLTY0LWJ5dGVzLWluLWJhc2U2NC11cmw\r\n"
    "Cookie: session=5f2b8c1d9e7a4036; theme=dark; consent=all\r\n"
    "Cache-Control: no-cache\r\n"
    "Connection: keep-alive\r\n"
    "X-App-Version: 7.3.1 (20260114)\r\n"
    "X-Device-Id: 0d8f3c5e-6b7a-4c1d-9e2f-123456789abc\r\n"
    "X-Trace-Id: 4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7\r\n"
    "If-None-Match: \"33a64df551425fcc55e4d42a148795d9f25f89d4\"\r\n"
    "Origin: https://app.example.com\r\n"
    "Referer: https://app.example.com/devices/4711\r\n"
    "\r\n";

struct Scratch {
  std::array<http::Field, default_max_fields> slots;
  std::string target = std::string(http::target_scratch_bytes(8192), '\0');
  http::AdmissionScratch admission{{}, {}, target};
};

void read_head(benchmark::State& state) {
  Scratch scratch;
  for (auto _ : state) {
    RequestReader reader(scratch.slots);
    auto const fed = reader.feed(request);
    benchmark::DoNotOptimize(fed);
    benchmark::DoNotOptimize(reader.head().fields.data());
  }
  state.counters["bytes"] = static_cast<double>(request.size());
}
BENCHMARK(read_head);

void read_and_admit(benchmark::State& state) {
  Scratch scratch;
  for (auto _ : state) {
    RequestReader reader(scratch.slots);
    auto const fed = reader.feed(request);
    benchmark::DoNotOptimize(fed);
    auto const admitted =
        http::admit_request(reader.head(), http::Normalisation::cloudflare, scratch.admission);
    benchmark::DoNotOptimize(admitted.has_value());
  }
}
BENCHMARK(read_and_admit);

void build_upstream_head(benchmark::State& state) {
  Scratch scratch;
  RequestReader reader(scratch.slots);
  if (reader.feed(request) != Feed::complete) return state.SkipWithError("refused");
  auto const admitted =
      http::admit_request(reader.head(), http::Normalisation::cloudflare, scratch.admission);
  std::string const identity =
      "Client-Cert: :" + std::string(state.range(0) != 0 ? 568 : 0, 'A') + ":\r\n";
  http::ForwardingPolicy const policy;
  http::ForwardValues values;
  values.origin_form = admitted->target.origin_form;
  values.client_ip = "192.0.2.17";
  values.host = admitted->framing.host;
  values.request_id = "01J9ZK8Q4X3V5T7W9Y2B4D6F8H";
  if (state.range(0) != 0) values.identity = identity;
  std::string out;
  for (auto _ : state) {
    out.clear();
    http::append_request_head(out, reader.head(), admitted->framing, policy, values);
    http::append_host(out, "api.example.com");
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["bytes"] = static_cast<double>(out.size());
}
BENCHMARK(build_upstream_head)->Arg(0)->Arg(1);

void read_and_write_response_head(benchmark::State& state) {
  std::string const response =
      "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 20 Apr 2021 02:07:55 GMT\r\n"
      "Content-Type: application/json\r\nContent-Length: 1024\r\nConnection: keep-alive\r\n"
      "ETag: \"33a64df551425fcc55e4d42a148795d9f25f89d4\"\r\nCache-Control: private\r\n"
      "Vary: Accept-Encoding\r\n\r\n";
  Scratch scratch;
  std::string out;
  for (auto _ : state) {
    ResponseReader reader(scratch.slots);
    auto const fed = reader.feed(response);
    benchmark::DoNotOptimize(fed);
    auto const framing = http::frame_response(reader.head(), "GET");
    http::ResponseValues values;
    values.body = framing->body;
    out.clear();
    http::append_response_head(out, reader.head(), values);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(read_and_write_response_head);

void decode_chunks(benchmark::State& state) {
  std::string body;
  for (int i = 0; i < 16; ++i) append_chunk(body, std::string(1024, 'x'));
  body += last_chunk;
  std::string copy;
  for (auto _ : state) {
    copy = body;
    ChunkedDecoder decoder;
    auto const decoded = decoder.decode(copy);
    benchmark::DoNotOptimize(decoded.data.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * 16 * 1024));
}
BENCHMARK(decode_chunks);

}  // namespace
}  // namespace certgate::http1
