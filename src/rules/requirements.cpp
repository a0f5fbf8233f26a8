// What must hold of single fields whenever an expression matches.
#include <algorithm>

#include "address_blocks.hpp"
#include "certgate/rules/analysis.hpp"
#include "check_comparison.hpp"
#include "parse_number.hpp"
#include "regex.hpp"
#include "wildcard.hpp"

namespace certgate::rules {

namespace {

using Shape = Requirement::Shape;

// More than this is not worth filing a rule under.
constexpr std::size_t max_values = 4096;

// The field that a left side stands for: itself, or lower() of a field that is lower case already.
Node const* plain_field(Node const& node, Scheme const& scheme) {
  if (node.kind == Node::Kind::field) return &node;
  if (node.kind == Node::Kind::call && node.name == "lower" && node.children.size() == 1 &&
      node.children[0].kind == Node::Kind::field &&
      scheme.field(node.children[0].field).options.letters == Letters::folded) {
    return &node.children[0];
  }
  return nullptr;
}

bool integer_values(Comparand const& comparand, std::vector<std::string>& out) {
  for (auto const& [first, last] : comparand.integers) {
    auto const span = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first);
    if (span >= max_values || out.size() + span >= max_values) return false;
    for (std::uint64_t i = 0; i <= span; ++i) {
      out.push_back(std::to_string(first + static_cast<std::int64_t>(i)));
    }
  }
  return true;
}

class Finder {
 public:
  explicit Finder(Scheme const& scheme) : scheme_(scheme) {}

  Requirements find(Node const& node, bool wanted) const {
    switch (node.kind) {
      case Node::Kind::negation:
        return find(node.children[0], !wanted);
      case Node::Kind::logical:
        if (node.logical == LogicalOp::exclusive) return {};
        return (node.logical == LogicalOp::conjunction) == wanted ? every(node, wanted)
                                                                  : either(node, wanted);
      case Node::Kind::field: {
        Requirement requirement;
        requirement.field = node.field;
        requirement.shape = wanted ? Shape::is_true : Shape::is_not_true;
        return only(std::move(requirement));
      }
      case Node::Kind::comparison:
        return wanted ? comparison(node) : Requirements{};
      case Node::Kind::call:
        return wanted ? call(node) : Requirements{};
      default:
        return {};
    }
  }

 private:
  static Requirements only(Requirement&& requirement) {
    Requirements one;
    one.push_back(std::move(requirement));
    return one;
  }

  Requirements every(Node const& node, bool wanted) const {
    Requirements all;
    all.reserve(node.children.size());
    for (auto const& child : node.children) {
      auto more = find(child, wanted);
      all.insert(all.end(), std::make_move_iterator(more.begin()),
                 std::make_move_iterator(more.end()));
    }
    return all;
  }

  // What all alternatives require of one field, they require together.
  Requirements either(Node const& node, bool wanted) const {
    auto all = find(node.children[0], wanted);
    for (std::size_t i = 1; i < node.children.size() && !all.empty(); ++i) {
      auto const more = find(node.children[i], wanted);
      Requirements both;
      for (auto& one : all) {
        for (auto const& other : more) {
          if (other.field != one.field) continue;
          if (auto joined = either_of(one, other)) {
            both.push_back(std::move(*joined));
            break;
          }
        }
      }
      all = std::move(both);
    }
    return all;
  }

  static std::optional<Requirement> either_of(Requirement const& a, Requirement const& b) {
    auto joined = a;
    bool const texts = (a.shape == Shape::equals_one_of || a.shape == Shape::starts_with) &&
                       (b.shape == Shape::equals_one_of || b.shape == Shape::starts_with);
    if (a.shape != b.shape && !texts) return std::nullopt;
    // Being equal to a text is a special way to start with it.
    if (a.shape != b.shape) joined.shape = Shape::starts_with;
    joined.values.insert(joined.values.end(), b.values.begin(), b.values.end());
    joined.networks.insert(joined.networks.end(), b.networks.begin(), b.networks.end());
    if (joined.values.size() > max_values || joined.networks.size() > max_values) {
      return std::nullopt;
    }
    return joined;
  }

  Requirements comparison(Node const& node) const {
    auto const* field = plain_field(node.children[0], scheme_);
    if (!field || !node.comparand) return {};
    auto const& comparand = *node.comparand;
    Requirement requirement;
    requirement.field = field->field;
    requirement.shape = Shape::equals_one_of;
    bool const equality = node.compare == CompareOp::equal || node.compare == CompareOp::in_set;
    switch (field->type.kind()) {
      case Kind::bytes:
        if (equality) {
          requirement.values = comparand.bytes;
        } else if (comparand.pattern) {
          if (!pattern(*comparand.pattern, *field, requirement)) return {};
        } else if (comparand.regex && !comparand.regex->prefix().empty()) {
          requirement.shape = Shape::starts_with;
          requirement.values = {comparand.regex->prefix()};
        } else {
          return {};
        }
        break;
      case Kind::integer:
        if (!equality || !integer_values(comparand, requirement.values)) return {};
        requirement.is_integer = true;
        break;
      case Kind::ip:
        if (!equality) return {};
        requirement.shape = Shape::in_networks;
        for (auto const& [first, last] : comparand.addresses) {
          append_blocks(first, last, requirement.networks);
        }
        break;
      default:
        return {};
    }
    return only(std::move(requirement));
  }

  // A pattern without regard to case says something about bytes only where there is one case.
  bool pattern(WildcardPattern const& pattern, Node const& field, Requirement& out) const {
    bool const exact = pattern.rule() == CaseRule::sensitive ||
                       scheme_.field(field.field).options.letters == Letters::folded;
    if (!exact) return false;
    out.values = {pattern.prefix()};
    if (pattern.stars() > 0) out.shape = Shape::starts_with;
    return pattern.stars() == 0 || !pattern.prefix().empty();
  }

  Requirements call(Node const& node) const {
    if (node.name != "starts_with" || node.children.size() != 2) return {};
    auto const* field = plain_field(node.children[0], scheme_);
    auto const& prefix = node.children[1];
    if (!field || prefix.kind != Node::Kind::literal || !prefix.comparand) return {};
    Requirement requirement;
    requirement.field = field->field;
    requirement.shape = Shape::starts_with;
    requirement.values = prefix.comparand->bytes;
    return only(std::move(requirement));
  }

  Scheme const& scheme_;
};

}  // namespace

bool Requirement::impossible() const {
  switch (shape) {
    case Shape::equals_one_of:
    case Shape::starts_with:
      return values.empty();
    case Shape::in_networks:
      return networks.empty();
    default:
      return false;
  }
}

Requirements requirements(CheckedExpression const& expression, Scheme const& scheme) {
  return Finder(scheme).find(expression.root, true);
}

}  // namespace certgate::rules
