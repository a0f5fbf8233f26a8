// Which numbers are still possible: intervals, narrowed step by step.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

namespace certgate::rules {

// T is an integer of any width; ranges are inclusive, sorted and disjoint.
template <class T>
class RangeSet {
 public:
  using Range = std::pair<T, T>;

  RangeSet(T least, T most) : ranges_{{least, most}} {}

  bool empty() const { return ranges_.empty(); }

  void keep_only(std::vector<Range> wanted) {
    std::sort(wanted.begin(), wanted.end());
    std::vector<Range> kept;
    for (auto const& have : ranges_) {
      for (auto const& want : wanted) {
        auto const first = std::max(have.first, want.first);
        auto const last = std::min(have.second, want.second);
        if (first > last) continue;
        if (!kept.empty() && first <= kept.back().second) {
          kept.back().second = std::max(kept.back().second, last);
        } else {
          kept.emplace_back(first, last);
        }
      }
    }
    ranges_ = std::move(kept);
  }

  void remove(std::vector<Range> const& unwanted) {
    for (auto const& hole : unwanted) {
      std::vector<Range> kept;
      for (auto const& have : ranges_) {
        if (hole.second < have.first || hole.first > have.second) {
          kept.push_back(have);
          continue;
        }
        if (have.first < hole.first) kept.emplace_back(have.first, hole.first - 1);
        if (have.second > hole.second) kept.emplace_back(hole.second + 1, have.second);
      }
      ranges_ = std::move(kept);
    }
  }

 private:
  std::vector<Range> ranges_;
};

}  // namespace certgate::rules
