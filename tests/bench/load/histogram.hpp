// Counts durations in logarithmic buckets: percentiles within 2 % whatever the range.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace certgate::load {

class Histogram {
 public:
  void add(std::uint64_t nanoseconds) {
    ++count_;
    sum_ += nanoseconds;
    if (nanoseconds > max_) max_ = nanoseconds;
    ++buckets_[bucket_of(nanoseconds)];
  }
  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }
  std::uint64_t mean() const { return count_ == 0 ? 0 : sum_ / count_; }
  // `share` of 1; the upper end of the bucket in which that value lies.
  std::uint64_t percentile(double share) const {
    auto const wanted = static_cast<std::uint64_t>(share * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > wanted) return upper_end(i);
    }
    return max_;
  }

 private:
  // 32 buckets for each power of two.
  static constexpr unsigned fine_bits = 5;
  static std::size_t bucket_of(std::uint64_t value) {
    if (value < (1U << fine_bits)) return value;
    auto const log = static_cast<unsigned>(std::bit_width(value)) - 1;
    auto const fine = (value >> (log - fine_bits)) & ((1U << fine_bits) - 1);
    return ((log - fine_bits + 1) << fine_bits) + fine;
  }
  static std::uint64_t upper_end(std::size_t bucket) {
    if (bucket < (1U << fine_bits)) return bucket;
    auto const log = (bucket >> fine_bits) + fine_bits - 1;
    auto const fine = bucket & ((1U << fine_bits) - 1);
    return ((std::uint64_t{1} << fine_bits) + fine + 1) << (log - fine_bits);
  }

  std::array<std::uint64_t, 64 * 32> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace certgate::load
