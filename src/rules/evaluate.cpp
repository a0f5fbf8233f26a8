// Runs code. Nothing here allocates from the heap, throws or calls a virtual function, but for the
// one of a list.
#include <cstring>

#include "code.hpp"

namespace certgate::rules {

namespace {

constexpr std::size_t slot_words = 4;
static_assert(max_nesting < slot_words * 64, "nested xor needs a slot for each level");

struct Run {
  Code const& code;
  ValueView const* fields;
  ValueView* registers;
  Arena& arena;

  ValueView const& operand(std::uint32_t place) const {
    return place & register_bit ? registers[place & ~register_bit] : fields[place];
  }
};

ValueView follow(ValueView const& value, IndexStep const& step) noexcept {
  if (step.kind == IndexStep::Kind::at) {
    if (value.kind() != Kind::array) return {};
    auto const elements = value.as_array();
    return step.at < elements.size() ? elements[step.at] : ValueView();
  }
  if (value.kind() != Kind::map) return {};
  return find_key(value.as_map(), step.key);
}

std::size_t element_count(ValueView const& value) {
  if (value.kind() == Kind::array) return value.as_array().size();
  return value.kind() == Kind::map ? value.as_map().size() : 0;
}

ValueView const& element(ValueView const& value, std::size_t i) {
  return value.kind() == Kind::array ? value.as_array()[i] : value.as_map()[i].value;
}

// Either counts what `steps` lead to below `value`, or also writes it.
std::size_t spread(ValueView const& value, std::span<IndexStep const> steps,
                   ValueView* out) noexcept {
  ValueView here = value;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (here.is_missing()) return 0;
    if (steps[i].kind != IndexStep::Kind::each) {
      here = follow(here, steps[i]);
      continue;
    }
    std::size_t count = 0;
    auto const rest = steps.subspan(i + 1);
    for (std::size_t k = 0; k < element_count(here); ++k) {
      count += spread(element(here, k), rest, out ? out + count : nullptr);
    }
    return count;
  }
  if (here.is_missing()) return 0;
  if (out) *out = here;
  return 1;
}

bool index(Run& run, Instruction const& instruction) noexcept {
  auto const steps =
      std::span<IndexStep const>(run.code.steps).subspan(instruction.extra, instruction.count);
  ValueView here = run.operand(instruction.operand);
  auto& target = run.registers[instruction.target];
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].kind != IndexStep::Kind::each) {
      here = follow(here, steps[i]);
      continue;
    }
    // [*] of something missing is an empty array.
    if (here.is_missing()) {
      target = ValueView::array({});
      return true;
    }
    if (i + 1 == steps.size() && here.kind() == Kind::array) {
      target = here;
      return true;
    }
    auto const rest = steps.subspan(i);
    auto const count = spread(here, rest, nullptr);
    auto* out = run.arena.allocate_array<ValueView>(count);
    if (!out) return false;
    spread(here, rest, out);
    target = ValueView::array({out, count});
    return true;
  }
  target = here;
  return true;
}

bool call(Run& run, Instruction const& instruction) noexcept {
  auto const& site = run.code.calls[instruction.extra];
  std::span<ValueView const> const arguments(run.registers + instruction.operand,
                                             instruction.count);
  auto& target = run.registers[instruction.target];
  if (!site.takes_missing) {
    for (auto const& argument : arguments) {
      if (argument.is_missing()) {
        target = {};
        return true;
      }
    }
  }
  CallContext context{run.arena, site.data.get()};
  target = site.call(context, arguments);
  return !context.failed;
}

// Elements without a result are left out, so the array can be shorter.
bool call_each(Run& run, Instruction const& instruction) noexcept {
  auto const list = run.registers[instruction.operand];
  if (list.kind() != Kind::array) {
    run.registers[instruction.target] = ValueView::array({});
    return true;
  }
  auto const elements = list.as_array();
  auto* out = run.arena.allocate_array<ValueView>(elements.size());
  if (!out) return false;
  std::size_t count = 0;
  for (auto const& each : elements) {
    run.registers[instruction.operand] = each;
    if (!call(run, instruction)) return false;
    auto const& result = run.registers[instruction.target];
    if (!result.is_missing()) out[count++] = result;
  }
  run.registers[instruction.target] = ValueView::array({out, count});
  return true;
}

