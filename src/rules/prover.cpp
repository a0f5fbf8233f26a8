// Proves that expressions can never match, imply or exclude each other.
//
// An expression is spread into cases (a disjunction of conjunctions of signed conditions). A claim
// holds when each case that would refute it contradicts itself. Too many cases: nothing is proven.
#include <cstdint>
#include <map>
#include <optional>

#include "address_blocks.hpp"
#include "certgate/base/encoding.hpp"
#include "certgate/rules/analysis.hpp"
#include "predicate.hpp"
#include "range_set.hpp"

namespace certgate::rules {

namespace {

constexpr std::size_t max_cases = 256;

// A condition that holds, or that does not.
struct Fact {
  Node const* node;
  bool holds;
};
using Case = std::vector<Fact>;
using Cases = std::optional<std::vector<Case>>;  // none: too many

Cases both(Cases left, Cases right) {
  if (!left || !right || left->size() * right->size() > max_cases) return std::nullopt;
  std::vector<Case> joined;
  for (auto const& a : *left) {
    for (auto const& b : *right) {
      joined.push_back(a);
      joined.back().insert(joined.back().end(), b.begin(), b.end());
    }
  }
  return joined;
}

Cases either(Cases left, Cases right) {
  if (!left || !right || left->size() + right->size() > max_cases) return std::nullopt;
  left->insert(left->end(), right->begin(), right->end());
  return left;
}

Cases cases_of(Node const& node, bool wanted) {
  if (node.kind == Node::Kind::negation) return cases_of(node.children[0], !wanted);
  if (node.kind != Node::Kind::logical) return {{Case{Fact{&node, wanted}}}};
  if (node.logical == LogicalOp::exclusive) {
    // Pairwise from the left: the parity of what came before, either way.
    auto odd = cases_of(node.children[0], true);
    auto even = cases_of(node.children[0], false);
    for (std::size_t i = 1; i < node.children.size(); ++i) {
      auto const yes = cases_of(node.children[i], true);
      auto const no = cases_of(node.children[i], false);
      auto next_odd = either(both(odd, no), both(even, yes));
      even = either(both(odd, yes), both(even, no));
      odd = std::move(next_odd);
    }
    return wanted ? odd : even;
  }
  bool const conjunction = (node.logical == LogicalOp::conjunction) == wanted;
  auto all = cases_of(node.children[0], wanted);
  for (std::size_t i = 1; i < node.children.size() && all; ++i) {
    auto more = cases_of(node.children[i], wanted);
    all = conjunction ? both(std::move(all), std::move(more))
                      : either(std::move(all), std::move(more));
  }
  return all;
}

// What a fact says of the value of one left side.
struct Claim {
  enum class Kind { comparison, starts_with, ends_with };
  Kind kind = Kind::comparison;
  bool holds = true;
  CompareOp op = CompareOp::equal;
  Comparand const* comparand = nullptr;
  Predicate predicate;  // of a comparison
  std::string text;     // of an affix

