// Chooses which rules could possibly match a request, so that the others are never run.
//
// Each rule is filed under one thing that it requires: a field equal to one of a few values, a
// prefix, a network, a true or false field; the most selective one that it has. A rule that
// requires nothing of the kind is a candidate for every request. A bucket that stays large is
// divided again by what else its rules require. Keys are stored as 64-bit hashes only: a collision
// costs one needless evaluation and can never change a decision, because every candidate is still
// run.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "certgate/rules/analysis.hpp"
#include "certgate/rules/program.hpp"

namespace certgate::rules {

class RulesetIndex {
 public:
  RulesetIndex() = default;
  // requirements[i] is null for a disabled rule, which is never a candidate.
  static RulesetIndex build(std::span<Requirements const* const> requirements);
  // Every enabled rule is always a candidate.
  static RulesetIndex every_rule(std::span<Requirements const* const> requirements);
  std::size_t memory_bytes() const;

 private:
  friend class Candidates;
  friend class RulesetIndexBuilder;  // private: src/rules/ruleset_index.cpp
  struct Tables;
  std::shared_ptr<Tables const> tables_;
};

// The candidates for one request, in ascending order, each once. Lives on the stack.
class Candidates {
 public:
  static constexpr std::uint32_t none = 0xffffffff;
  Candidates(RulesetIndex const& index, Values values) noexcept;
  std::uint32_t next() noexcept;

 private:
  // More lists than this at once, and every enabled rule is tried instead.
  static constexpr std::size_t max_lists = 48;
  struct List {
    std::uint32_t const* next;
    std::uint32_t const* end;
  };
  void add_node(RulesetIndex::Tables const& tables, std::uint32_t node, Values values) noexcept;
  bool add_list(std::span<std::uint32_t const> list) noexcept;

  std::array<List, max_lists> lists_;
  std::size_t count_ = 0;
  bool overflow_ = false;
};

}  // namespace certgate::rules
