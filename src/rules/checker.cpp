#include "certgate/rules/checker.hpp"

#include <algorithm>

#include "certgate/base/encoding.hpp"
#include "certgate/rules/parser.hpp"
#include "check_comparison.hpp"
#include "parse_number.hpp"

namespace certgate::rules {

namespace {

// RFC 3629: what the engine accepts as a map key.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    auto const lead = static_cast<unsigned char>(text[i]);
    std::size_t const length =
        lead < 0x80 ? 1 : (lead >= 0xf0 ? 4 : (lead >= 0xe0 ? 3 : (lead >= 0xc2 ? 2 : 0)));
    if (length == 0 || lead > 0xf4 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

std::string ordinal(std::size_t number) { return std::to_string(number); }

std::string format_types(std::vector<Type> const& types) {
  std::string out;
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (i > 0) out += i + 1 == types.size() ? " or " : ", ";
    out += format_type(types[i]);
  }
  return out;
}

class Checker {
 public:
  explicit Checker(CheckContext& context) : context_(context), scheme_(context.scheme) {}

  void root(Node& node, Wanted wanted) {
    visit(node);
    if (node.type.is_none()) return;
    if (wanted == Wanted::value) {
      if (node.maps_each || node.type.is_container()) {
        context_.error(
            node.span, "expected one value, found " + format_type(node.type),
            node.type.kind() == Kind::map ? "name a key: [\"...\"]" : "name one element: [0]");
      }
      return;
    }
    if (node.kind == Node::Kind::literal) {
      context_.error(node.span, "expected a condition, found a literal");
    } else if (node.type != bool_type) {
      not_a_condition(node);
    }
  }

 private:
  void visit(Node& node) {
    switch (node.kind) {
      case Node::Kind::mistake:
        for (auto& child : node.children) visit(child);
        node.type = {};
        return;
      case Node::Kind::logical:
        return logical(node);
      case Node::Kind::negation:
        return negation(node);
      case Node::Kind::comparison:
        visit(node.children[0]);
        return check_comparison(context_, node);
      case Node::Kind::quantifier:
        return quantifier(node);
      case Node::Kind::call:
        return call(node);
      case Node::Kind::field:
        return field(node);
      case Node::Kind::index:
        return index(node);
      case Node::Kind::literal:
        return;  // typed by the parameter it is given to
    }
  }

  static bool is_condition(Type type) {
    return type == bool_type || type == Type::array_of(bool_type);
  }

  void not_a_condition(Node const& node) {
    auto const shown = context_.shown(node.span);
    auto const bare = std::string(context_.source(node.span));
    if (node.type == Type::array_of(bool_type)) {
      bool const just_field = node.kind == Node::Kind::field || node.kind == Node::Kind::call;
      context_.error(
          node.span, "this gives one answer for each element, not one in all",
          "write `any(" + (just_field || !node.parenthesised ? bare : bare) + ")` or `all(...)`");
      return;
    }
    std::string hint;
    if (node.type == bytes_type) hint = "compare it: `" + bare + " eq \"...\"`";
    if (node.type == int_type) hint = "compare it: `" + bare + " eq 1`";
    if (node.type == ip_type) hint = "compare it: `" + bare + " in {192.0.2.0/24}`";
    if (node.type.kind() == Kind::array)
      hint = "compare its elements: `any(" + bare + "[*] eq ...)`";
    if (node.type.kind() == Kind::map) hint = "name a key: `" + bare + "[\"...\"]`";
    context_.error(node.span, shown + " is " + format_type(node.type) + ", not a condition",
                   std::move(hint));
  }

  void logical(Node& node) {
    bool fine = true;
    Type type;
    for (auto& child : node.children) {
      visit(child);
      if (child.type.is_none()) {
        fine = false;
        continue;
      }
      if (!is_condition(child.type) || child.kind == Node::Kind::literal) {
        not_a_condition(child);
        fine = false;
        continue;
      }
      if (type.is_none()) type = child.type;
      if (child.type == type) continue;
      context_.error(child.span, "one side is one answer, the other has one for each element",
                     "wrap the side with [*] in any(...) or all(...)");
      fine = false;
    }
    if (fine) node.type = type;
  }