bool test_each(Run& run, Instruction const& instruction) noexcept {
  auto const& list = run.operand(instruction.operand);
  auto const count = element_count(list);
  auto* out = run.arena.allocate_array<ValueView>(count);
  if (!out) return false;
  auto const& predicate = run.code.predicates[instruction.extra];
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = ValueView::boolean(holds(predicate, element(list, i)));
  }
  run.registers[instruction.target] = ValueView::array({out, count});
  return true;
}

bool negate_each(Run& run, Instruction const& instruction) noexcept {
  auto const list = run.operand(instruction.operand);
  auto& target = run.registers[instruction.target];
  target = {};
  if (list.is_missing()) return true;
  auto const count = element_count(list);
  auto* out = run.arena.allocate_array<ValueView>(count);
  if (!out) return false;
  for (std::size_t i = 0; i < count; ++i) {
    auto const& each = element(list, i);
    out[i] = ValueView::boolean(each.is_missing() || !each.as_bool());
  }
  target = ValueView::array({out, count});
  return true;
}

// As long as the shorter side; missing when a side is.
bool join_each(Run& run, Instruction const& instruction) noexcept {
  auto const left = run.registers[instruction.extra];
  auto const right = run.operand(instruction.operand);
  auto& target = run.registers[instruction.target];
  target = {};
  if (left.is_missing() || right.is_missing()) return true;
  auto const count = std::min(element_count(left), element_count(right));
  auto* out = run.arena.allocate_array<ValueView>(count);
  if (!out) return false;
  for (std::size_t i = 0; i < count; ++i) {
    auto const& x = element(left, i);
    auto const& y = element(right, i);
    bool const a = !x.is_missing() && x.as_bool();
    bool const b = !y.is_missing() && y.as_bool();
    out[i] = ValueView::boolean(instruction.op == Op::and_each
                                    ? a && b
                                    : (instruction.op == Op::or_each ? a || b : a != b));
  }
  target = ValueView::array({out, count});
  return true;
}

bool any_test(Predicate const& predicate, ValueView const& list) noexcept {
  auto const count = element_count(list);
  for (std::size_t i = 0; i < count; ++i) {
    if (holds(predicate, element(list, i))) return true;
  }
  return false;
}

bool all_test(Predicate const& predicate, ValueView const& list) noexcept {
  auto const count = element_count(list);
  for (std::size_t i = 0; i < count; ++i) {
    if (!holds(predicate, element(list, i))) return false;
  }
  return true;
}

bool is_true(ValueView const& value) { return !value.is_missing() && value.as_bool(); }

bool some_true(ValueView const& list) noexcept {
  for (std::size_t i = 0; i < element_count(list); ++i) {
    if (is_true(element(list, i))) return true;
  }
  return false;
}

bool every_true(ValueView const& list) noexcept {
  if (list.is_missing()) return false;
  for (std::size_t i = 0; i < element_count(list); ++i) {
    if (!is_true(element(list, i))) return false;
  }
  return true;
}

bool holds_one_of(Code const& code, Instruction const& now, ValueView const& value) noexcept {
  return !value.is_missing() && is_one_of(code.needles.data() + now.extra, now.count,
                                          code.needle_text.data(), value.as_bytes());
}

// What most rules consist of, questions to fields, without the weight of the rest. Each answer
// leaves by a jump of its own, which the processor learns to foresee. Ends where run_from() has to
// go on.
inline std::uint32_t run_simple(Code const& code, ValueView const* fields) noexcept {
  auto const* const instructions = code.instructions.data();
  auto place = code.entry;
  while (place < out_of_memory) {
    auto const& now = instructions[place];
    if ((now.operand & register_bit) != 0) return place;
    if (now.op == Op::one_of) {
      if (holds_one_of(code, now, fields[now.operand])) {
        place = now.yes;
        continue;
      }
    } else if (now.op == Op::truth) {
      if (is_true(fields[now.operand])) {
        place = now.yes;
        continue;
      }
    } else {
      return place;
    }
    place = now.no;
  }
  return place;
}

