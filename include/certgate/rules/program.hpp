// What runs: an expression as flat code, without allocation, virtual call or exception.
//
// A Program is immutable and may be run by any number of threads at once, each with a Scratch of
// its own. The embedder fills Values only at the ids in fields_used(); the rest may be anything.
//
//   auto compiled = compile(scheme, R"(http.host eq "a.example")", limits);
//   if (!compiled) return to_diagnostics(compiled.error(), source);
//   Outcome outcome = evaluate(compiled->program, values, scratch);
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "certgate/base/result.hpp"
#include "certgate/rules/arena.hpp"
#include "certgate/rules/limits.hpp"
#include "certgate/rules/mistake.hpp"
#include "certgate/rules/scheme.hpp"
#include "certgate/rules/value.hpp"

namespace certgate::rules {

struct CheckedExpression;  // checker.hpp
struct Code;               // private: src/rules/code.hpp

// Indexed by FieldId; at least Scheme::field_count() long.
using Values = std::span<ValueView const>;

enum class Outcome {
  no_match,
  match,
  failed,  // the Scratch was too small for this request: the embedder must refuse it
};

// Which fields are read, by FieldId.
class FieldSet {
 public:
  bool contains(FieldId id) const {
    return id / 64 < words_.size() && (words_[id / 64] >> (id % 64) & 1) != 0;
  }
  void insert(FieldId id);
  void insert_all(FieldSet const& other);
  std::vector<FieldId> ids() const;  // ascending
  bool empty() const;

 private:
  std::vector<std::uint64_t> words_;
};

// Working memory of one thread; reused for every evaluation.
class Scratch {
 public:
  static constexpr std::size_t default_bytes = 256 * 1024;
  explicit Scratch(std::size_t bytes = default_bytes) : arena_(bytes) {}
  Arena& arena() { return arena_; }

 private:
  Arena arena_;
};

class Program {
 public:
  Program() = default;  // never matches
  explicit Program(std::shared_ptr<Code const> code);
  // Bool for a rule; any type for a value expression.
  Type type() const;
  FieldSet const& fields_used() const;
  std::size_t memory_bytes() const;
  Code const* code() const { return code_.get(); }

 private:
  std::shared_ptr<Code const> code_;
};

// REQUIRES: program.type() is Bool.
Outcome evaluate(Program const& program, Values values, Scratch& scratch) noexcept;

struct ValueOutcome {
  bool failed = false;  // as Outcome::failed
  ValueView value;      // valid until `scratch` is used again; may be missing
};
ValueOutcome evaluate_value(Program const& program, Values values, Scratch& scratch) noexcept;

struct Compiled {
  Program program;
  Mistakes warnings;
};

// Lexes, parses, checks and compiles a rule's expression, which must be a Bool.
Result<Compiled, Mistakes> compile(Scheme const& scheme, std::string_view text,
                                   Limits const& limits = {});
// The same for a value: a field, index, literal or function call whose type is Bytes, Int, Bool or
// Ip, such as `cf.tls_client_auth.cert_subject_dn` or `concat("id=", cf.ray_id)`.
Result<Compiled, Mistakes> compile_value(Scheme const& scheme, std::string_view text,
                                         Limits const& limits = {});
// The last stage alone.
Program compile_checked(CheckedExpression const& expression);

}  // namespace certgate::rules