  void negation(Node& node) {
    if (node.children.empty()) return;
    auto& child = node.children[0];
    visit(child);
    if (child.type.is_none()) return;
    if (is_condition(child.type)) {
      node.type = child.type;
    } else {
      not_a_condition(child);
    }
  }

  void quantifier(Node& node) {
    for (auto& child : node.children) visit(child);
    if (node.incomplete) return;
    if (node.children.size() != 1) {
      context_.error(
          node.span,
          node.name + "() takes one argument, not " + std::to_string(node.children.size()),
          "write `" + node.name + "(field[*] eq ...)`");
      return;
    }
    auto const& child = node.children[0];
    if (child.kind == Node::Kind::literal) {
      context_.error(child.span, node.name + "() takes a condition on elements, not a literal",
                     "write `" + node.name + "(field[*] eq " +
                         std::string(context_.source(child.span)) + ")`");
      return;
    }
    if (child.type.is_none()) return;
    auto const bare = std::string(context_.source(child.span));
    if (child.maps_each && child.type == Type::array_of(bool_type)) {
      auto const& last = child.steps.back();
      context_.error(last.span, "this is an Array<Bool> already",
                     last.kind == IndexStep::Kind::each
                         ? "write `" + node.name + "(" +
                               std::string(context_.text.substr(
                                   child.span.offset, last.span.offset - child.span.offset)) +
                               ")`"
                         : "");
      return;
    }
    if (child.type == Type::array_of(bool_type)) {
      node.type = bool_type;
    } else if (child.type == bool_type) {
      context_.error(child.span,
                     node.name +
                         "() needs one answer for each element, but this is "
                         "a single one",
                     "write [*] where the elements are, or leave " + node.name + "() out");
    } else if (child.type.kind() == Kind::array) {
      context_.error(child.span,
                     node.name + "() needs a condition, found " + format_type(child.type),
                     "compare the elements: `" + node.name + "(" + bare +
                         (child.maps_each ? "" : "[*]") + " eq ...)`");
    } else {
      context_.error(child.span,
                     node.name + "() needs an Array<Bool>, found " + format_type(child.type));
    }
  }

  void field(Node& node) {
    if (auto const id = scheme_.find_field(node.name)) {
      node.field = *id;
      node.type = scheme_.field(*id).type;
      return;
    }
    if (auto const* why = scheme_.find_unavailable_field(node.name)) {
      context_.error(node.span, "`" + node.name + "` is not available: " + why->reason, why->hint);
      return;
    }
    if (node.name == "true" || node.name == "false") {
      context_.error(node.span, "there are no literals for true and false",
                     "a field that is true or false stands by itself: `ssl`, `not ssl`");
      return;
    }
    if (scheme_.find_function(node.name) || node.name == "any" || node.name == "all") {
      context_.error(node.span, "`" + node.name + "` is a function",
                     "write its arguments in parentheses: `" + node.name + "(...)`");
      return;
    }
    if (auto const lower = ascii_lower(node.name);
        lower == "and" || lower == "or" || lower == "xor") {
      context_.error(node.span, "expected a condition before `" + node.name + "`",
                     "`" + lower + "` joins two conditions: `a " + lower + " b`");
      return;
    }
    auto near = scheme_.nearest_field(node.name);
    std::string hint;
    if (auto const lower = ascii_lower(node.name);
        lower != node.name && scheme_.find_field(lower)) {
      hint = "names are lower case: write `" + lower + "`";
    } else if (!near.empty()) {
      hint = "did you mean `" + std::string(near) + "`?";
    } else if (auto const parent = enclosing_map(node.name); !parent.empty()) {
      auto const element = parent + "[\"" + node.name.substr(parent.size() + 1) + "\"]";
      auto const holds = scheme_.field(*scheme_.find_field(parent)).type.element();
      hint = holds.kind() == Kind::array ? "write `any(" + element + "[*] eq ...)`"
                                         : "write `" + element + "`";
    }
    context_.error(node.span, "unknown field `" + node.name + "`", std::move(hint));
  }

