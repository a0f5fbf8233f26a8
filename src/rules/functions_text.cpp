// Functions from text to text: case, affixes, pieces of a string.
#include "certgate/base/encoding.hpp"
#include "function_families.hpp"

namespace certgate::rules {

namespace {

template <char (*change)(char)>
ValueView change_case(CallContext& context, std::span<ValueView const> arguments) noexcept {
  auto const text = arguments[0].as_bytes();
  std::size_t same = 0;
  while (same < text.size() && change(text[same]) == text[same]) ++same;
  if (same == text.size()) return arguments[0];
  ArenaText out(context, text.size());
  if (!out.ok()) return out.value();
  out.append(text.substr(0, same));
  for (auto const c : text.substr(same)) out.push(change(c));
  return out.value();
}

ValueView starts_with(CallContext&, std::span<ValueView const> arguments) noexcept {
  return ValueView::boolean(arguments[0].as_bytes().starts_with(arguments[1].as_bytes()));
}

ValueView ends_with(CallContext&, std::span<ValueView const> arguments) noexcept {
  return ValueView::boolean(arguments[0].as_bytes().ends_with(arguments[1].as_bytes()));
}

// Negative positions count from the end; whatever lies outside is clamped.
ValueView substring(CallContext&, std::span<ValueView const> arguments) noexcept {
  auto const text = arguments[0].as_bytes();
  auto const size = static_cast<std::int64_t>(text.size());
  auto const position = [size](std::int64_t at) {
    if (at < 0) at = at < -size ? 0 : at + size;
    return at > size ? size : at;
  };
  auto const start = position(arguments[1].as_integer());
  auto const end = arguments.size() > 2 ? position(arguments[2].as_integer()) : size;
  if (start >= end) return ValueView::bytes({});
  return ValueView::bytes(
      text.substr(static_cast<std::size_t>(start), static_cast<std::size_t>(end - start)));
}

ValueView remove_bytes(CallContext& context, std::span<ValueView const> arguments) noexcept {
  auto const text = arguments[0].as_bytes();
  bool removed[256] = {};
  for (auto const c : arguments[1].as_bytes()) removed[static_cast<unsigned char>(c)] = true;
  ArenaText out(context, text.size());
  if (!out.ok()) return out.value();
  for (auto const c : text) {
    if (!removed[static_cast<unsigned char>(c)]) out.push(c);
  }
  return out.value();
}

ValueView to_string(CallContext& context, std::span<ValueView const> arguments) noexcept {
  auto const& value = arguments[0];
  if (value.kind() == Kind::boolean) return ValueView::bytes(value.as_bool() ? "true" : "false");
  // Written by hand, because std::string would allocate for the longer ones.
  constexpr std::size_t longest = 48;
  ArenaText out(context, longest);
  if (!out.ok()) return out.value();
  if (value.kind() == Kind::integer) {
    char digits[24];
    std::size_t count = 0;
    auto const number = value.as_integer();
    auto rest = number < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(number)
                           : static_cast<std::uint64_t>(number);
    do {
      digits[count++] = static_cast<char>('0' + rest % 10);
      rest /= 10;
    } while (rest != 0);
    if (number < 0) out.push('-');
    while (count > 0) out.push(digits[--count]);
    return out.value();
  }
  auto const put_number = [&out](unsigned number, unsigned base) {
    char digits[8];
    std::size_t count = 0;
    do {
      digits[count++] = "0123456789abcdef"[number % base];
      number /= base;
    } while (number != 0);
    while (count > 0) out.push(digits[--count]);
  };
  auto const* bytes = value.ip_bytes();
  if (value.ip_is_v4()) {
    for (int i = 0; i < 4; ++i) {
      if (i > 0) out.push('.');
      put_number(bytes[i], 10);
    }
    return out.value();
  }
  // RFC 5952: the longest run of two or more zero groups, the first of equals, becomes "::".
  unsigned groups[8];
  for (int i = 0; i < 8; ++i)
    groups[i] = static_cast<unsigned>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
  bool const mapped = groups[0] == 0 && groups[1] == 0 && groups[2] == 0 && groups[3] == 0 &&
                      groups[4] == 0 && groups[5] == 0xffff;
  int const last_group = mapped ? 6 : 8;
  int run_start = -1;
  int run_length = 1;
  for (int i = 0; i < last_group;) {
    int length = 0;
    while (i + length < last_group && groups[i + length] == 0) ++length;
    if (length > run_length) {
      run_start = i;
      run_length = length;
    }
    i += length + 1;
  }
  for (int i = 0; i < last_group; ++i) {
    if (i == run_start) {
      out.append("::");
      i += run_length - 1;
      continue;
    }
    if (i > 0 && (run_start < 0 || i != run_start + run_length)) out.push(':');
    put_number(groups[i], 16);
  }
  if (mapped) {
    for (int i = 12; i < 16; ++i) {
      out.push(i == 12 ? ':' : '.');
      put_number(bytes[i], 10);
    }
  }
  return out.value();
}

}  // namespace

void add_text_functions(std::vector<Function>& out) {
  auto const text = Parameter{"the string", {bytes_type}};
  auto const text_field = Parameter{"the string", {bytes_type}, Accepts::field_only};
  out.push_back({.name = "lower",
                 .parameters = {text},
                 .required = 1,
                 .result = bytes_type,
                 .doc = "lower(string) turns A-Z into a-z",
                 .call = change_case<ascii_lower>});
  out.push_back({.name = "upper",
                 .parameters = {text},
                 .required = 1,
                 .result = bytes_type,
                 .doc = "upper(string) turns a-z into A-Z",
                 .call = change_case<ascii_upper>});
  out.push_back({.name = "starts_with",
                 .parameters = {text_field, {"the beginning", {bytes_type}}},
                 .required = 2,
                 .result = bool_type,
                 .folds_with_first = true,
                 .doc = "starts_with(string, beginning)",
                 .call = starts_with});
  out.push_back({.name = "ends_with",
                 .parameters = {text_field, {"the ending", {bytes_type}}},
                 .required = 2,
                 .result = bool_type,
                 .folds_with_first = true,
                 .doc = "ends_with(string, ending)",
                 .call = ends_with});
  out.push_back({.name = "substring",
                 .parameters = {text_field, {"the start", {int_type}}, {"the end", {int_type}}},
                 .required = 2,
                 .result = bytes_type,
                 .doc = "substring(string, start[, end]): byte positions, negative from the end",
                 .call = substring});
  out.push_back({.name = "remove_bytes",
                 .parameters = {text, {"the bytes to remove", {bytes_type}}},
                 .required = 2,
                 .result = bytes_type,
                 .doc = "remove_bytes(string, bytes)",
                 .call = remove_bytes});
  out.push_back({.name = "to_string",
                 .parameters = {{"the value", {int_type, bool_type, ip_type}}},
                 .required = 1,
                 .result = bytes_type,
                 .doc = "to_string(value) of an Int, Bool or Ip",
                 .call = to_string});
}

}  // namespace certgate::rules
