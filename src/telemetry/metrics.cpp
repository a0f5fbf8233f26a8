// Gives out slots, and sums them over the workers when somebody reads.
#include "certgate/telemetry/metrics.hpp"

#include <algorithm>
#include <cassert>
#include <map>

namespace certgate::telemetry {
namespace {

// The slots that a default-made handle of any kind points at: a histogram is the widest.
constexpr std::size_t bin_size = latency_buckets + 1;

std::size_t slots_of(MetricType type) {
  return type == MetricType::histogram ? latency_buckets + 1 : 1;
}

}  // namespace

struct MetricRegistry::Family {
  std::string name;
  std::string help;
  MetricType type;
  std::map<Labels, std::uint32_t> slots;
  std::vector<decltype(slots)::const_iterator> counted;  // in order of arrival
  Values values;
  std::function<Values()> read;
};

WorkerMetrics::~WorkerMetrics() {
  for (auto& block : blocks_) delete block.load(std::memory_order_relaxed);
}

MetricRegistry::MetricRegistry(std::size_t workers, std::size_t series_limit)
    : series_limit_(series_limit) {
  for (std::size_t i = 0; i < workers; ++i) workers_.push_back(std::make_unique<WorkerMetrics>());
  bin_ = take_slots(bin_size);
  assert(bin_ == 0);
}

MetricRegistry::~MetricRegistry() = default;

Counter MetricRegistry::counter(std::string_view name, std::string_view help, Labels labels) {
  return {slot_for(name, help, MetricType::counter, std::move(labels))};
}

Gauge MetricRegistry::gauge(std::string_view name, std::string_view help, Labels labels) {
  return {slot_for(name, help, MetricType::gauge, std::move(labels))};
}

Histogram MetricRegistry::histogram(std::string_view name, std::string_view help, Labels labels) {
  return {slot_for(name, help, MetricType::histogram, std::move(labels))};
}

void MetricRegistry::set_values(std::string_view name, std::string_view help, Values values) {
  std::lock_guard const lock{mutex_};
  family_for(name, help, MetricType::gauge).values = std::move(values);
}

void MetricRegistry::read_with(std::string_view name, std::string_view help, MetricType type,
                               std::function<Values()> read) {
  assert(type != MetricType::histogram);
  std::lock_guard const lock{mutex_};
  family_for(name, help, type).read = std::move(read);
}

std::uint32_t MetricRegistry::slot_for(std::string_view name, std::string_view help,
                                       MetricType type, Labels labels) {
  std::lock_guard const lock{mutex_};
  Family& family = family_for(name, help, type);
  auto const known = family.slots.find(labels);
  if (known != family.slots.end()) return known->second;
  if (family.slots.size() >= series_limit_) {
    for (auto& label : labels) label.second = "other";
    auto const other = family.slots.find(labels);
    if (other != family.slots.end()) return other->second;
  }
  std::uint32_t const slot = take_slots(slots_of(type));
  if (slot == bin_) return slot;
  family.counted.push_back(family.slots.emplace(std::move(labels), slot).first);
  return slot;
}

MetricRegistry::Family& MetricRegistry::family_for(std::string_view name, std::string_view help,
                                                   MetricType type) {
  auto const place = std::lower_bound(
      families_.begin(), families_.end(), name,
      [](auto const& family, std::string_view wanted) { return family->name < wanted; });
  if (place != families_.end() && (*place)->name == name) {
    assert((*place)->type == type);
    return **place;
  }
  auto family = std::make_unique<Family>();
  family->name = name;
  family->help = help;
  family->type = type;
  return **families_.insert(place, std::move(family));
}

// Neighbouring slots in one block, so that a histogram is looked up once; the bin when there is no
// room left for more series.
std::uint32_t MetricRegistry::take_slots(std::size_t count) {
  constexpr std::size_t block_size = WorkerMetrics::block_size;
  std::size_t slot = next_slot_;
  if (slot / block_size != (slot + count - 1) / block_size) {
    slot = (slot / block_size + 1) * block_size;
  }
  std::size_t const block = slot / block_size;
  if (block >= WorkerMetrics::max_blocks) return bin_;
  for (auto const& worker : workers_) {
    auto& entry = worker->blocks_[block];
    if (entry.load(std::memory_order_relaxed) == nullptr) {
      entry.store(new WorkerMetrics::Block, std::memory_order_release);
    }
  }
  next_slot_ = slot + count;
  return static_cast<std::uint32_t>(slot);
}

std::uint64_t MetricRegistry::sum(std::size_t slot) const {
  std::uint64_t total = 0;
  for (auto const& worker : workers_) {
    total += worker->cell(static_cast<std::uint32_t>(slot)).load(std::memory_order_relaxed);
  }
  return total;
}

std::vector<MetricFamily> MetricRegistry::read() const {
  std::vector<std::pair<std::size_t, std::function<Values()>>> readers;
  std::vector<MetricFamily> all;
  {
    std::lock_guard const lock{mutex_};
    for (auto const& family : families_) {
      MetricFamily seen{family->name, family->help, family->type, {}};
      for (auto const& entry : family->counted) {
        auto const& [labels, slot] = *entry;
        MetricSeries series;
        series.labels = labels;
        if (family->type == MetricType::histogram) {
          for (std::size_t i = 0; i < latency_buckets; ++i) series.buckets.push_back(sum(slot + i));
          series.sum_us = sum(slot + latency_buckets);
        } else if (family->type == MetricType::gauge) {
          series.value = static_cast<double>(static_cast<std::int64_t>(sum(slot)));
        } else {
          series.value = static_cast<double>(sum(slot));
        }
        seen.series.push_back(std::move(series));
      }
      for (auto const& [labels, value] : family->values) {
        seen.series.push_back({labels, value, {}, 0});
      }
      if (family->read) readers.emplace_back(all.size(), family->read);
      all.push_back(std::move(seen));
    }
  }
  // Outside the lock: a reader may itself take locks, or ask this registry for a handle.
  for (auto const& [index, read] : readers) {
    for (auto& [labels, value] : read()) {
      all[index].series.push_back({std::move(labels), value, {}, 0});
    }
  }
  return all;
}

}  // namespace certgate::telemetry
