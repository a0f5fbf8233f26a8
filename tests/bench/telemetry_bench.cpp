// What one request pays for being logged and counted.
#include <benchmark/benchmark.h>

#include <string>

#include "certgate/telemetry/access_log.hpp"
#include "certgate/telemetry/access_record.hpp"
#include "certgate/telemetry/traffic.hpp"

namespace certgate::telemetry {
namespace {

using std::chrono::microseconds;

AccessRecord typical_record() {
  AccessRecord record;
  record.time = std::chrono::system_clock::time_point{microseconds{1772366400123456}};
  record.request_id = "0192f0c1a5b87d3e5f6a7b8c9d0e1f20";
  record.client_address = "192.0.2.7";
  record.client_port = 50123;
  record.listener = "0.0.0.0:8443";
  record.sni = "api.example.com";
  record.host = "api.example.com";
  record.method = "GET";
  record.path = "/v1/devices/sensor-000123/measurements";
  record.query = "since=2026-03-01T00:00:00Z&limit=100";
  record.protocol = "HTTP/1.1";
  record.user_agent = "sensor/2.1 (linux; armv7)";
  record.status = 200;
  record.bytes_in = 912;
  record.bytes_out = 1290;
  record.origin_time = microseconds{734};
  record.total = microseconds{801};
  record.tls_version = "TLSv1.3";
  record.tls_cipher = "TLS_AES_128_GCM_SHA256";
  record.certificate.presented = true;
  record.certificate.verdict = CertificateVerdict::verified;
  record.certificate.subject = "CN=sensor-000123,OU=Devices,O=Example,C=AT";
  record.certificate.issuer = "CN=Example Client CA,O=Example,C=AT";
  record.certificate.serial = "527E0F20A20EA2A4146C78390F34CE7AF0878CA4";
  record.certificate.fingerprint =
      "af363dc85bc942a892d3cee9796190fdb36d89cd588a4f1cb17c74a943439714";
  record.action = RequestAction::allowed;
  record.rule = "devices only";
  record.origin = "api";
  record.origin_server = "127.0.0.1:9000";
  record.origin_attempts = 1;
  return record;
}

void format_json(benchmark::State& state) {
  auto const record = typical_record();
  std::string line;
  for (auto _ : state) {
    line.clear();
    append_json(record, line);
    benchmark::DoNotOptimize(line.data());
  }
  state.counters["line_bytes"] = static_cast<double>(line.size());
}
BENCHMARK(format_json);

void format_text(benchmark::State& state) {
  auto const record = typical_record();
  std::string line;
  for (auto _ : state) {
    line.clear();
    append_text(record, line);
    benchmark::DoNotOptimize(line.data());
  }
  state.counters["line_bytes"] = static_cast<double>(line.size());
}
BENCHMARK(format_text);

// The worker's whole share, while the log's own thread writes beside it. The clock stands still
// whenever the queue has to be emptied, so that no record is dropped, which would be cheaper.
void queue_to_access_log(benchmark::State& state) {
  constexpr int records_per_flush = 500;
  AccessLogOptions options;
  options.path = "/dev/null";
  auto log = AccessLog::open(std::move(options));
  if (!log) return state.SkipWithError("cannot open /dev/null");
  auto const record = typical_record();
  int queued = 0;
  for (auto _ : state) {
    (*log)->worker(0).write(record);
    if (++queued % records_per_flush != 0) continue;
    state.PauseTiming();
    (*log)->flush(std::chrono::seconds{10});
    state.ResumeTiming();
  }
  state.counters["dropped"] = static_cast<double>((*log)->counts().dropped);
}
BENCHMARK(queue_to_access_log);

void count_request(benchmark::State& state) {
  MetricRegistry registry{1};
  TrafficMetrics const traffic{registry, std::vector<RuleLabel>{{"devices only", "allow"}}};
  auto const record = typical_record();
  for (auto _ : state) traffic.count(registry.worker(0), record, 0);
}
BENCHMARK(count_request);

}  // namespace
}  // namespace certgate::telemetry
