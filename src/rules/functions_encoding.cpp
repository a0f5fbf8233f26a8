// Base64 and URL decoding, and UUIDs.
#include "base64_arena.hpp"
#include "certgate/base/encoding.hpp"
#include "function_families.hpp"

namespace certgate::rules {

namespace {

using Check = Result<Prepared, ArgumentMistake>;

ValueView decode_base64(CallContext& context, std::span<ValueView const> arguments) noexcept {
  auto const text = arguments[0].as_bytes();
  ArenaText out(context, text.size());
  if (!out.ok()) return out.value();
  auto const size = decode_base64_into(out.data(), text, Base64Alphabet::standard);
  if (!size) return {};
  out.resize(*size);
  return out.value();
}

Check prepare_encode(std::span<Argument const> arguments, Limits const&) {
  Prepared prepared{bytes_type, nullptr, {}};
  if (arguments.size() > 1 &&
      arguments[1].literal.as_bytes().find_first_not_of("up") != std::string_view::npos) {
    prepared.warnings.push_back(
        {1, "the flags of encode_base64() are `u` (URL-safe) and `p` (padded)", ""});
  }
  return prepared;
}

// Without flags: the standard alphabet, unpadded.
ValueView encode_base64(CallContext& context, std::span<ValueView const> arguments) noexcept {
  auto const text = arguments[0].as_bytes();
  auto const flags = arguments.size() > 1 ? arguments[1].as_bytes() : std::string_view();
  bool const url_safe = flags.find('u') != std::string_view::npos;
  bool const padded = flags.find('p') != std::string_view::npos;
  char const* const digits =
      url_safe ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
               : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  ArenaText out(context, base64_length(text.size()));
  if (!out.ok()) return out.value();
  for (std::size_t i = 0; i < text.size(); i += 3) {
    auto const left = text.size() - i;
    auto const byte = [&](std::size_t k) {
      return k < left ? static_cast<unsigned char>(text[i + k]) : 0u;
    };
    auto const group = byte(0) << 16 | byte(1) << 8 | byte(2);
    out.push(digits[group >> 18]);
    out.push(digits[group >> 12 & 63]);
    if (left > 1) out.push(digits[group >> 6 & 63]);
    if (left > 2) out.push(digits[group & 63]);
    if (padded) out.append(left == 1 ? "==" : (left == 2 ? "=" : ""));
  }
  return out.value();
}

Check prepare_url_decode(std::span<Argument const> arguments, Limits const&) {
  Prepared prepared{bytes_type, nullptr, {}};
  if (arguments.size() > 1 &&
      arguments[1].literal.as_bytes().find_first_not_of("ru") != std::string_view::npos) {
    prepared.warnings.push_back(
        {1, "the options of url_decode() are `r` (repeat) and `u` (%uXXXX too)", ""});
  }
  return prepared;
}

// How many bytes UTF-8 takes for a code point below 0x10000; written to `out`.
std::size_t put_utf8(char* out, unsigned code) noexcept {
  if (code < 0x80) {
    out[0] = static_cast<char>(code);
    return 1;
  }
  if (code < 0x800) {
    out[0] = static_cast<char>(0xc0 | code >> 6);
    out[1] = static_cast<char>(0x80 | (code & 63));
    return 2;
  }
  out[0] = static_cast<char>(0xe0 | code >> 12);
  out[1] = static_cast<char>(0x80 | (code >> 6 & 63));
  out[2] = static_cast<char>(0x80 | (code & 63));
  return 3;
}

int hex_number(char const* digits, int count) noexcept {
  int number = 0;
  for (int i = 0; i < count; ++i) {
    auto const digit = hex_digit(digits[i]);
    if (digit < 0) return -1;
    number = number * 16 + digit;
  }
  return number;
}

// Repeating is done in the one pass: an escape is a window that starts with `%`, so two never
// overlap, and decoding what has just become complete gives the same as decoding the whole again.
ValueView url_decode(CallContext& context, std::span<ValueView const> arguments) noexcept {
  auto const text = arguments[0].as_bytes();
  auto const options = arguments.size() > 1 ? arguments[1].as_bytes() : std::string_view();
  bool const repeat = options.find('r') != std::string_view::npos;
  bool const unicode = options.find('u') != std::string_view::npos;
  if (text.find_first_of("%+") == std::string_view::npos) return arguments[0];
  ArenaText out(context, text.size());
  if (!out.ok()) return out.value();
  auto const is_scalar = [](int code) { return code >= 0 && (code < 0xd800 || code > 0xdfff); };
  if (!repeat) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      auto const* at = text.data() + i;
      auto const left = text.size() - i;
      int const byte = *at == '%' && left >= 3 ? hex_number(at + 1, 2) : -1;
      int const code =
          unicode && *at == '%' && left >= 6 && at[1] == 'u' ? hex_number(at + 2, 4) : -1;
      if (byte >= 0) {
        out.push(static_cast<char>(byte));
        i += 2;
      } else if (is_scalar(code)) {
        char bytes[3];
        out.append({bytes, put_utf8(bytes, static_cast<unsigned>(code))});
        i += 5;
      } else {
        out.push(*at == '+' ? ' ' : *at);
      }
    }
    return out.value();
  }
  for (char const c : text) {
    out.push(c == '+' ? ' ' : c);
    for (bool changed = true; changed;) {
      changed = false;
      auto const size = out.size();
      char* const end = out.data() + size;
      int const byte = size >= 3 && end[-3] == '%' ? hex_number(end - 2, 2) : -1;
      if (byte >= 0) {
        out.resize(size - 3);
        out.push(byte == '+' ? ' ' : static_cast<char>(byte));
        changed = true;
        continue;
      }
      int const code =
          unicode && size >= 6 && end[-6] == '%' && end[-5] == 'u' ? hex_number(end - 4, 4) : -1;
      if (!is_scalar(code)) continue;
      out.resize(size - 6);
      char bytes[3];
      auto const count = put_utf8(bytes, static_cast<unsigned>(code));
      if (count == 1 && bytes[0] == '+') bytes[0] = ' ';
      out.append({bytes, count});
      changed = true;
    }
  }
  return out.value();
}