  bool true_of(std::string_view value) const {
    if (kind == Kind::starts_with) return value.starts_with(text) == holds;
    if (kind == Kind::ends_with) return value.ends_with(text) == holds;
    return rules::holds(predicate, ValueView::bytes(value)) == holds;
  }
  bool equality() const {
    return kind == Kind::comparison && (op == CompareOp::equal || op == CompareOp::in_set);
  }
};

// Everything that a case says about one left side.
struct Subject {
  Type type;
  bool never_missing = false;
  Letters letters = Letters::any;
  std::vector<Claim> claims;
};

using IntegerRanges = std::vector<std::pair<std::int64_t, std::int64_t>>;

// For which numbers a comparison holds; none when it is not a matter of order.
std::optional<IntegerRanges> integer_ranges(Claim const& claim) {
  auto const& comparand = *claim.comparand;
  if (claim.op == CompareOp::in_set || claim.op == CompareOp::equal) return comparand.integers;
  if (claim.op == CompareOp::in_list || claim.op == CompareOp::bitwise_and) return std::nullopt;
  auto const number = comparand.integers[0].first;
  IntegerRanges ranges;
  bool const below = claim.op == CompareOp::less || claim.op == CompareOp::less_equal ||
                     claim.op == CompareOp::not_equal;
  bool const above = claim.op == CompareOp::greater || claim.op == CompareOp::greater_equal ||
                     claim.op == CompareOp::not_equal;
  if (below && number != INT64_MIN) ranges.emplace_back(INT64_MIN, number - 1);
  if (above && number != INT64_MAX) ranges.emplace_back(number + 1, INT64_MAX);
  if (claim.op == CompareOp::less_equal || claim.op == CompareOp::greater_equal) {
    ranges.emplace_back(number, number);
  }
  return ranges;
}

using AddressRanges = std::vector<std::pair<AddressNumber, AddressNumber>>;

std::optional<AddressRanges> address_ranges(Claim const& claim, bool v4) {
  if (!claim.equality() && claim.op != CompareOp::not_equal) return std::nullopt;
  AddressNumber const most = v4 ? AddressNumber{0xffffffff} : ~AddressNumber{0};
  AddressRanges ranges;
  for (auto const& [first, last] : claim.comparand->addresses) {
    if (first.is_v4() == v4) ranges.emplace_back(number_of(first), number_of(last));
  }
  if (claim.op != CompareOp::not_equal) return ranges;
  if (ranges.empty()) return AddressRanges{{0, most}};
  auto const number = ranges[0].first;
  ranges.clear();
  if (number != 0) ranges.emplace_back(0, number - 1);
  if (number != most) ranges.emplace_back(number + 1, most);
  return ranges;
}

bool no_integer_left(Subject const& subject) {
  RangeSet<std::int64_t> possible(INT64_MIN, INT64_MAX);
  for (auto const& claim : subject.claims) {
    auto const ranges = integer_ranges(claim);
    if (!ranges) continue;
    claim.holds ? possible.keep_only(*ranges) : possible.remove(*ranges);
  }
  return possible.empty();
}

bool no_address_left(Subject const& subject) {
  for (bool const v4 : {true, false}) {
    RangeSet<AddressNumber> possible(0, v4 ? AddressNumber{0xffffffff} : ~AddressNumber{0});
    for (auto const& claim : subject.claims) {
      auto const ranges = address_ranges(claim, v4);
      if (!ranges) continue;
      claim.holds ? possible.keep_only(*ranges) : possible.remove(*ranges);
    }
    if (!possible.empty()) return false;
  }
  return true;
}

// A text that every value with this claim begins with; empty when there is none.
std::string required_prefix(Claim const& claim) {
  if (!claim.holds) return {};
  if (claim.kind == Claim::Kind::starts_with) return claim.text;
  if (claim.kind != Claim::Kind::comparison) return {};
  if (claim.op == CompareOp::strict_wildcard) return claim.comparand->pattern->prefix();
  if (claim.op == CompareOp::matches) return claim.comparand->regex->prefix();
  return {};
}

// A text that every value with this claim contains.
std::string required_part(Claim const& claim) {
  if (!claim.holds) return {};
  if (claim.kind != Claim::Kind::comparison) return claim.text;
  if (claim.op == CompareOp::contains) return claim.comparand->bytes[0];
  return required_prefix(claim);
}

bool no_text_left(Subject const& subject) {
  auto const allowed = [&](std::string_view value) {
    if (subject.letters == Letters::lower || subject.letters == Letters::folded) {
      if (ascii_lower(value) != value) return false;
    }
    if (subject.letters == Letters::upper) {
      for (char const c : value) {
        if (c != ascii_upper(c)) return false;
      }
    }
    for (auto const& claim : subject.claims) {
      if (!claim.true_of(value)) return false;
    }
    return true;
  };
  for (auto const& claim : subject.claims) {
    bool const one_of = claim.holds && claim.equality();
    bool const exactly = !claim.holds && claim.kind == Claim::Kind::comparison &&
                         claim.op == CompareOp::not_equal && subject.never_missing;
    if (!one_of && !exactly) continue;
    for (auto const& value : claim.comparand->bytes) {
      if (allowed(value)) return false;
    }
    return true;
  }
  for (auto const& a : subject.claims) {
    auto const prefix = required_prefix(a);
    auto const part = required_part(a);
    for (auto const& b : subject.claims) {
      auto const other = required_prefix(b);
      if (!prefix.empty() && !other.empty() && !prefix.starts_with(other) &&
          !other.starts_with(prefix)) {
        return true;
      }
      if (b.holds) continue;
      if (b.kind == Claim::Kind::starts_with && !prefix.empty() && prefix.starts_with(b.text)) {
        return true;
      }
      if (b.kind == Claim::Kind::ends_with && a.holds && a.kind == Claim::Kind::ends_with &&
          a.text.ends_with(b.text)) {
        return true;
      }
      if (b.kind == Claim::Kind::comparison && b.op == CompareOp::contains && !part.empty() &&
          part.find(b.comparand->bytes[0]) != std::string::npos) {
        return true;
      }
    }
  }
  return false;
}

class Refuter {
 public:
  explicit Refuter(Scheme const& scheme) : scheme_(scheme) {}

