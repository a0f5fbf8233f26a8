// The instructions of a Program. Every instruction names its successors; there is no stack.
//
// Conditions are threaded jumps: `a and (b or c)` becomes three tests, each of which knows where to
// go when true and when false. Values that must be computed (indexes, calls) go to registers in
// the Scratch.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "certgate/rules/function.hpp"
#include "certgate/rules/program.hpp"
#include "needle.hpp"
#include "predicate.hpp"

namespace certgate::rules {

enum class Op : std::uint8_t {
  // Tests: go on at `yes` or `no`.
  one_of,    // the operand is one of needles[extra, +count]
  truth,     // the operand is present and true
  test,      // predicate[extra] of the operand
  any_test,  // predicate[extra] of some element of the operand
  all_test,  // predicate[extra] of every element of the operand
  any_true,  // some element of the operand is true; no when it is missing
  all_true,  // every element of the operand is true; no when it is missing
  slot,      // slot[extra] is set
  // Everything else goes on at `yes`.
  clear_slot,
  flip_slot,
  load,         // register[target] = operand
  constant,     // register[target] = constants[extra]
  index,        // register[target] = operand, followed through steps[extra, +count]
  call,         // register[target] = calls[extra](register[operand, +count])
  call_each,    // the same for each element of register[operand]
  test_each,    // register[target] = an array of predicate[extra] of each element of the operand
  negate_each,  // register[target] = an array of the opposites of the operand's elements
  and_each,
  or_each,
  xor_each,  // register[target] = of register[extra] and the operand
};

// An operand is a field, or with this bit a register.
inline constexpr std::uint32_t register_bit = 0x80000000;

struct Instruction {
  Op op;
  std::uint32_t count = 0;
  std::uint32_t operand = 0;
  std::uint32_t extra = 0;
  std::uint32_t target = 0;
  std::uint32_t yes = 0;
  std::uint32_t no = 0;
};

// Where a run ends.
inline constexpr std::uint32_t accept = 0xffffffff;
inline constexpr std::uint32_t reject = 0xfffffffe;
inline constexpr std::uint32_t out_of_memory = 0xfffffffd;

struct CallSite {
  ValueView (*call)(CallContext&, std::span<ValueView const>) noexcept = nullptr;
  bool takes_missing = false;
  std::shared_ptr<void const> data;
};

struct Code {
  std::vector<Instruction> instructions;
  std::uint32_t entry = reject;        // where a condition starts
  std::uint32_t value_entry = accept;  // where a value starts...
  std::uint32_t result = 0;            // ...and the operand that holds it in the end
  bool value_is_condition = false;     // the value is whether the condition holds
  std::uint32_t registers = 0;
  Type type;
  std::vector<Needle> needles;
  std::string needle_text;  // what they point into
  std::vector<Predicate> predicates;
  std::vector<ValueView> constants;  // Bytes point into `literals`
  std::vector<std::unique_ptr<std::string>> literals;
  std::vector<IndexStep> steps;
  std::vector<CallSite> calls;
  FieldSet fields;
};

}  // namespace certgate::rules
