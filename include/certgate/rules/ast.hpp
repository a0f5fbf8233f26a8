// The tree of an expression: what the parser builds, and the checker completes.
//
// A chain of equal logical operators is one node with many children, so the tree is never deeper
// than Limits::nesting allows. Plain values; copy and move freely.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "certgate/base/ip.hpp"
#include "certgate/rules/function.hpp"
#include "certgate/rules/lexer.hpp"
#include "certgate/rules/list.hpp"
#include "certgate/rules/scheme.hpp"

namespace certgate::rules {

class Regex;            // private: src/rules/regex.hpp
class WildcardPattern;  // private: src/rules/wildcard.hpp

enum class LogicalOp : std::uint8_t { conjunction, disjunction, exclusive };

enum class CompareOp : std::uint8_t {
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in_set,
  in_list,
  contains,
  matches,
  wildcard,
  strict_wildcard,
  bitwise_and,
};
// "eq", "in", "strict wildcard"...
std::string_view name_of(CompareOp op);

// A literal as written. `bare` ones are understood by the checker.
struct Literal {
  TokenKind form = TokenKind::bare;  // quoted, raw, bare or list_name
  Span span;
  std::string bytes;      // decoded; of a bare one: as written; of a list: its name
  bool mistaken = false;  // already reported
};

// The right side of a comparison once it is understood: of the members, those of the left side's
// type and the operator are filled.
struct Comparand {
  std::vector<std::string> bytes;  // one, or a set; case folded where the field is
  std::vector<std::pair<std::int64_t, std::int64_t>> integers;  // inclusive ranges
  std::vector<std::pair<IpAddress, IpAddress>> addresses;       // inclusive ranges
  ListPtr list;
  std::shared_ptr<Regex const> regex;
  std::shared_ptr<WildcardPattern const> pattern;
};

// One step of an index chain: [3], ["key"] or [*].
struct IndexStep {
  enum class Kind : std::uint8_t { at, key, each };
  Kind kind = Kind::at;
  std::uint32_t at = 0;
  std::string key;
  Span span;
};

struct Node {
  enum class Kind : std::uint8_t {
    mistake,     // could not be parsed; reported
    logical,     // children: two or more operands
    negation,    // children: one
    comparison,  // children: the left side
    quantifier,  // any(...) or all(...): `name`; children: one
    call,        // `name`; children: the arguments
    field,       // `name`
    index,       // children: a field or call; `steps`
    literal,     // an argument; literals[0]
  };
  Kind kind = Kind::mistake;
  LogicalOp logical = LogicalOp::conjunction;
  CompareOp compare = CompareOp::equal;
  bool parenthesised = false;
  bool incomplete = false;  // a call whose arguments could not all be read; reported
  Span span;
  Span mark;  // of the operator (first one of a chain) or the name
  std::string name;
  std::vector<Node> children;
  std::vector<IndexStep> steps;
  std::vector<Literal> literals;  // right side of a comparison, or the argument

  // Filled by the checker.
  Type type;               // none when mistaken
  bool maps_each = false;  // has [*] in its own chain: `type` is an Array of what each yields
  FieldId field = 0;
  std::shared_ptr<Comparand const> comparand;
  Function const* function = nullptr;  // lives as long as the Scheme
  Prepared prepared;
};

// One line, fully bracketed: `(and (eq http.host "a") (not ssl))`; bytes are escaped. For tests.
std::string dump(Node const& node);

// A Bytes literal as a rule would write it: `"a\"b"`, other than printable ASCII as \xHH.
std::string format_quoted(std::string_view bytes);

}  // namespace certgate::rules