  bool contradicts_itself(Case const& facts) {
    std::map<std::string, bool> known;        // conditions by their text
    std::map<std::string, Subject> subjects;  // left sides by their text
    for (auto const& fact : facts) {
      auto const [at, is_new] = known.emplace(dump(*fact.node), fact.holds);
      if (!is_new && at->second != fact.holds) return true;
      if (impossible(fact)) return true;
      add_claim(fact, subjects);
    }
    if (bools_contradict(facts)) return true;
    for (auto const& [text, subject] : subjects) {
      if (nothing_left(subject)) return true;
    }
    return false;
  }

 private:
  static bool impossible(Fact const& fact) {
    auto const& node = *fact.node;
    if (!fact.holds || node.kind != Node::Kind::comparison || node.children[0].maps_each) {
      return false;
    }
    return (node.compare == CompareOp::in_set && node.literals.empty()) ||
           (node.compare == CompareOp::in_list && node.comparand->list->size() == 0);
  }

  // Follows the embedder's promises: what is true makes more true.
  bool bools_contradict(Case const& facts) const {
    std::vector<bool> is_true(scheme_.field_count());
    for (auto const& fact : facts) {
      if (fact.node->kind == Node::Kind::field && fact.holds) is_true[fact.node->field] = true;
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (auto const& [if_true, then_true] : scheme_.implications()) {
        if (!is_true[if_true] || is_true[then_true]) continue;
        is_true[then_true] = true;
        changed = true;
      }
    }
    for (auto const& fact : facts) {
      if (fact.node->kind == Node::Kind::field && !fact.holds && is_true[fact.node->field]) {
        return true;
      }
    }
    return false;
  }

  void add_claim(Fact const& fact, std::map<std::string, Subject>& subjects) const {
    auto const& node = *fact.node;
    Claim claim;
    claim.holds = fact.holds;
    if (node.kind == Node::Kind::comparison) {
      auto const& left = node.children[0];
      if (left.maps_each) return;
      claim.op = node.compare;
      claim.comparand = node.comparand.get();
      claim.predicate = build_predicate(node.compare, left.type, *node.comparand);
    } else if (node.kind == Node::Kind::call && node.children.size() == 2 &&
               (node.name == "starts_with" || node.name == "ends_with") &&
               node.children[1].kind == Node::Kind::literal && !node.children[0].maps_each) {
      claim.kind = node.name == "starts_with" ? Claim::Kind::starts_with : Claim::Kind::ends_with;
      claim.text = node.children[1].comparand->bytes[0];
    } else {
      return;
    }
    auto const& left = node.children[0];
    auto& subject = subjects[dump(left)];
    subject.type = left.type;
    if (left.kind == Node::Kind::field) {
      subject.never_missing = scheme_.field(left.field).options.never_missing;
      subject.letters = scheme_.field(left.field).options.letters;
    }
    subject.claims.push_back(std::move(claim));
  }

  static bool nothing_left(Subject const& subject) {
    bool present = subject.never_missing;
    for (auto const& claim : subject.claims) present = present || claim.holds;
    if (!present) return false;  // a missing value makes every comparison false
    switch (subject.type.kind()) {
      case Kind::integer:
        return no_integer_left(subject);
      case Kind::ip:
        return no_address_left(subject);
      case Kind::bytes:
        return no_text_left(subject);
      default:
        return false;
    }
  }

  Scheme const& scheme_;
};

bool refuted(Cases const& cases, Scheme const& scheme) {
  if (!cases) return false;
  Refuter refuter(scheme);
  for (auto const& each : *cases) {
    if (!refuter.contradicts_itself(each)) return false;
  }
  return true;
}

}  // namespace

bool never_matches(CheckedExpression const& expression, Scheme const& scheme) {
  return refuted(cases_of(expression.root, true), scheme);
}

bool always_matches(CheckedExpression const& expression, Scheme const& scheme) {
  return refuted(cases_of(expression.root, false), scheme);
}

bool implies(CheckedExpression const& specific, CheckedExpression const& general,
             Scheme const& scheme) {
  return refuted(both(cases_of(specific.root, true), cases_of(general.root, false)), scheme);
}

bool disjoint(CheckedExpression const& left, CheckedExpression const& right, Scheme const& scheme) {
  return refuted(both(cases_of(left.root, true), cases_of(right.root, true)), scheme);
}

bool requires_bool(CheckedExpression const& expression, FieldId field, bool wanted,
                   Scheme const& scheme) {
  Node node;
  node.kind = Node::Kind::field;
  node.field = field;
  node.name = scheme.field(field).name;
  node.type = bool_type;
  Cases opposite{{Case{Fact{&node, !wanted}}}};
  return refuted(both(cases_of(expression.root, true), std::move(opposite)), scheme);
}

}  // namespace certgate::rules