  // `http.request.headers.accept` was meant for http.request.headers["accept"].
  std::string enclosing_map(std::string const& name) const {
    auto const dot = name.rfind('.');
    if (dot == std::string::npos) return {};
    auto const parent = name.substr(0, dot);
    auto const id = scheme_.find_field(parent);
    return id && scheme_.field(*id).type.kind() == Kind::map ? parent : std::string();
  }

  void index(Node& node) {
    auto& base = node.children[0];
    visit(base);
    if (base.type.is_none()) return;
    auto type = base.type;
    for (auto const& step : node.steps) {
      bool const is_array = type.kind() == Kind::array;
      bool const is_map = type.kind() == Kind::map;
      bool const fits = step.kind == IndexStep::Kind::each
                            ? is_array || is_map
                            : (step.kind == IndexStep::Kind::at ? is_array : is_map);
      if (!fits) {
        std::string hint;
        if (is_array) hint = "an Array is indexed by number: [0], or [*] for every element";
        if (is_map) hint = "a Map is indexed by a quoted key: [\"...\"], or [*] for every value";
        auto const so_far = std::string(
            context_.text.substr(node.span.offset, step.span.offset - node.span.offset));
        if (type == bytes_type && scheme_.find_function("substring")) {
          hint = "a part of it is `substring(" + so_far + ", 0, 1)`";
        }
        context_.error(step.span,
                       is_array || is_map
                           ? "`" + so_far + "` is " + format_type(type) + " and has no such index"
                           : "`" + so_far + "` is " + format_type(type) + " and has no elements",
                       std::move(hint));
        return;
      }
      if (step.kind == IndexStep::Kind::key) check_key(base, step);
      if (step.kind == IndexStep::Kind::each) node.maps_each = true;
      type = type.element();
    }
    node.type = node.maps_each ? Type::array_of(type) : type;
  }

  void check_key(Node const& base, IndexStep const& step) {
    if (!is_utf8(step.key)) {
      context_.error(step.span, "a key must be valid UTF-8");
      return;
    }
    auto const* field = field_of(base, scheme_);
    if (!field || field->options.key_letters != Letters::lower) return;
    auto const lower = ascii_lower(step.key);
    if (lower == step.key) return;
    context_.warn(step.span,
                  "this can never be found: the keys of `" + field->name + "` are lower case",
                  "write [" + format_quoted(lower) + "]");
  }

  // ---- calls

  void unknown_function(Node const& node) {
    if (auto const* why = scheme_.find_unavailable_function(node.name)) {
      context_.error(node.mark, node.name + "() is not available: " + why->reason, why->hint);
      return;
    }
    if (scheme_.find_field(node.name)) {
      context_.error(
          node.mark, "`" + node.name + "` is a field, not a function",
          "a field stands without parentheses: `" + node.name +
              (scheme_.field(*scheme_.find_field(node.name)).type == bool_type ? "`" : " eq ...`"));
      return;
    }
    auto const lower = ascii_lower(node.name);
    if (lower == "and" || lower == "or" || lower == "xor") {
      context_.error(node.mark, "expected a condition before `" + node.name + "`");
      return;
    }
    auto const near = scheme_.find_function(lower) || lower == "any" || lower == "all"
                          ? std::string_view(lower)
                          : scheme_.nearest_function(node.name);
    context_.error(node.mark, "unknown function `" + node.name + "`",
                   near.empty() ? "" : "did you mean `" + std::string(near) + "`?");
  }

