// Functions on arrays, maps and addresses.
#include "function_families.hpp"

namespace certgate::rules {

namespace {

using Check = Result<Prepared, ArgumentMistake>;

bool is_text_or_array(Type type) { return type == bytes_type || type.kind() == Kind::array; }

Check prepare_concat(std::span<Argument const> arguments, Limits const&) {
  auto const type = arguments[0].type;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!is_text_or_array(arguments[i].type)) {
      return fail(ArgumentMistake{
          i, "concat() joins Bytes or arrays, not " + format_type(arguments[i].type),
          arguments[i].type.is_primitive() ? "wrap it: to_string(...)" : ""});
    }
    if (arguments[i].type == type) continue;
    return fail(ArgumentMistake{i, "concat() takes arguments of one type: the first is " +
                                       format_type(type) + ", this is " +
                                       format_type(arguments[i].type)});
  }
  return Prepared{type, nullptr, {}};
}

// Missing arguments are skipped; when all are missing, so is the result.
ValueView concat(CallContext& context, std::span<ValueView const> arguments) noexcept {
  std::size_t size = 0;
  Kind kind = Kind::none;
  for (auto const& each : arguments) {
    if (each.is_missing()) continue;
    kind = each.kind();
    size += kind == Kind::bytes ? each.as_bytes().size() : each.as_array().size();
  }
  if (kind == Kind::none) return {};
  if (kind == Kind::bytes) {
    ArenaText out(context, size);
    if (!out.ok()) return out.value();
    for (auto const& each : arguments) {
      if (!each.is_missing()) out.append(each.as_bytes());
    }
    return out.value();
  }
  auto* out = context.arena.allocate_array<ValueView>(size);
  if (!out) return out_of_arena(context);
  std::size_t count = 0;
  for (auto const& each : arguments) {
    if (each.is_missing()) continue;
    for (auto const& element : each.as_array()) out[count++] = element;
  }
  return ValueView::array({out, count});
}

Check prepare_len(std::span<Argument const> arguments, Limits const&) {
  auto const type = arguments[0].type;
  if (type == bytes_type || type.is_container()) return Prepared{int_type, nullptr, {}};
  return fail(ArgumentMistake{0, "len() counts Bytes, arrays or maps, not " + format_type(type)});
}

ValueView len(CallContext&, std::span<ValueView const> arguments) noexcept {
  auto const& value = arguments[0];
  auto const size =
      value.kind() == Kind::bytes
          ? value.as_bytes().size()
          : (value.kind() == Kind::array ? value.as_array().size() : value.as_map().size());
  return ValueView::integer(static_cast<std::int64_t>(size));
}

Check prepare_has_key(std::span<Argument const> arguments, Limits const&) {
  if (arguments[0].type.kind() == Kind::map) return Prepared{bool_type, nullptr, {}};
  return fail(ArgumentMistake{
      0, "has_key() looks into a map, not into " + format_type(arguments[0].type),
      arguments[0].type.kind() == Kind::array ? "for an array use has_value(array, \"...\")" : ""});
}

ValueView has_key(CallContext&, std::span<ValueView const> arguments) noexcept {
  auto const key = arguments[1].as_bytes();
  for (auto const& entry : arguments[0].as_map()) {
    if (entry.key == key) return ValueView::boolean(true);
  }
  return ValueView::boolean(false);
}

Check prepare_has_value(std::span<Argument const> arguments, Limits const&) {
  auto const list = arguments[0].type;
  auto const element = list.element();
  if (!list.is_container() || !element.is_primitive()) {
    return fail(ArgumentMistake{0,
                                "has_value() looks into an array or map of simple values, not "
                                "into " +
                                    format_type(list),
                                list.kind() == Kind::map ? "name a key: [\"...\"]" : ""});
  }
  if (element != arguments[1].type) {
    return fail(ArgumentMistake{1, "has_value() must look for " + format_type(element) + ", not " +
                                       format_type(arguments[1].type)});
  }
  return Prepared{bool_type, nullptr, {}};
}

ValueView has_value(CallContext&, std::span<ValueView const> arguments) noexcept {
  if (arguments[0].kind() == Kind::array) {
    for (auto const& element : arguments[0].as_array()) {
      if (equal(element, arguments[1])) return ValueView::boolean(true);
    }
  } else {
    for (auto const& entry : arguments[0].as_map()) {
      if (equal(entry.value, arguments[1])) return ValueView::boolean(true);
    }
  }
  return ValueView::boolean(false);
}

ValueView join(CallContext& context, std::span<ValueView const> arguments) noexcept {
  auto const elements = arguments[0].as_array();
  auto const separator = arguments[1].as_bytes();
  std::size_t size = elements.empty() ? 0 : separator.size() * (elements.size() - 1);
  for (auto const& each : elements) size += each.is_missing() ? 0 : each.as_bytes().size();
  ArenaText out(context, size);
  if (!out.ok()) return out.value();
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (i > 0) out.append(separator);
    if (!elements[i].is_missing()) out.append(elements[i].as_bytes());
  }
  return out.value();
}

constexpr std::int64_t max_split = 128;

Check prepare_split(std::span<Argument const> arguments, Limits const&) {
  if (arguments[1].literal.as_bytes().empty()) {
    return fail(ArgumentMistake{1, "split() cannot separate at an empty string"});
  }
  Prepared prepared{Type::array_of(bytes_type), nullptr, {}};
  auto const limit = arguments[2].literal.as_integer();
  if (limit < 1 || limit > max_split) {
    prepared.warnings.push_back({2, "split() makes 1 to 128 pieces; this has no value", ""});
  }
  return prepared;
}

