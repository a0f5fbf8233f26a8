// Rules in order, and which of them match: exactly as if each were tried in turn, only faster.
//
// Immutable once built; any thread may walk it with a Scratch of its own.
//
//   Walk walk{ruleset, values, scratch};
//   for (auto step = walk.next(); step.kind == Step::matched; step = walk.next()) {
//     Rule const& rule = ruleset.rule(step.rule);
//     if (is_terminating(rule.action)) return decide(rule);
//   }
//   // the last step is `done`, or `failed` (the embedder must refuse)
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/rules/analysis.hpp"
#include "certgate/rules/program.hpp"
#include "certgate/rules/ruleset_index.hpp"

namespace certgate::rules {

struct Rule {
  std::string name;
  Program program;
  int action = 0;  // means something to the embedder only
  bool enabled = true;
  // What the expression requires (analysis.hpp); empty: the rule is tried for every request. A
  // Ruleset empties it once its index is built.
  Requirements requirements;
};

enum class Indexing { indexed, every_rule_in_turn };

class Ruleset {
 public:
  Ruleset() = default;
  explicit Ruleset(std::vector<Rule> rules, Indexing indexing = Indexing::indexed);

  std::size_t size() const { return rules_.size(); }
  Rule const& rule(std::size_t index) const { return rules_[index]; }
  std::vector<Rule> const& rules() const { return rules_; }
  // Of the enabled rules.
  FieldSet const& fields_used() const { return fields_used_; }
  std::size_t memory_bytes() const;

 private:
  friend class Walk;
  std::vector<Rule> rules_;
  FieldSet fields_used_;
  RulesetIndex index_;
};

struct Step {
  enum Kind { done, matched, failed };
  Kind kind = done;
  std::uint32_t rule = 0;  // index into the Ruleset; of the rule that could not be run when failed
};

// Visits the enabled rules that match, in order. Allocates nothing.
class Walk {
 public:
  // All three must outlive the walk. `values` must hold every field in ruleset.fields_used().
  Walk(Ruleset const& ruleset, Values values, Scratch& scratch) noexcept;
  Step next() noexcept;
  // How many rules have been run so far, for metrics and tests.
  std::size_t rules_run() const { return rules_run_; }

 private:
  Ruleset const& ruleset_;
  Values values_;
  Scratch& scratch_;
  Candidates candidates_;
  std::size_t rules_run_ = 0;
};

// compile() and requirements in one: what most embedders want for each rule.
Result<Rule, Mistakes> compile_rule(Scheme const& scheme, std::string name, std::string_view text,
                                    int action, Limits const& limits = {},
                                    Mistakes* warnings = nullptr);

}  // namespace certgate::rules