// RFC 9562 §5.4: 122 random bits, version 4, variant 10.
ValueView uuidv4(CallContext& context, std::span<ValueView const> arguments) noexcept {
  auto const seed = arguments[0].as_bytes();
  constexpr std::size_t uuid_bytes = 16;
  if (seed.size() < uuid_bytes) return {};
  ArenaText out(context, 36);
  if (!out.ok()) return out.value();
  for (std::size_t i = 0; i < uuid_bytes; ++i) {
    auto byte = static_cast<unsigned char>(seed[i]);
    if (i == 6) byte = static_cast<unsigned char>((byte & 0x0f) | 0x40);
    if (i == 8) byte = static_cast<unsigned char>((byte & 0x3f) | 0x80);
    if (i == 4 || i == 6 || i == 8 || i == 10) out.push('-');
    out.push("0123456789abcdef"[byte >> 4]);
    out.push("0123456789abcdef"[byte & 15]);
  }
  return out.value();
}

}  // namespace

void add_encoding_functions(std::vector<Function>& out) {
  auto const text = Parameter{"the string", {bytes_type}};
  auto const text_field = Parameter{"the string", {bytes_type}, Accepts::field_only};
  out.push_back({.name = "decode_base64",
                 .parameters = {text_field},
                 .required = 1,
                 .result = bytes_type,
                 .doc = "decode_base64(string); what is not base64 has no value",
                 .call = decode_base64});
  out.push_back({.name = "encode_base64",
                 .parameters = {text, {"the flags", {bytes_type}, Accepts::literal_only}},
                 .required = 1,
                 .result = bytes_type,
                 .doc = "encode_base64(string[, flags]) with flags `u` (URL-safe), `p` (padded)",
                 .prepare = prepare_encode,
                 .call = encode_base64});
  out.push_back({.name = "url_decode",
                 .parameters = {text_field, {"the options", {bytes_type}, Accepts::literal_only}},
                 .required = 1,
                 .result = bytes_type,
                 .doc = "url_decode(string[, options]) with options `r` (repeat), `u` (%uXXXX too)",
                 .prepare = prepare_url_decode,
                 .call = url_decode});
  out.push_back({.name = "uuidv4",
                 .parameters = {{"the seed", {bytes_type}}},
                 .required = 1,
                 .result = bytes_type,
                 .doc = "uuidv4(seed) of at least 16 random bytes: uuidv4(cf.random_seed)",
                 .call = uuidv4});
}

}  // namespace certgate::rules
