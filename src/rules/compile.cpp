// Turns a checked tree into code.
//
// Instructions are emitted last to first: whatever follows an instruction is there already when the
// instruction itself is written, so no jump is ever patched. The order is reversed at the end.
#include "certgate/rules/checker.hpp"
#include "code.hpp"

namespace certgate::rules {

namespace {

class Compiler {
 public:
  std::shared_ptr<Code const> run(CheckedExpression const& expression) {
    auto const& root = expression.root;
    code_->type = root.type;
    if (root.type == bool_type) code_->entry = condition(root, accept, reject);
    if (root.kind == Node::Kind::field) {
      code_->result = use(root.field);
    } else if (root.type == bool_type && root.kind != Node::Kind::index &&
               root.kind != Node::Kind::call) {
      code_->value_is_condition = true;
    } else {
      // Other than a condition, a Bool value can be missing.
      auto const target = new_register();
      code_->value_entry = value(root, target, accept);
      code_->result = target | register_bit;
    }
    reverse();
    code_->needles.shrink_to_fit();
    code_->needle_text.shrink_to_fit();
    return std::move(code_);
  }

 private:
  using Place = std::uint32_t;

  Place emit(Instruction instruction) {
    code_->instructions.push_back(instruction);
    return static_cast<Place>(code_->instructions.size() - 1);
  }
  std::uint32_t new_register() { return code_->registers++; }
  std::uint32_t use(FieldId field) {
    code_->fields.insert(field);
    return field;
  }

  void reverse() {
    auto& code = code_->instructions;
    auto const last = static_cast<Place>(code.size()) - 1;
    auto const turned = [&](Place place) { return place > last ? place : last - place; };
    std::vector<Instruction> reversed(code.rbegin(), code.rend());
    for (auto& each : reversed) {
      each.yes = turned(each.yes);
      each.no = turned(each.no);
    }
    if (!code.empty()) {
      code_->entry = turned(code_->entry);
      code_->value_entry = turned(code_->value_entry);
    }
    code = std::move(reversed);
  }

  // Where a value is read from: fields directly, anything else from a register that `entry` fills.
  struct Source {
    std::uint32_t operand;
    bool computed;
  };
  Source source_of(Node const& node) {
    if (node.kind == Node::Kind::field) return {use(node.field), false};
    return {new_register() | register_bit, true};
  }
  Place fill(Source source, Node const& node, Place next) {
    return source.computed ? value(node, source.operand & ~register_bit, next) : next;
  }

  std::uint32_t predicate_of(Node const& node) {
    auto const& left = node.children[0];
    auto const type = left.maps_each ? left.type.element() : left.type;
    code_->predicates.push_back(build_predicate(node.compare, type, *node.comparand));
    return static_cast<std::uint32_t>(code_->predicates.size() - 1);
  }

  Place branch(Op op, Node const& operand, std::uint32_t extra, Place yes, Place no) {
    auto const source = source_of(operand);
    auto const test =
        emit({.op = op, .operand = source.operand, .extra = extra, .yes = yes, .no = no});
    return fill(source, operand, test);
  }

  // Equality with a few strings needs no predicate.
  static constexpr std::size_t max_needles = 16;
  static bool is_search(Node const& node) {
    return node.children[0].type == bytes_type &&
           (node.compare == CompareOp::equal || node.compare == CompareOp::in_set) &&
           node.comparand->bytes.size() <= max_needles;
  }

  Place search(Node const& node, Place yes, Place no) {
    auto const first = static_cast<std::uint32_t>(code_->needles.size());
    auto const& strings = node.comparand->bytes;
    for (auto const& each : strings) {
      code_->needles.push_back({ends_of(each),
                                static_cast<std::uint32_t>(code_->needle_text.size()),
                                static_cast<std::uint32_t>(each.size())});
      if (each.size() > 16) code_->needle_text += each;  // shorter ones are all in their ends
    }
    auto const source = source_of(node.children[0]);
    auto const test = emit({.op = Op::one_of,
                            .count = static_cast<std::uint32_t>(strings.size()),
                            .operand = source.operand,
                            .extra = first,
                            .yes = yes,
                            .no = no});
    return fill(source, node.children[0], test);
  }

  Place condition(Node const& node, Place yes, Place no) {
    switch (node.kind) {
      case Node::Kind::logical:
        return logical(node, yes, no);
      case Node::Kind::negation:
        return condition(node.children[0], no, yes);
      case Node::Kind::comparison:
        if (is_search(node)) return search(node, yes, no);
        return branch(Op::test, node.children[0], predicate_of(node), yes, no);
      case Node::Kind::quantifier:
        return quantifier(node, yes, no);
      default:
        return branch(Op::truth, node, 0, yes, no);
    }
  }

  Place logical(Node const& node, Place yes, Place no) {
    if (node.logical == LogicalOp::exclusive) return exclusive(node, yes, no);
    bool const conjunction = node.logical == LogicalOp::conjunction;
    Place next = conjunction ? yes : no;
    for (auto child = node.children.rbegin(); child != node.children.rend(); ++child) {
      next = conjunction ? condition(*child, next, no) : condition(*child, yes, next);
    }
    return next;
  }

