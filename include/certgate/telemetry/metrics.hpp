// Counts what happens, at the price of one plain addition on the request path.
//
// A MetricRegistry knows every time series by name and labels and gives out handles (positions
// known in advance). Each worker has a WorkerMetrics that only its own thread writes: no lock, no
// shared cache line, no read-modify-write. Reading sums over the workers and may run at any time on
// any thread; a sum is never torn, but series are not read at one instant.
//
// Handles are asked for when a configuration is built, never on the request path, from any thread.
// The same name and labels always give the same handle, so counts go on across reloads. A worker
// may use a handle once it has been handed over with the usual synchronisation (a posted message).
// A family that is asked for more series than the limit counts the rest in one series whose label
// values are all "other".
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace certgate::telemetry {

inline constexpr std::size_t max_series = 100'000;  // of one family

using Labels = std::vector<std::pair<std::string, std::string>>;

// Positions; copy them freely. A default-made handle is a bin: it may be used and is never read.
struct Counter {
  std::uint32_t slot = 0;
};
struct Gauge {
  std::uint32_t slot = 0;
};
struct Histogram {
  std::uint32_t slot = 0;
};

// Upper bounds of a latency histogram's buckets; one more bucket takes everything longer.
inline constexpr std::uint32_t latency_bounds_us[] = {
    50,     100,     250,     500,     1'000,     2'500,     5'000,     10'000,     25'000,
    50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000};
inline constexpr std::size_t latency_buckets = std::size(latency_bounds_us) + 1;

// One worker's numbers. Written by its thread only.
class WorkerMetrics {
 public:
  WorkerMetrics() = default;
  WorkerMetrics(WorkerMetrics const&) = delete;
  WorkerMetrics& operator=(WorkerMetrics const&) = delete;
  ~WorkerMetrics();

  void add(Counter counter, std::uint64_t by = 1) { bump(cell(counter.slot), by); }
  void change(Gauge gauge, std::int64_t by) {
    bump(cell(gauge.slot),
         static_cast<std::uint64_t>(by));  // two's complement: sums come out right
  }
  // A negative duration (not measured) is not counted.
  void observe(Histogram histogram, std::chrono::microseconds duration) {
    if (duration.count() < 0) return;
    auto const us = static_cast<std::uint64_t>(duration.count());
    std::size_t bucket = 0;
    while (bucket < std::size(latency_bounds_us) && us > latency_bounds_us[bucket]) ++bucket;
    auto* const first = &cell(histogram.slot);
    bump(first[bucket], 1);
    bump(first[latency_buckets], us);
  }

 private:
  friend class MetricRegistry;
  using Cell = std::atomic<std::uint64_t>;
  static constexpr std::size_t block_size = 1024;
  static constexpr std::size_t max_blocks = 1024;
  struct alignas(128) Block {
    Cell cells[block_size]{};
  };

  Cell& cell(std::uint32_t slot) {
    return blocks_[slot / block_size].load(std::memory_order_acquire)->cells[slot % block_size];
  }
  // Only this thread writes, so a load and a store do; no locked instruction.
  static void bump(Cell& cell, std::uint64_t by) {
    cell.store(cell.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  std::atomic<Block*> blocks_[max_blocks]{};
};

// What a reader sees.
enum class MetricType { counter, gauge, histogram };
struct MetricSeries {
  Labels labels;
  double value = 0;                    // counter or gauge
  std::vector<std::uint64_t> buckets;  // histogram: latency_buckets counts, not cumulative
  std::uint64_t sum_us = 0;            // histogram
};
struct MetricFamily {
  std::string name;
  std::string help;
  MetricType type = MetricType::counter;
  std::vector<MetricSeries> series;
};

class MetricRegistry {
 public:
  explicit MetricRegistry(std::size_t workers, std::size_t series_limit = max_series);
  MetricRegistry(MetricRegistry const&) = delete;
  MetricRegistry& operator=(MetricRegistry const&) = delete;
  ~MetricRegistry();

  std::size_t workers() const { return workers_.size(); }
  // REQUIRES: index < workers().
  WorkerMetrics& worker(std::size_t index) { return *workers_[index]; }

  // REQUIRES: one name has one type and one set of label names.
  Counter counter(std::string_view name, std::string_view help, Labels labels = {});
  Gauge gauge(std::string_view name, std::string_view help, Labels labels = {});
  Histogram histogram(std::string_view name, std::string_view help, Labels labels = {});

  // Values that no worker counts. set_values replaces all series of a gauge family at once (days
  // until each CRL expires); read_with asks whenever someone reads, on the reader's thread.
  using Values = std::vector<std::pair<Labels, double>>;
  void set_values(std::string_view name, std::string_view help, Values values);
  void read_with(std::string_view name, std::string_view help, MetricType type,
                 std::function<Values()> read);

  // Families by name, series in the order in which they were first asked for.
  std::vector<MetricFamily> read() const;

 private:
  struct Family;
  std::uint32_t slot_for(std::string_view name, std::string_view help, MetricType type,
                         Labels labels);
  Family& family_for(std::string_view name, std::string_view help, MetricType type);
  std::uint32_t take_slots(std::size_t count);
  std::uint64_t sum(std::size_t slot) const;

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<WorkerMetrics>> workers_;
  std::vector<std::unique_ptr<Family>> families_;
  std::size_t const series_limit_;
  std::size_t next_slot_ = 0;
  std::uint32_t bin_ = 0;
};

}  // namespace certgate::telemetry
