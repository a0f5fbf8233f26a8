// Random schemas, expressions and values from a small alphabet, so that things often are equal.
#include "oracle.hpp"

namespace certgate::rules::test {

namespace {

constexpr char const* words[] = {"",  "a",  "b",    "ab",  "ba", "abc",
                                 "A", "/a", "/a/b", "aab", "*",  "\\"};
constexpr char const* addresses[] = {"10.0.0.1", "10.0.0.2",    "10.1.0.0",
                                     "::1",      "2001:db8::1", "255.255.255.255"};
constexpr char const* networks[] = {"10.0.0.0/24",   "10.0.0.0/8",         "0.0.0.0/0", "::/0",
                                    "2001:db8::/32", "10.0.0.1..10.0.0.9", "::1..::ff"};
constexpr std::int64_t numbers[] = {0, 1, 2, 3, 7, 8, -1, -2, 100, INT64_MAX, INT64_MIN};

template <class T, std::size_t n>
T const& pick(Generator& from, T const (&all)[n]) {
  return all[from.below(n)];
}

}  // namespace

Type Generator::type(int depth) {
  switch (below(depth > 0 ? 8 : 5)) {
    case 0:
      return bool_type;
    case 1:
      return int_type;
    case 2:
      return ip_type;
    case 3:
    case 4:
      return bytes_type;
    case 5:
    case 6:
      return Type::array_of(type(depth - 1));
    default:
      return Type::map_of(type(depth - 1));
  }
}

Scheme Generator::scheme() {
  Scheme scheme;
  add_standard_functions(scheme);
  auto const count = 2 + below(7);
  for (std::size_t i = 0; i < count; ++i) {
    auto const which = type(2);
    FieldOptions options;
    if (which == bytes_type && below(4) == 0) options.letters = Letters::folded;
    scheme.add_field("f" + std::to_string(i), which, options);
  }
  scheme.add_list("ips", parse_list(ListKind::ip, "10.0.0.1\n10.1.0.0/16\n::/64\n").value());
  scheme.add_list("ints", parse_list(ListKind::integer, "1\n3\n7..100\n").value());
  scheme.add_list("words", parse_list(ListKind::bytes, "a\nab\n/a\n").value());
  return scheme;
}

std::string Generator::text() {
  std::string out = pick(*this, words);
  if (below(4) == 0) out += pick(*this, words);
  return out;
}

OwnedValue Generator::value(Type which) {
  OwnedValue out;
  if (below(6) == 0) return out;
  out.kind = which.kind();
  switch (which.kind()) {
    case Kind::boolean:
      out.boolean = below(2) == 0;
      break;
    case Kind::integer:
      out.integer = pick(*this, numbers);
      break;
    case Kind::bytes:
      out.bytes = text();
      break;
    case Kind::ip:
      out.ip = *IpAddress::parse(pick(*this, addresses));
      break;
    default: {
      auto const count = below(4);
      for (std::size_t i = 0; i < count; ++i) {
        auto element = value(which.element());
        if (element.kind == Kind::none) continue;
        out.elements.push_back(std::move(element));
        if (which.kind() == Kind::map) {
          out.keys.push_back(std::string(1, static_cast<char>('a' + static_cast<int>(i))));
        }
      }
    }
  }
  return out;
}

std::vector<OwnedValue> Generator::values(Scheme const& scheme) {
  std::vector<OwnedValue> all;
  for (FieldId id = 0; id < scheme.field_count(); ++id) {
    all.push_back(value(scheme.field(id).type));
    // The embedder's promise about a folded field.
    if (scheme.field(id).options.letters != Letters::folded) continue;
    for (auto& c : all.back().bytes) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return all;
}

std::string Generator::literal(Type which, bool in_set) {
  switch (which.kind()) {
    case Kind::integer: {
      auto const number = pick(*this, numbers);
      if (in_set && below(3) == 0 && number < 1000) {
        return std::to_string(number) + ".." + std::to_string(number + 5);
      }
      return std::to_string(number);
    }
    case Kind::ip:
      return in_set && below(2) == 0 ? pick(*this, networks) : pick(*this, addresses);
    default:
      return format_quoted(text());
  }
}

std::string Generator::comparison(std::string const& left, Type which) {
  constexpr char const* orders[] = {"eq", "ne", "lt", "le", "gt", "ge", "==", "!="};
  if (below(3) == 0) {
    std::string set = left + " in {";
    for (auto count = below(12); count > 0; --count) set += ' ' + literal(which, true);
    return set + " }";
  }
  if (below(8) == 0) {
    return left + " in $" + (which == ip_type ? "ips" : (which == int_type ? "ints" : "words"));
  }
  if (which == bytes_type && below(2) == 0) {
    constexpr char const* patterns[] = {"*", "a*", "*b", "*a*b*", "/a", "A*b", "a\\\\*", ""};
    constexpr char const* regexes[] = {"a",      "^a", "b$",    "^a.*b$", "a+b",
                                       "^(a|b)", "",   "[ab]c", "^/a$"};
    switch (below(4)) {
      case 0:
        return left + " contains " + format_quoted(text());
      case 1:
        return left + " wildcard \"" + pick(*this, patterns) + '"';
      case 2:
        return left + " strict wildcard \"" + pick(*this, patterns) + '"';
      default:
        return left + " matches \"" + pick(*this, regexes) + '"';
    }
  }
  if (which == int_type && below(4) == 0) return left + " & " + literal(which, false);
  return left + ' ' + pick(*this, orders) + ' ' + literal(which, false);
}

// A field with indexes down to `wanted`; with [*] somewhere when `each`.
std::optional<std::string> Generator::path(Scheme const& scheme, Type wanted, bool each) {
  for (int attempt = 0; attempt < 12; ++attempt) {
    auto const& field = scheme.field(static_cast<FieldId>(below(scheme.field_count())));
    auto which = field.type;
    std::string out = field.name;
    bool has_each = false;
    while (which != wanted && which.is_container()) {
      if (each && (!has_each || below(2) == 0)) {
        out += "[*]";
        has_each = true;
      } else if (which.kind() == Kind::array) {
        out += '[' + std::to_string(below(3)) + ']';
      } else {
        out += "[\"" + std::string(1, static_cast<char>('a' + static_cast<int>(below(3)))) + "\"]";
      }
      which = which.element();
    }
    if (which == wanted && has_each == each) return out;
  }
  return std::nullopt;
}

std::string Generator::bytes_expression(Scheme const& scheme, int depth) {
  if (depth > 0 && below(3) == 0) {
    auto const inner = bytes_expression(scheme, depth - 1);
    switch (below(6)) {
      case 0:
        return "lower(" + inner + ")";
      case 1:
        return "upper(" + inner + ")";
      case 2:
        return "concat(" + inner + ", " + format_quoted(text()) + ")";
      case 3:
        return "substring(" + inner + ", " + std::to_string(static_cast<int>(below(5)) - 2) + ")";
      case 4:
        return "url_decode(" + inner + ")";
      default:
        return "remove_bytes(" + inner + ", \"a\")";
    }
  }
  return path(scheme, bytes_type, false).value_or("to_string(len(lower(\"x\")))");
}

// An Array<Bool>.
std::string Generator::elementwise(Scheme const& scheme, int depth) {
  if (depth > 0 && below(3) == 0) {
    constexpr char const* joins[] = {" and ", " or ", " xor "};
    return "((" + elementwise(scheme, depth - 1) + ")" + pick(*this, joins) + "(" +
           elementwise(scheme, depth - 1) + "))";
  }
  if (depth > 0 && below(4) == 0) return "not (" + elementwise(scheme, depth - 1) + ")";
  for (int attempt = 0; attempt < 4; ++attempt) {
    constexpr Kind kinds[] = {Kind::bytes, Kind::integer, Kind::ip};
    Type const wanted(pick(*this, kinds));
    auto left = path(scheme, wanted, true);
    if (!left) continue;
    if (wanted == bytes_type && below(3) == 0) left = "lower(" + *left + ")[*]";
    return comparison(*left, wanted);
  }
  if (auto const flags = path(scheme, Type::array_of(bool_type), false)) return *flags;
  return "split(\"a,b\", \",\", 3)[*] eq \"a\"";
}

std::string Generator::condition(Scheme const& scheme, int depth) {
  if (depth > 0 && below(10) < 6) {
    constexpr char const* joins[] = {" and ", " or ", " xor ", " && ", " || ", " ^^ "};
    auto out = condition(scheme, depth - 1);
    for (auto more = 1 + below(2); more > 0; --more) {
      out += pick(*this, joins) + condition(scheme, depth - 1);
    }
    return below(2) == 0 ? "(" + out + ")" : out;
  }
  if (depth > 0 && below(4) == 0) return "not (" + condition(scheme, depth - 1) + ")";
  switch (below(6)) {
    case 0:
      return std::string(below(2) == 0 ? "any(" : "all(") + elementwise(scheme, depth) + ")";
    case 1:
      if (auto const flag = path(scheme, bool_type, false)) {
        return (below(2) == 0 ? "not " : "") + *flag;
      }
      break;
    case 2:
      if (auto const number = path(scheme, int_type, false)) return comparison(*number, int_type);
      break;
    case 3:
      if (auto const ip = path(scheme, ip_type, false)) return comparison(*ip, ip_type);
      break;
    case 4:
      return "starts_with(lower(" + bytes_expression(scheme, depth) + "), " +
             format_quoted(text()) + ")";
    default:
      break;
  }
  return comparison(bytes_expression(scheme, depth), bytes_type);
}

std::string Generator::expression(Scheme const& scheme, int depth) {
  return condition(scheme, depth);
}

}  // namespace certgate::rules::test
