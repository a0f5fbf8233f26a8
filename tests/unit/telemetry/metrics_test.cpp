// Counting: handles, shards, sums, and the families of certgate's own traffic.
#include "certgate/telemetry/metrics.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "certgate/telemetry/prometheus.hpp"
#include "certgate/telemetry/traffic.hpp"

namespace certgate::telemetry {
namespace {

using std::chrono::microseconds;

double value_of(MetricRegistry const& registry, std::string_view name, Labels const& labels = {}) {
  for (auto const& family : registry.read()) {
    if (family.name != name) continue;
    for (auto const& series : family.series) {
      if (series.labels == labels) return series.value;
    }
  }
  return -1;
}

TEST(MetricRegistry, sums_over_workers) {
  MetricRegistry registry{3};
  auto const counter = registry.counter("c", "help", {{"a", "1"}});
  auto const gauge = registry.gauge("g", "help");
  for (std::size_t i = 0; i < 3; ++i) registry.worker(i).add(counter, i + 1);
  registry.worker(0).change(gauge, 5);
  registry.worker(1).change(gauge, -7);
  EXPECT_EQ(value_of(registry, "c", {{"a", "1"}}), 6);
  EXPECT_EQ(value_of(registry, "g"), -2);
}

TEST(MetricRegistry, same_name_and_labels_give_the_same_counter) {
  MetricRegistry registry{1};
  auto const first = registry.counter("c", "help", {{"rule", "x"}});
  registry.worker(0).add(first);
  EXPECT_EQ(registry.counter("c", "help", {{"rule", "x"}}).slot, first.slot);
  EXPECT_NE(registry.counter("c", "help", {{"rule", "y"}}).slot, first.slot);
  EXPECT_EQ(value_of(registry, "c", {{"rule", "x"}}), 1);
}

TEST(MetricRegistry, handles_that_were_never_given_count_into_a_bin) {
  MetricRegistry registry{1};
  auto const counter = registry.counter("c", "help");
  registry.worker(0).add(Counter{});
  registry.worker(0).change(Gauge{}, 1);
  registry.worker(0).observe(Histogram{}, std::chrono::hours{1});
  EXPECT_EQ(value_of(registry, "c"), 0);
  EXPECT_NE(counter.slot, 0u);
}

TEST(MetricRegistry, histogram_bounds_belong_to_their_bucket) {
  MetricRegistry registry{1};
  auto const histogram = registry.histogram("h", "help");
  std::vector<std::uint64_t> expected(latency_buckets);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < std::size(latency_bounds_us); ++i) {
    registry.worker(0).observe(histogram, microseconds{latency_bounds_us[i]});
    registry.worker(0).observe(histogram, microseconds{latency_bounds_us[i] + 1});
    expected[i] += 1;
    expected[i + 1] += 1;
    sum += 2ull * latency_bounds_us[i] + 1;
  }
  registry.worker(0).observe(histogram, not_measured);
  auto const families = registry.read();
  ASSERT_EQ(families.size(), 1u);
  EXPECT_EQ(families[0].series.at(0).buckets, expected);
  EXPECT_EQ(families[0].series.at(0).sum_us, sum);
}

TEST(MetricRegistry, many_series_stay_apart) {
  MetricRegistry registry{2};
  std::vector<Counter> counters;
  std::vector<Histogram> histograms;
  for (int i = 0; i < 3000; ++i) {
    counters.push_back(registry.counter("c", "help", {{"n", std::to_string(i)}}));
    if (i % 50 == 0) {
      histograms.push_back(registry.histogram("h", "help", {{"n", std::to_string(i)}}));
    }
  }
  for (std::size_t i = 0; i < counters.size(); ++i) registry.worker(i % 2).add(counters[i], i);
  for (auto const& histogram : histograms) registry.worker(1).observe(histogram, microseconds{1});
  auto const families = registry.read();
  ASSERT_EQ(families.size(), 2u);
  for (std::size_t i = 0; i < counters.size(); ++i) {
    ASSERT_EQ(families[0].series[i].value, static_cast<double>(i));
  }
  for (auto const& series : families[1].series) {
    ASSERT_EQ(series.buckets[0], 1u);
    ASSERT_EQ(series.sum_us, 1u);
  }
}

TEST(MetricRegistry, too_many_series_are_counted_together) {
  MetricRegistry registry{1, 3};
  for (int i = 0; i < 3; ++i) registry.counter("c", "help", {{"n", std::to_string(i)}});
  EXPECT_EQ(registry.read().at(0).series.size(), 3u);
  auto const known = registry.counter("c", "help", {{"n", "0"}});
  auto const one = registry.counter("c", "help", {{"n", "new"}});
  auto const two = registry.counter("c", "help", {{"n", "newer"}});
  EXPECT_EQ(one.slot, two.slot);
  EXPECT_NE(known.slot, one.slot);
  registry.worker(0).add(two);
  EXPECT_EQ(value_of(registry, "c", {{"n", "other"}}), 1);
  EXPECT_EQ(registry.read().at(0).series.size(), 4u);
}

TEST(MetricRegistry, values_are_replaced_and_readers_are_asked) {
  MetricRegistry registry{1};
  registry.set_values("days", "help", {{{{"file", "a"}}, 3.5}, {{{"file", "b"}}, 9}});
  registry.set_values("days", "help", {{{{"file", "b"}}, 8}});
  int asked = 0;
  registry.read_with("lines", "help", MetricType::counter, [&]() -> MetricRegistry::Values {
    ++asked;
    registry.counter("asked_inside", "help");
    return {{{}, 42}};
  });
  EXPECT_EQ(value_of(registry, "days", {{"file", "a"}}), -1);
  EXPECT_EQ(value_of(registry, "days", {{"file", "b"}}), 8);
  EXPECT_EQ(value_of(registry, "lines"), 42);
  EXPECT_EQ(asked, 3);
}

// For ThreadSanitizer: workers count while another thread reads and registers.
TEST(MetricRegistry, may_be_read_and_extended_while_workers_count) {
  constexpr int rounds = 20000;
  MetricRegistry registry{4};
  auto const counter = registry.counter("c", "help");
  auto const histogram = registry.histogram("h", "help");
  std::vector<std::thread> workers;
  for (std::size_t i = 0; i < 4; ++i) {
    workers.emplace_back([&, i] {
      for (int n = 0; n < rounds; ++n) {
        registry.worker(i).add(counter);
        registry.worker(i).observe(histogram, microseconds{n});
      }
    });
  }
  double before = 0;
  for (int i = 0; i < 50; ++i) {
    for (int n = 0; n < 50; ++n) registry.counter("more", "help", {{"n", std::to_string(i * n)}});
    double const now = value_of(registry, "c");
    EXPECT_GE(now, before);
    before = now;
  }
  for (auto& worker : workers) worker.join();
  EXPECT_EQ(value_of(registry, "c"), 4 * rounds);
}

TEST(Prometheus, writes_the_text_format) {
  MetricFamily counter{
      "certgate_c_total", "Counts \\ things\nof \"mine\".", MetricType::counter, {}};
  counter.series.push_back({{{"rule", "a\"b\\c\nd"}, {"x", ""}}, 12345678, {}, 0});
  MetricFamily gauge{"certgate_g", "Days.", MetricType::gauge, {}};
  gauge.series.push_back({{}, -0.5, {}, 0});
  MetricFamily histogram{"certgate_h_seconds", "Time.", MetricType::histogram, {}};
  std::vector<std::uint64_t> buckets(latency_buckets);
  buckets[0] = 2;
  buckets[4] = 1;
  buckets.back() = 1;
  histogram.series.push_back({{{"a", "b"}}, 0, buckets, 2500000});
  std::string const text = format_prometheus({counter, gauge, histogram});
  EXPECT_TRUE(
      text.starts_with("# HELP certgate_c_total Counts \\\\ things\\nof \"mine\".\n"
                       "# TYPE certgate_c_total counter\n"
                       "certgate_c_total{rule=\"a\\\"b\\\\c\\nd\",x=\"\"} 12345678\n"
                       "# HELP certgate_g Days.\n"
                       "# TYPE certgate_g gauge\n"
                       "certgate_g -0.5\n"
                       "# HELP certgate_h_seconds Time.\n"
                       "# TYPE certgate_h_seconds histogram\n"
                       "certgate_h_seconds_bucket{a=\"b\",le=\"5e-05\"} 2\n"))
      << text;
  EXPECT_NE(text.find("certgate_h_seconds_bucket{a=\"b\",le=\"0.001\"} 3\n"), std::string::npos);
  EXPECT_TRUE(
      text.ends_with("certgate_h_seconds_bucket{a=\"b\",le=\"30\"} 3\n"
                     "certgate_h_seconds_bucket{a=\"b\",le=\"+Inf\"} 4\n"
                     "certgate_h_seconds_sum{a=\"b\"} 2.5\n"
                     "certgate_h_seconds_count{a=\"b\"} 4\n"))
      << text;
}

TEST(TrafficMetrics, counts_what_the_record_says) {
  MetricRegistry registry{1};
  std::vector<RuleLabel> const rules = {{"devices", "block"}, {"watch", "log"}};
  constexpr std::string_view failures[] = {"origin_refused", "header_timeout"};
  TrafficMetrics const traffic{registry, rules, failures};
  auto& worker = registry.worker(0);

  AccessRecord blocked;
  blocked.action = RequestAction::blocked;
  blocked.status = 403;
  blocked.certificate.verdict = CertificateVerdict::revoked;
  blocked.bytes_in = 100;
  blocked.bytes_out = 20;
  blocked.total = microseconds{80};
  traffic.count(worker, blocked, 0);
  AccessRecord allowed;
  allowed.action = RequestAction::allowed;
  allowed.status = 502;
  allowed.failure = "origin_refused";
  traffic.count(worker, allowed, TrafficMetrics::no_rule);
  AccessRecord refused;
  refused.status = 0;
  refused.failure = "something_new";
  refused.shadow = "allow";
  traffic.count(worker, refused, TrafficMetrics::no_rule);
  AccessRecord strange;
  strange.status = 999;
  traffic.count(worker, strange, TrafficMetrics::no_rule);
  traffic.count_logging_rule(worker, 1);
  traffic.count_logging_rule(worker, 77);
  traffic.count_handshake(worker, HandshakeResult::resumed, CertificateVerdict::verified,
                          microseconds{300});
  HandshakeRecord failed;
  failed.certificate.verdict = CertificateVerdict::expired;
  traffic.count(worker, failed);
  traffic.connection_opened(worker);
  traffic.connection_opened(worker);
  traffic.connection_closed(worker);

  auto const value = [&](std::string_view name, Labels const& labels = {}) {
    return value_of(registry, name, labels);
  };
  EXPECT_EQ(value("certgate_requests_total", {{"action", "blocked"}, {"cert", "revoked"}}), 1);
  EXPECT_EQ(value("certgate_requests_total", {{"action", "allowed"}, {"cert", "not_asked"}}), 1);
  EXPECT_EQ(value("certgate_requests_total", {{"action", "refused"}, {"cert", "not_asked"}}), 2);
  EXPECT_EQ(value("certgate_responses_total", {{"class", "4xx"}}), 1);
  EXPECT_EQ(value("certgate_responses_total", {{"class", "5xx"}}), 1);
  EXPECT_EQ(value("certgate_responses_total", {{"class", "none"}}), 2);
  EXPECT_EQ(value("certgate_rule_matches_total", {{"rule", "devices"}, {"action", "block"}}), 1);
  EXPECT_EQ(value("certgate_rule_matches_total", {{"rule", "watch"}, {"action", "log"}}), 1);
  EXPECT_EQ(value("certgate_default_action_total"), 1);
  EXPECT_EQ(value("certgate_shadow_differences_total"), 1);
  EXPECT_EQ(value("certgate_failures_total", {{"reason", "origin_refused"}}), 1);
  EXPECT_EQ(value("certgate_failures_total", {{"reason", "other"}}), 1);
  EXPECT_EQ(value("certgate_handshakes_total", {{"result", "resumed"}, {"cert", "verified"}}), 1);
  EXPECT_EQ(value("certgate_handshakes_total", {{"result", "failed"}, {"cert", "expired"}}), 1);
  EXPECT_EQ(value("certgate_open_connections"), 1);
  EXPECT_EQ(value("certgate_request_bytes_total"), 100);

  // A reload: the same rule goes on counting.
  TrafficMetrics const after{registry, rules, failures};
  after.count(worker, blocked, 0);
  EXPECT_EQ(value("certgate_rule_matches_total", {{"rule", "devices"}, {"action", "block"}}), 2);
}

}  // namespace
}  // namespace certgate::telemetry