std::uint32_t run_from(std::uint32_t place, Run& run) noexcept {
  std::uint64_t slots[slot_words] = {0, 0, 0, 0};
  auto const* const instructions = run.code.instructions.data();
  while (place < out_of_memory) {
    auto const& now = instructions[place];
    bool yes = true;
    switch (now.op) {
      case Op::one_of:
        yes = holds_one_of(run.code, now, run.operand(now.operand));
        break;
      case Op::truth:
        yes = is_true(run.operand(now.operand));
        break;
      case Op::test:
        yes = holds(run.code.predicates[now.extra], run.operand(now.operand));
        break;
      case Op::any_test:
        yes = any_test(run.code.predicates[now.extra], run.operand(now.operand));
        break;
      case Op::all_test:
        yes = all_test(run.code.predicates[now.extra], run.operand(now.operand));
        break;
      case Op::any_true:
        yes = some_true(run.operand(now.operand));
        break;
      case Op::all_true:
        yes = every_true(run.operand(now.operand));
        break;
      case Op::slot:
        yes = (slots[now.extra / 64] >> (now.extra % 64) & 1) != 0;
        break;
      case Op::clear_slot:
        slots[now.extra / 64] &= ~(std::uint64_t{1} << (now.extra % 64));
        break;
      case Op::flip_slot:
        slots[now.extra / 64] ^= std::uint64_t{1} << (now.extra % 64);
        break;
      case Op::load:
        run.registers[now.target] = run.operand(now.operand);
        break;
      case Op::constant:
        run.registers[now.target] = run.code.constants[now.extra];
        break;
      case Op::index:
        if (!index(run, now)) return out_of_memory;
        break;
      case Op::call:
        if (!call(run, now)) return out_of_memory;
        break;
      case Op::call_each:
        if (!call_each(run, now)) return out_of_memory;
        break;
      case Op::test_each:
        if (!test_each(run, now)) return out_of_memory;
        break;
      case Op::negate_each:
        if (!negate_each(run, now)) return out_of_memory;
        break;
      case Op::and_each:
      case Op::or_each:
      case Op::xor_each:
        if (!join_each(run, now)) return out_of_memory;
        break;
    }
    place = yes ? now.yes : now.no;
  }
  return place;
}

// Registers are the first thing in the arena; false when they do not fit.
bool prepare(Code const& code, Scratch& scratch, Run& run) noexcept {
  if (code.registers == 0) return true;
  scratch.arena().rewind(0);
  run.registers = scratch.arena().allocate_array<ValueView>(code.registers);
  if (!run.registers) return false;
  for (std::uint32_t i = 0; i < code.registers; ++i) run.registers[i] = ValueView();
  return true;
}

}  // namespace

Outcome evaluate(Program const& program, Values values, Scratch& scratch) noexcept {
  auto const* code = program.code();
  if (!code) return Outcome::no_match;
  auto place = run_simple(*code, values.data());
  if (place < out_of_memory) {
    Run run{*code, values.data(), nullptr, scratch.arena()};
    if (!prepare(*code, scratch, run)) return Outcome::failed;
    place = run_from(place, run);
  }
  switch (place) {
    case accept:
      return Outcome::match;
    case reject:
      return Outcome::no_match;
    default:
      return Outcome::failed;
  }
}

ValueOutcome evaluate_value(Program const& program, Values values, Scratch& scratch) noexcept {
  auto const* code = program.code();
  if (!code) return {};
  Run run{*code, values.data(), nullptr, scratch.arena()};
  if (!prepare(*code, scratch, run)) return {.failed = true, .value = {}};
  if (code->value_is_condition) {
    auto const end = run_from(code->entry, run);
    if (end == out_of_memory) return {.failed = true, .value = {}};
    return {.failed = false, .value = ValueView::boolean(end == accept)};
  }
  if (run_from(code->value_entry, run) == out_of_memory) return {.failed = true, .value = {}};
  return {.failed = false, .value = run.operand(code->result)};
}

}  // namespace certgate::rules
