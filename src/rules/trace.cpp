#include "certgate/rules/trace.hpp"

namespace certgate::rules {

namespace {

// The text of a span with white space folded into single spaces.
std::string folded(std::string_view text) {
  std::string out;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char const c = text[i];
    if (c == '"' && (i == 0 || text[i - 1] != '\\')) in_string = !in_string;
    bool const space = !in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r');
    if (!space) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  return out;
}

class Tracer {
 public:
  Tracer(std::string_view text, Values values, Scratch& scratch)
      : text_(text), values_(values), scratch_(scratch) {}

  TraceNode visit(Node const& node, bool skipped) {
    TraceNode out;
    out.kind = kind_of(node);
    out.span = node.span;
    out.text = folded(text_.substr(node.span.offset, node.span.length));
    out.type = node.type;
    out.skipped = skipped;
    evaluate_into(node, out);
    bool decided = skipped;
    for (auto const& child : node.children) {
      out.children.push_back(visit(child, decided));
      auto& shown = out.children.back();
      if (node.kind != Node::Kind::logical || node.type != bool_type || decided) continue;
      bool const settles = (node.logical == LogicalOp::conjunction && !shown.is_true) ||
                           (node.logical == LogicalOp::disjunction && shown.is_true);
      shown.decisive = settles;
      decided = settles;
    }
    return out;
  }

 private:
  static TraceNode::Kind kind_of(Node const& node) {
    switch (node.kind) {
      case Node::Kind::logical:
        return TraceNode::Kind::logical;
      case Node::Kind::negation:
        return TraceNode::Kind::negation;
      case Node::Kind::comparison:
        return TraceNode::Kind::comparison;
      case Node::Kind::quantifier:
        return TraceNode::Kind::quantifier;
      case Node::Kind::call:
        return TraceNode::Kind::call;
      case Node::Kind::literal:
        return TraceNode::Kind::literal;
      default:
        return node.type == bool_type ? TraceNode::Kind::truth : TraceNode::Kind::field;
    }
  }

  void evaluate_into(Node const& node, TraceNode& out) {
    CheckedExpression part;
    part.root = node;
    auto const program = compile_checked(part);  // a literal's value lives in it
    auto const result = evaluate_value(program, values_, scratch_);
    if (result.failed) {
      out.value = "failed";
      return;
    }
    out.value = format_value(result.value);
    out.is_true = result.value.kind() == Kind::boolean && result.value.as_bool();
  }

  std::string_view text_;
  Values values_;
  Scratch& scratch_;
};

void format_node(std::string& out, TraceNode const& node, std::size_t depth) {
  constexpr std::size_t verdict_width = 7;
  bool const condition = node.type == bool_type;
  if (node.kind == TraceNode::Kind::literal) return;
  std::string verdict = condition ? (node.is_true ? "true" : "false") : "";
  if (condition && node.value == "missing") verdict = "miss.";
  if (node.value == "failed") verdict = "failed";
  verdict.resize(verdict_width, ' ');
  out += verdict;
  out.append(depth * 2, ' ');
  out += node.text;
  if (!condition) out += " = " + node.value;
  if (node.skipped) out += "   (not reached)";
  out += '\n';
  for (auto const& child : node.children) format_node(out, child, depth + 1);
}

}  // namespace

Trace trace(CheckedExpression const& expression, Values values, Scratch& scratch) {
  Trace result;
  result.outcome = evaluate(compile_checked(expression), values, scratch);
  result.root = Tracer(expression.text, values, scratch).visit(expression.root, false);
  return result;
}

std::string format_trace(Trace const& trace) {
  std::string out;
  format_node(out, trace.root, 0);
  return out;
}

}  // namespace certgate::rules