  void call(Node& node) {
    for (auto& child : node.children) visit(child);
    auto const* function = scheme_.find_function(node.name);
    if (!function) return unknown_function(node);
    if (node.incomplete) return;
    auto const count = node.children.size();
    auto const most = function->repeats_last ? std::size_t(-1) : function->parameters.size();
    if (count < function->required || count > most) {
      std::string wanted = std::to_string(function->required);
      if (function->repeats_last) {
        wanted = "at least " + wanted;
      } else if (most != function->required) {
        wanted += " to " + std::to_string(most);
      }
      context_.error(node.span,
                     node.name + "() takes " + wanted + " argument" + (wanted == "1" ? "" : "s") +
                         ", not " + std::to_string(count),
                     function->doc);
      return;
    }
    bool fine = true;
    std::vector<Argument> arguments(count);
    bool const mapped =
        count > 0 && node.children[0].kind == Node::Kind::index && node.children[0].maps_each;
    for (std::size_t i = 0; i < count; ++i) {
      auto const& parameter = function->parameters[std::min(i, function->parameters.size() - 1)];
      fine = argument(node, *function, parameter, i, arguments[i]) && fine;
    }
    if (!fine) return;
    node.function = function;
    node.prepared.result = function->result;
    if (function->prepare) {
      auto prepared = function->prepare(arguments, context_.limits);
      if (!prepared) {
        auto const& mistake = prepared.error();
        context_.error(mistake.argument < count ? node.children[mistake.argument].span : node.span,
                       mistake.message, mistake.hint);
        return;
      }
      for (auto const& each : prepared->warnings) {
        context_.warn(each.argument < count ? node.children[each.argument].span : node.span,
                      each.message, each.hint);
      }
      prepared->warnings.clear();
      if (prepared->result.is_none()) prepared->result = function->result;
      node.prepared = std::move(prepared).value();
    }
    node.type = mapped ? Type::array_of(node.prepared.result) : node.prepared.result;
  }

  bool argument(Node& call, Function const& function, Parameter const& parameter, std::size_t i,
                Argument& out) {
    auto& node = call.children[i];
    auto const place =
        "argument " + ordinal(i + 1) + " of " + function.name + "() (" + parameter.name + ")";
    if (node.kind == Node::Kind::literal) {
      if (parameter.accepts == Accepts::field_only) {
        context_.error(node.span, place + " must be a field or a call, not a literal",
                       "what is the same for every request needs no function");
        return false;
      }
      return literal_argument(call, function, parameter, i, out);
    }
    if (node.type.is_none()) return false;
    if (parameter.accepts == Accepts::literal_only) {
      context_.error(node.span, place + " must be a literal");
      return false;
    }
    auto type = node.type;
    if (node.kind == Node::Kind::index && node.maps_each) {
      if (i > 0) {
        context_.error(node.span, "[*] can only stand in the first argument of a function",
                       "name one element: [0]");
        return false;
      }
      type = type.element();
    }
    out.type = type;
    if (node.kind == Node::Kind::field) out.field = node.name;
    if (parameter.types.empty()) return true;
    if (std::find(parameter.types.begin(), parameter.types.end(), type) != parameter.types.end()) {
      return true;
    }
    bool const elements_fit =
        type.is_container() && std::find(parameter.types.begin(), parameter.types.end(),
                                         type.element()) != parameter.types.end();
    bool const convertible = type.is_primitive() && parameter.types.front() == bytes_type &&
                             scheme_.find_function("to_string") != nullptr;
    auto const source = std::string(context_.source(node.span));
    std::string hint;
    if (elements_fit && i == 0) hint = "apply it to each element: `" + source + "[*]`";
    if (convertible) hint = "write `to_string(" + source + ")`";
    context_.error(
        node.span,
        place + " must be " + format_types(parameter.types) + ", not " + format_type(type),
        std::move(hint));
    return false;
  }