  // A slot is flipped by every operand that is true.
  Place exclusive(Node const& node, Place yes, Place no) {
    auto const slot = slots_++;
    Place next = emit({.op = Op::slot, .extra = slot, .yes = yes, .no = no});
    for (auto child = node.children.rbegin(); child != node.children.rend(); ++child) {
      auto const flip = emit({.op = Op::flip_slot, .extra = slot, .yes = next});
      next = condition(*child, flip, next);
    }
    --slots_;
    return emit({.op = Op::clear_slot, .extra = slot, .yes = next});
  }

  Place quantifier(Node const& node, Place yes, Place no) {
    bool const any = node.name == "any";
    auto const& inner = node.children[0];
    if (inner.kind == Node::Kind::comparison) {
      return branch(any ? Op::any_test : Op::all_test, inner.children[0], predicate_of(inner), yes,
                    no);
    }
    return branch(any ? Op::any_true : Op::all_true, inner, 0, yes, no);
  }

  Place value(Node const& node, std::uint32_t target, Place next) {
    switch (node.kind) {
      case Node::Kind::field:
        return emit({.op = Op::load, .operand = use(node.field), .target = target, .yes = next});
      case Node::Kind::literal:
        return constant(constant_of(node), target, next);
      case Node::Kind::index:
        return index(node, target, next);
      case Node::Kind::call:
        return call(node, target, next);
      default:
        break;
    }
    if (node.type == bool_type) {
      auto const yes = constant(ValueView::boolean(true), target, next);
      auto const no = constant(ValueView::boolean(false), target, next);
      return condition(node, yes, no);
    }
    return elements(node, target, next);
  }

  // A condition on each element: Array<Bool>.
  Place elements(Node const& node, std::uint32_t target, Place next) {
    if (node.kind == Node::Kind::comparison) {
      auto const& left = node.children[0];
      auto const source = source_of(left);
      auto const test = emit({.op = Op::test_each,
                              .operand = source.operand,
                              .extra = predicate_of(node),
                              .target = target,
                              .yes = next});
      return fill(source, left, test);
    }
    if (node.kind == Node::Kind::negation) {
      auto const source = source_of(node.children[0]);
      auto const negate =
          emit({.op = Op::negate_each, .operand = source.operand, .target = target, .yes = next});
      return fill(source, node.children[0], negate);
    }
    // target = first; then target = target op child, one after the other.
    auto const op = node.logical == LogicalOp::conjunction
                        ? Op::and_each
                        : (node.logical == LogicalOp::disjunction ? Op::or_each : Op::xor_each);
    for (auto i = node.children.size() - 1; i > 0; --i) {
      auto const source = source_of(node.children[i]);
      auto const join = emit(
          {.op = op, .operand = source.operand, .extra = target, .target = target, .yes = next});
      next = fill(source, node.children[i], join);
    }
    return value(node.children[0], target, next);
  }

  Place index(Node const& node, std::uint32_t target, Place next) {
    auto const source = source_of(node.children[0]);
    auto const first = static_cast<std::uint32_t>(code_->steps.size());
    code_->steps.insert(code_->steps.end(), node.steps.begin(), node.steps.end());
    auto const walk = emit({.op = Op::index,
                            .count = static_cast<std::uint32_t>(node.steps.size()),
                            .operand = source.operand,
                            .extra = first,
                            .target = target,
                            .yes = next});
    return fill(source, node.children[0], walk);
  }

  Place call(Node const& node, std::uint32_t target, Place next) {
    auto const count = node.children.size();
    auto const first = code_->registers;
    code_->registers += static_cast<std::uint32_t>(count);
    bool const mapped = node.children[0].kind == Node::Kind::index && node.children[0].maps_each;
    auto const site = static_cast<std::uint32_t>(code_->calls.size());
    code_->calls.push_back({node.function->call, node.function->takes_missing, node.prepared.data});
    next = emit({.op = mapped ? Op::call_each : Op::call,
                 .count = static_cast<std::uint32_t>(count),
                 .operand = first,
                 .extra = site,
                 .target = target,
                 .yes = next});
    for (auto i = count; i > 0; --i) {
      next = value(node.children[i - 1], first + static_cast<std::uint32_t>(i - 1), next);
    }
    return next;
  }

  Place constant(ValueView view, std::uint32_t target, Place next) {
    code_->constants.push_back(view);
    return emit({.op = Op::constant,
                 .extra = static_cast<std::uint32_t>(code_->constants.size() - 1),
                 .target = target,
                 .yes = next});
  }

  ValueView constant_of(Node const& node) {
    auto const& comparand = *node.comparand;
    if (node.type == int_type) return ValueView::integer(comparand.integers[0].first);
    if (node.type == ip_type) return ValueView::ip(comparand.addresses[0].first);
    code_->literals.push_back(std::make_unique<std::string>(comparand.bytes[0]));
    return ValueView::bytes(*code_->literals.back());
  }

  std::shared_ptr<Code> code_ = std::make_shared<Code>();
  std::uint32_t slots_ = 0;
};

}  // namespace

Program compile_checked(CheckedExpression const& expression) {
  return Program(Compiler().run(expression));
}

}  // namespace certgate::rules
