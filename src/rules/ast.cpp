#include "certgate/rules/ast.hpp"

#include "certgate/base/encoding.hpp"

namespace certgate::rules {

namespace {

void dump_literal(std::string& out, Literal const& literal) {
  switch (literal.form) {
    case TokenKind::quoted:
    case TokenKind::raw:
      out += format_quoted(literal.bytes);
      return;
    case TokenKind::list_name:
      out += '$' + literal.bytes;
      return;
    default:
      out += literal.bytes;
  }
}

void dump_to(std::string& out, Node const& node) {
  auto const children = [&] {
    for (auto const& child : node.children) {
      out += ' ';
      dump_to(out, child);
    }
  };
  switch (node.kind) {
    case Node::Kind::mistake:
      out += "<mistake>";
      return;
    case Node::Kind::logical:
      out += node.logical == LogicalOp::conjunction
                 ? "(and"
                 : (node.logical == LogicalOp::disjunction ? "(or" : "(xor");
      children();
      out += ')';
      return;
    case Node::Kind::negation:
      out += "(not";
      children();
      out += ')';
      return;
    case Node::Kind::comparison: {
      out += '(';
      out += name_of(node.compare);
      children();
      bool const set = node.compare == CompareOp::in_set;
      out += set ? " {" : "";
      for (std::size_t i = 0; i < node.literals.size(); ++i) {
        if (!set || i > 0) out += ' ';
        dump_literal(out, node.literals[i]);
      }
      out += set ? "})" : ")";
      return;
    }
    case Node::Kind::quantifier:
    case Node::Kind::call:
      out += '(' + node.name + "()";
      children();
      out += ')';
      return;
    case Node::Kind::field:
      out += node.name;
      return;
    case Node::Kind::index:
      dump_to(out, node.children[0]);
      for (auto const& step : node.steps) {
        if (step.kind == IndexStep::Kind::each) out += "[*]";
        if (step.kind == IndexStep::Kind::at) out += '[' + std::to_string(step.at) + ']';
        if (step.kind == IndexStep::Kind::key) out += '[' + format_quoted(step.key) + ']';
      }
      return;
    case Node::Kind::literal:
      dump_literal(out, node.literals[0]);
      return;
  }
}

}  // namespace

std::string_view name_of(CompareOp op) {
  switch (op) {
    case CompareOp::equal:
      return "eq";
    case CompareOp::not_equal:
      return "ne";
    case CompareOp::less:
      return "lt";
    case CompareOp::less_equal:
      return "le";
    case CompareOp::greater:
      return "gt";
    case CompareOp::greater_equal:
      return "ge";
    case CompareOp::in_set:
    case CompareOp::in_list:
      return "in";
    case CompareOp::contains:
      return "contains";
    case CompareOp::matches:
      return "matches";
    case CompareOp::wildcard:
      return "wildcard";
    case CompareOp::strict_wildcard:
      return "strict wildcard";
    case CompareOp::bitwise_and:
      return "bitwise_and";
  }
  return "";
}

std::string dump(Node const& node) {
  std::string out;
  dump_to(out, node);
  return out;
}

std::string format_quoted(std::string_view bytes) {
  std::string out = "\"";
  for (char const c : bytes) {
    if (c == '"' || c == '\\') out += '\\';
    if (c >= 0x20 && c < 0x7f) {
      out += c;
      continue;
    }
    out += "\\x";
    auto const byte = static_cast<std::uint8_t>(c);
    append_hex(out, Bytes(&byte, 1), HexCase::lower);
  }
  out += '"';
  return out;
}

}  // namespace certgate::rules
