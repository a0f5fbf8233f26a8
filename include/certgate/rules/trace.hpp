// Why an expression matched: every sub-expression with its value, for `explain`.
//
// Slow and thorough: each sub-expression is compiled and run by itself, so what is shown is what
// the engine computes, even where a rule's evaluation would have stopped before.
#pragma once

#include <string>
#include <vector>

#include "certgate/rules/checker.hpp"
#include "certgate/rules/program.hpp"

namespace certgate::rules {

struct TraceNode {
  enum class Kind { logical, negation, comparison, truth, quantifier, call, field, literal };
  Kind kind = Kind::field;
  Span span;         // in the expression's text
  std::string text;  // that stretch, white space folded
  Type type;
  std::string value;      // format_value(); "failed" when the scratch was too small
  bool is_true = false;   // of a Bool
  bool skipped = false;   // a run stops before reaching it
  bool decisive = false;  // the outcome of its parent follows from this operand alone
  std::vector<TraceNode> children;
};

struct Trace {
  Outcome outcome = Outcome::no_match;
  TraceNode root;
};

Trace trace(CheckedExpression const& expression, Values values, Scratch& scratch);

// An indented tree, one line for each node:
//
//   true   http.host in {"a.example"} and not cf.tls_client_auth.cert_verified
//   true     http.host in {"a.example"}
//              http.host = "a.example"
//   true     not cf.tls_client_auth.cert_verified
//   false      cf.tls_client_auth.cert_verified
std::string format_trace(Trace const& trace);

}  // namespace certgate::rules