// Empty pieces are kept; the last one holds what remains.
ValueView split(CallContext& context, std::span<ValueView const> arguments) noexcept {
  auto rest = arguments[0].as_bytes();
  auto const separator = arguments[1].as_bytes();
  if (arguments[2].as_integer() < 1 || arguments[2].as_integer() > max_split) return {};
  auto const limit = static_cast<std::size_t>(arguments[2].as_integer());
  auto* pieces = context.arena.allocate_array<ValueView>(limit);
  if (!pieces) return out_of_arena(context);
  std::size_t count = 0;
  while (count + 1 < limit) {
    auto const at = rest.find(separator);
    if (at == std::string_view::npos) break;
    pieces[count++] = ValueView::bytes(rest.substr(0, at));
    rest = rest.substr(at + separator.size());
  }
  pieces[count++] = ValueView::bytes(rest);
  return ValueView::array({pieces, count});
}

constexpr std::int64_t v4_bits = 32;
constexpr std::int64_t v6_bits = 128;

void check_bits(Prepared& prepared, std::span<Argument const> arguments, std::size_t which,
                std::int64_t most) {
  auto const& bits = arguments[which].literal;
  if (bits.is_missing() || (bits.as_integer() >= 1 && bits.as_integer() <= most)) return;
  prepared.warnings.push_back({which, "the number of bits is 1 to " + std::to_string(most), ""});
}

Check prepare_cidr(std::span<Argument const> arguments, Limits const&) {
  Prepared prepared{ip_type, nullptr, {}};
  check_bits(prepared, arguments, 1, v4_bits);
  check_bits(prepared, arguments, 2, v6_bits);
  return prepared;
}

Check prepare_cidr6(std::span<Argument const> arguments, Limits const&) {
  Prepared prepared{ip_type, nullptr, {}};
  check_bits(prepared, arguments, 1, v6_bits);
  return prepared;
}

ValueView masked(ValueView const& address, std::int64_t v4, std::int64_t v6) noexcept {
  auto const bits = address.ip_is_v4() ? v4 : v6;
  if (bits < 1 || bits > (address.ip_is_v4() ? v4_bits : v6_bits)) return {};
  return ValueView::ip(IpNetwork(address.as_ip(), static_cast<unsigned>(bits)).address());
}

ValueView cidr(CallContext&, std::span<ValueView const> arguments) noexcept {
  return masked(arguments[0], arguments[1].as_integer(), arguments[2].as_integer());
}

ValueView cidr6(CallContext&, std::span<ValueView const> arguments) noexcept {
  return masked(arguments[0], v4_bits, arguments[1].as_integer());
}

}  // namespace

void add_collection_functions(std::vector<Function>& out) {
  auto const text_list = Type::array_of(bytes_type);
  auto const address = Parameter{"the address", {ip_type}, Accepts::field_only};
  out.push_back({.name = "concat",
                 .parameters = {{"the first part", {}}, {"a further part", {}}},
                 .required = 2,
                 .repeats_last = true,
                 .takes_missing = true,
                 .doc = "concat(a, b, ...) of Bytes, or of arrays of one type",
                 .prepare = prepare_concat,
                 .call = concat});
  out.push_back({.name = "len",
                 .parameters = {{"the value", {}}},
                 .required = 1,
                 .doc = "len(value): bytes of Bytes, elements of an array or map",
                 .prepare = prepare_len,
                 .call = len});
  out.push_back({.name = "has_key",
                 .parameters = {{"the map", {}, Accepts::field_only}, {"the key", {bytes_type}}},
                 .required = 2,
                 .doc = "has_key(map, key)",
                 .prepare = prepare_has_key,
                 .call = has_key});
  out.push_back({.name = "has_value",
                 .parameters = {{"the array or map", {}, Accepts::field_only}, {"the value", {}}},
                 .required = 2,
                 .folds_with_first = true,
                 .doc = "has_value(array or map, value)",
                 .prepare = prepare_has_value,
                 .call = has_value});
  out.push_back({.name = "join",
                 .parameters = {{"the array", {text_list}}, {"the separator", {bytes_type}}},
                 .required = 2,
                 .result = bytes_type,
                 .doc = "join(array, separator)",
                 .call = join});
  out.push_back({.name = "split",
                 .parameters = {{"the string", {bytes_type}},
                                {"the separator", {bytes_type}, Accepts::literal_only},
                                {"the limit", {int_type}, Accepts::literal_only}},
                 .required = 3,
                 .doc = "split(string, separator, limit) gives an Array<Bytes>",
                 .prepare = prepare_split,
                 .call = split});
  out.push_back(
      {.name = "cidr",
       .parameters = {address, {"the IPv4 bits", {int_type}}, {"the IPv6 bits", {int_type}}},
       .required = 3,
       .doc = "cidr(address, IPv4 bits, IPv6 bits) is the network's address",
       .prepare = prepare_cidr,
       .call = cidr});
  out.push_back({.name = "cidr6",
                 .parameters = {address, {"the IPv6 bits", {int_type}}},
                 .required = 2,
                 .doc = "cidr6(address, IPv6 bits) is the network's address; IPv4 unchanged",
                 .prepare = prepare_cidr6,
                 .call = cidr6});
}

}  // namespace certgate::rules
