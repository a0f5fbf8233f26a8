// What a function of the language is: its parameters, what it checks when compiled, what it does.
//
// standard_functions() are Cloudflare's; an embedder can add its own. A function must not keep
// state, block, throw or allocate from the heap: it takes memory from the CallContext.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "certgate/base/result.hpp"
#include "certgate/rules/arena.hpp"
#include "certgate/rules/limits.hpp"
#include "certgate/rules/value.hpp"

namespace certgate::rules {

class Scheme;

enum class Accepts {
  field_or_literal,
  field_only,    // a field, an index or a call; a literal is a mistake
  literal_only,  // known when compiled
};

struct Parameter {
  std::string name;         // for messages: "the string to search"
  std::vector<Type> types;  // any of these; empty: anything (prepare decides)
  Accepts accepts = Accepts::field_or_literal;
};

// One argument as the compiler knows it.
struct Argument {
  Type type;
  ValueView literal;       // missing unless written as a literal
  std::string_view field;  // the field's name when the argument is a bare field, else empty
};

// What is wrong with the arguments, found when compiling.
struct ArgumentMistake {
  std::size_t argument = 0;  // counted from 0; past the last one: the whole call
  std::string message;
  std::string hint;
};

// What prepare() found: the result's type, and anything worth computing once (a compiled regex).
struct Prepared {
  Type result;
  std::shared_ptr<void const> data;
  std::vector<ArgumentMistake> warnings;  // it can run, but never do what was meant
};

struct CallContext {
  Arena& arena;         // memory until the end of this evaluation
  void const* data;     // Prepared::data
  bool failed = false;  // set when memory ran out: the whole evaluation then fails
};

struct Function {
  std::string name;
  std::vector<Parameter> parameters;
  std::size_t required = 0;       // how many of them must be given
  bool repeats_last = false;      // the last parameter may be given any number of times
  Type result;                    // none: prepare() says
  bool takes_missing = false;     // false: any missing argument makes the result missing
  bool folds_with_first = false;  // literals are lower-cased when argument 0 is a folded field
  std::string doc;
  // May be null. Checks what types alone cannot.
  Result<Prepared, ArgumentMistake> (*prepare)(std::span<Argument const>, Limits const&) = nullptr;
  // Missing when there is no result. REQUIRES: arguments have the declared types or are missing.
  ValueView (*call)(CallContext&, std::span<ValueView const>) noexcept = nullptr;
};

// any() and all() are part of the language and not in this list, but add_standard_functions()
// reserves their names.
std::vector<Function> standard_functions();
void add_standard_functions(Scheme& scheme);

}  // namespace certgate::rules