  bool literal_argument(Node& call, Function const& function, Parameter const& parameter,
                        std::size_t i, Argument& out) {
    auto& node = call.children[i];
    auto const& literal = node.literals[0];
    if (literal.mistaken) return false;
    auto const accepts = [&](Type type) {
      return parameter.types.empty() || std::find(parameter.types.begin(), parameter.types.end(),
                                                  type) != parameter.types.end();
    };
    Comparand value;
    if (literal.form == TokenKind::bare && accepts(int_type) && parse_integer(literal.bytes)) {
      node.type = int_type;
      auto const number = *parse_integer(literal.bytes);
      value.integers.emplace_back(number, number);
      out.literal = ValueView::integer(number);
    } else if (literal.form == TokenKind::bare && accepts(ip_type) &&
               IpAddress::parse(literal.bytes)) {
      node.type = ip_type;
      auto const address = *IpAddress::parse(literal.bytes);
      value.addresses.emplace_back(address, address);
      out.literal = ValueView::ip(address);
    } else if (accepts(bytes_type)) {
      std::string bytes;
      if (!read_bytes(context_, literal, bytes)) return false;
      if (function.folds_with_first && i > 0 &&
          letters_of(call.children[0], scheme_) == Letters::folded) {
        bytes = ascii_lower(bytes);
      } else if (function.folds_with_first && i > 0) {
        warn_of_spelling(context_, call.children[0], literal, bytes, "this can never be found");
      }
      node.type = bytes_type;
      value.bytes.push_back(std::move(bytes));
    } else if (accepts(int_type)) {
      std::int64_t number = 0;
      if (!read_integer(context_, literal, number)) return false;
    } else {
      context_.error(literal.span, "argument " + ordinal(i + 1) + " of " + function.name + "() (" +
                                       parameter.name + ") must be " +
                                       format_types(parameter.types));
      return false;
    }
    node.comparand = std::make_shared<Comparand const>(std::move(value));
    if (node.type == bytes_type) out.literal = ValueView::bytes(node.comparand->bytes[0]);
    out.type = node.type;
    return true;
  }

  CheckContext& context_;
  Scheme const& scheme_;
};

// A value that is a literal by itself: 80, 192.0.2.1 or "text".
void type_root_literal(CheckContext& context, Node& node) {
  auto const& literal = node.literals[0];
  if (literal.mistaken) return;
  Comparand value;
  if (literal.form == TokenKind::bare && parse_integer(literal.bytes)) {
    auto const number = *parse_integer(literal.bytes);
    node.type = int_type;
    value.integers.emplace_back(number, number);
  } else if (literal.form == TokenKind::bare && IpAddress::parse(literal.bytes)) {
    auto const address = *IpAddress::parse(literal.bytes);
    node.type = ip_type;
    value.addresses.emplace_back(address, address);
  } else {
    std::string bytes;
    if (!read_bytes(context, literal, bytes)) return;
    node.type = bytes_type;
    value.bytes.push_back(std::move(bytes));
  }
  node.comparand = std::make_shared<Comparand const>(std::move(value));
}

}  // namespace

void check_tree(Scheme const& scheme, Node& root, std::string_view text, Limits const& limits,
                Wanted wanted, Mistakes& mistakes) {
  CheckContext context{scheme, text, limits, mistakes};
  if (root.kind == Node::Kind::literal) type_root_literal(context, root);
  Checker(context).root(root, wanted);
}

Result<CheckedExpression, Mistakes> check(Scheme const& scheme, std::string_view text,
                                          Limits const& limits, Wanted wanted) {
  auto parsed =
      wanted == Wanted::condition ? parse_expression(text, limits) : parse_value(text, limits);
  CheckedExpression checked;
  auto mistakes = std::move(parsed.mistakes);
  check_tree(scheme, parsed.root, text, limits, wanted, mistakes);
  std::stable_sort(mistakes.begin(), mistakes.end(), [](Mistake const& a, Mistake const& b) {
    return a.span.offset < b.span.offset;
  });
  if (mistakes.size() > limits.mistakes) {
    // Errors first: a crowd of warnings must not push them out.
    std::stable_partition(mistakes.begin(), mistakes.end(),
                          [](Mistake const& m) { return m.severity == Severity::error; });
    mistakes.resize(std::max<std::size_t>(1, limits.mistakes));
  }
  if (has_errors(mistakes)) return fail(std::move(mistakes));
  checked.text = text;
  checked.root = std::move(parsed.root);
  checked.warnings = std::move(mistakes);
  return checked;
}

}  // namespace certgate::rules
