#include "check_comparison.hpp"

#include "certgate/base/encoding.hpp"
#include "parse_number.hpp"
#include "regex.hpp"
#include "wildcard.hpp"

namespace certgate::rules {

namespace {

std::string ascii_upper_of(std::string_view text) {
  std::string out(text);
  for (auto& c : out) c = ascii_upper(c);
  return out;
}

bool suits(CompareOp op, Kind kind) {
  switch (op) {
    case CompareOp::contains:
    case CompareOp::matches:
    case CompareOp::wildcard:
    case CompareOp::strict_wildcard:
      return kind == Kind::bytes;
    case CompareOp::bitwise_and:
      return kind == Kind::integer;
    default:
      return kind == Kind::bytes || kind == Kind::integer || kind == Kind::ip;
  }
}

void report_unsuitable(CheckContext& context, Node const& node, Type type) {
  auto const& left = node.children[0];
  auto const name = context.shown(left.span);
  auto const bare_name = std::string(context.source(left.span));
  auto const rest = node.literals.empty() ? std::string("...")
                                          : std::string(context.source(node.literals[0].span));
  auto const op = std::string(context.source(node.mark));
  if (type.kind() == Kind::boolean) {
    auto const& literal = node.literals;
    bool const wants_false =
        !literal.empty() && (literal[0].bytes == "false" || literal[0].bytes == "0");
    bool const negated = wants_false != (node.compare == CompareOp::not_equal);
    context.error(node.literals.empty() ? node.mark : joined(node.mark, literal[0].span),
                  name + " is true or false already and is not compared",
                  "write " + std::string(negated ? "`not " : "`") + bare_name + "`");
    return;
  }
  if (type.kind() == Kind::array) {
    context.error(left.span, name + " is " + format_type(type) + ": compare its elements",
                  "write `any(" + bare_name + "[*] " + op + " " + rest + ")`");
    return;
  }
  if (type.kind() == Kind::map) {
    context.error(left.span,
                  name + " is " + format_type(type) + ": compare what stands under a key",
                  type.element().kind() == Kind::array
                      ? "write `any(" + bare_name + "[\"key\"][*] " + op + " " + rest + ")`"
                      : "write `" + bare_name + "[\"key\"] " + op + " " + rest + "`");
    return;
  }
  std::string hint;
  if (type.kind() == Kind::ip) {
    hint = "addresses are compared with `eq` or `in {192.0.2.0/24}`";
  } else if (type.kind() == Kind::integer) {
    hint = "numbers are compared with `eq`, `ne`, `lt`, `le`, `gt`, `ge` or `in {...}`";
  } else if (node.compare == CompareOp::bitwise_and) {
    hint = "`and` joins two conditions; `&` tests the bits of an Int";
  }
  context.error(
      node.mark,
      "the operator `" + op + "` does not suit " + name + ", which is " + format_type(type),
      std::move(hint));
}

std::string_view spelling_claim(CompareOp op) {
  if (op == CompareOp::not_equal) return "this always differs";
  return op == CompareOp::contains ? "this can never be found" : "this can never be equal";
}

void check_list(CheckContext& context, Node& node, Type type, Comparand& comparand) {
  auto const& literal = node.literals[0];
  if (literal.mistaken) return;
  comparand.list = context.scheme.find_list(literal.bytes);
  auto const name = "`$" + literal.bytes + "`";
  if (!comparand.list) {
    if (auto const* why = context.scheme.find_unavailable_list(literal.bytes)) {
      context.error(literal.span, "the list " + name + " is not available: " + why->reason,
                    why->hint);
      return;
    }
    auto const near = context.scheme.nearest_list(literal.bytes);
    context.error(
        literal.span, "there is no list " + name,
        near.empty() ? "declare it under `lists`" : "did you mean `$" + std::string(near) + "`?");
    return;
  }
  if (type_of(comparand.list->kind()) == type) return;
  context.error(literal.span,
                name + " is a list of kind " + std::string(name_of(comparand.list->kind())) +
                    ", but " + context.shown(node.children[0].span) + " is " + format_type(type),
                type == bytes_type
                    ? "name a list of kind string or host name"
                    : "name a list of kind " + std::string(type == ip_type ? "ip" : "integer"));
}

void check_pattern(CheckContext& context, Node& node, Comparand& comparand) {
  auto const& literal = node.literals[0];
  if (literal.mistaken) return;
  bool const regex = node.compare == CompareOp::matches;
  if (literal.form == TokenKind::bare) {
    auto const bytes = parse_byte_string(literal.bytes);
    std::string escaped;
    for (auto const c : bytes.value_or("")) {
      static constexpr std::string_view digits = "0123456789abcdef";
      auto const byte = static_cast<unsigned char>(c);
      escaped.append("\\x") += digits[byte >> 4];
      escaped += digits[byte & 15];
    }
    context.error(literal.span,
                  std::string(regex ? "a regular expression" : "a wildcard pattern") +
                      " is written in double quotes",
                  "write \"" + (bytes ? escaped : literal.bytes) + "\"");
    return;
  }
  if (regex) {
    if (++context.regexes == context.limits.regexes + 1) {
      context.error(literal.span,
                    "the expression has more than " + std::to_string(context.limits.regexes) +
                        " regular expressions",
                    "split it into several rules, or join them: \"a|b\"");
    }
    if (context.regexes > context.limits.regexes) return;
    auto compiled = Regex::compile(literal.bytes);
    if (!compiled) {
      context.error(literal.span, compiled.error().message, compiled.error().hint);
      return;
    }
    comparand.regex = std::move(compiled).value();
    return;
  }
  bool const strict = node.compare == CompareOp::strict_wildcard;
  auto pattern = literal.bytes;
  if (letters_of(node.children[0], context.scheme) == Letters::folded) {
    pattern = ascii_lower(pattern);
  }
  auto parsed =
      WildcardPattern::parse(pattern, strict ? CaseRule::sensitive : CaseRule::insensitive);
  if (!parsed) {
    context.error(literal.span, parsed.error().message, parsed.error().hint);
    return;
  }
  comparand.pattern = std::make_shared<WildcardPattern const>(std::move(parsed).value());
  comparand.bytes.push_back(pattern);
  if (strict) {
    warn_of_spelling(context, node.children[0], literal, pattern, "this can never match");
  }
}

}  // namespace

Field const* field_of(Node const& node, Scheme const& scheme) {
  if (node.kind == Node::Kind::index) return field_of(node.children[0], scheme);
  if (node.kind != Node::Kind::field || node.type.is_none()) return nullptr;
  return &scheme.field(node.field);
}

Letters letters_of(Node const& node, Scheme const& scheme) {
  if (node.kind == Node::Kind::index) return letters_of(node.children[0], scheme);
  if (auto const* field = field_of(node, scheme)) return field->options.letters;
  if (node.kind == Node::Kind::call && node.name == "lower") {
    auto const inner = letters_of(node.children[0], scheme);
    return inner == Letters::folded ? Letters::folded : Letters::lower;
  }
  if (node.kind == Node::Kind::call && node.name == "upper") return Letters::upper;
  return Letters::any;
}

bool read_bytes(CheckContext& context, Literal const& literal, std::string& out) {
  if (literal.mistaken) return false;
  if (literal.form == TokenKind::quoted || literal.form == TokenKind::raw) {
    out = literal.bytes;
    return true;
  }
  if (auto bytes = parse_byte_string(literal.bytes)) {
    out = std::move(*bytes);
    return true;
  }
  auto const shown = context.shown(literal.span);
  bool const is_number = parse_integer(literal.bytes).has_value();
  if (is_number || IpAddress::parse(literal.bytes)) {
    context.error(
        literal.span,
        std::string("expected a string, found ") + (is_number ? "a number" : "an IP address"),
        "write \"" + literal.bytes + "\"");
  } else if (context.scheme.find_field(literal.bytes)) {
    context.error(
        literal.span,
        "the right side of a comparison must be a literal, and " + shown + " is a field",
        "two fields cannot be compared; for its name as text write \"" + literal.bytes + "\"");
  } else {
    context.error(literal.span, shown + " is not a literal",
                  "a string is written in double "
                  "quotes: \"" +
                      literal.bytes + "\"");
  }
  return false;
}

bool read_integer(CheckContext& context, Literal const& literal, std::int64_t& out) {
  if (literal.mistaken) return false;
  if (literal.form != TokenKind::bare) {
    bool const number = parse_integer(literal.bytes).has_value();
    context.error(literal.span, "expected a number, found a string",
                  number ? "remove the quotes: " + literal.bytes : "");
    return false;
  }
  if (literal.bytes.find("..") != std::string::npos) {
    context.error(literal.span, "a range can only stand in a set",
                  "write `in {" + literal.bytes + "}`");
    return false;
  }
  auto range = parse_integer_range(literal.bytes);
  if (!range) {
    context.error(literal.span, range.error().message, range.error().hint);
    return false;
  }
  out = range->first;
  return true;
}

bool read_address(CheckContext& context, Literal const& literal, IpAddress& out) {
  if (literal.mistaken) return false;
  if (literal.form != TokenKind::bare) {
    context.error(literal.span, "expected an IP address, found a string",
                  parse_address_range(literal.bytes).has_value()
                      ? "remove the quotes: " + literal.bytes
                      : "");
    return false;
  }
  auto address = parse_address(literal.bytes);
  if (!address) {
    context.error(literal.span, address.error().message, address.error().hint);
    return false;
  }
  out = *address;
  return true;
}

void warn_of_spelling(CheckContext& context, Node const& left, Literal const& literal,
                      std::string_view bytes, std::string_view claim) {
  auto const letters = letters_of(left, context.scheme);
  auto const* field = field_of(left, context.scheme);
  bool const hexadecimal = field && field->options.hexadecimal;
  auto const shown = context.shown(left.span);
  if (hexadecimal && bytes.find_first_of(":- ") != std::string_view::npos) {
    std::string plain;
    for (char const c : bytes) {
      if (hex_digit(c) < 0) continue;
      plain += letters == Letters::upper ? ascii_upper(c) : ascii_lower(c);
    }
    context.warn(literal.span, std::string(claim) + ": " + shown + " has no separators",
                 "write \"" + plain + "\"");
    return;
  }
  if (letters != Letters::lower && letters != Letters::upper) return;
  bool const lower = letters == Letters::lower;
  auto const right = lower ? ascii_lower(bytes) : ascii_upper_of(bytes);
  if (right == bytes) return;
  context.warn(literal.span,
               std::string(claim) + ": " + shown + " is always " + (lower ? "lower" : "upper") +
                   (hexadecimal ? "-case hexadecimal" : " case"),
               "write " + format_quoted(right));
}

void check_comparison(CheckContext& context, Node& node) {
  auto& left = node.children[0];
  if (left.type.is_none()) return;
  auto const type = left.maps_each ? left.type.element() : left.type;
  if (!suits(node.compare, type.kind())) return report_unsuitable(context, node, type);
  if (left.kind == Node::Kind::quantifier) return report_unsuitable(context, node, bool_type);
  auto const result = left.maps_each ? Type::array_of(bool_type) : bool_type;
  auto const mistakes_before = context.mistakes.size();
  Comparand comparand;
  if (node.compare == CompareOp::in_list) {
    check_list(context, node, type, comparand);
  } else if (node.compare == CompareOp::matches || node.compare == CompareOp::wildcard ||
             node.compare == CompareOp::strict_wildcard) {
    check_pattern(context, node, comparand);
  } else {
    bool const set = node.compare == CompareOp::in_set;
    bool const folded = letters_of(left, context.scheme) == Letters::folded;
    for (auto const& literal : node.literals) {
      if (type == bytes_type) {
        std::string bytes;
        if (!read_bytes(context, literal, bytes)) continue;
        if (folded) bytes = ascii_lower(bytes);
        if (node.compare == CompareOp::equal || node.compare == CompareOp::not_equal || set ||
            node.compare == CompareOp::contains) {
          warn_of_spelling(context, left, literal, bytes, spelling_claim(node.compare));
        }
        comparand.bytes.push_back(std::move(bytes));
      } else if (type == int_type && set && literal.form == TokenKind::bare) {
        auto range = parse_integer_range(literal.bytes);
        if (!range) {
          context.error(literal.span, range.error().message, range.error().hint);
          continue;
        }
        comparand.integers.push_back(*range);
      } else if (type == int_type) {
        std::int64_t number = 0;
        if (!read_integer(context, literal, number)) continue;
        comparand.integers.emplace_back(number, number);
      } else if (set && literal.form == TokenKind::bare) {
        auto range = parse_address_range(literal.bytes);
        if (!range) {
          context.error(literal.span, range.error().message, range.error().hint);
          continue;
        }
        comparand.addresses.push_back(*range);
      } else {
        IpAddress address;
        if (!read_address(context, literal, address)) continue;
        comparand.addresses.emplace_back(address, address);
      }
    }
  }
  node.type = result;
  for (auto i = mistakes_before; i < context.mistakes.size(); ++i) {
    if (context.mistakes[i].severity == Severity::error) node.type = {};
  }
  node.comparand = std::make_shared<Comparand const>(std::move(comparand));
}

}  // namespace certgate::rules
