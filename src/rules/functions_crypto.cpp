// sha256() and the timed HMAC check. OpenSSL takes memory of its own for each.
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <optional>

#include "base64_arena.hpp"
#include "function_families.hpp"

namespace certgate::rules {

namespace {

using Check = Result<Prepared, ArgumentMistake>;

constexpr std::size_t digest_bytes = 32;
constexpr std::size_t timestamp_digits = 10;

ValueView sha256(CallContext& context, std::span<ValueView const> arguments) noexcept {
  auto const text = arguments[0].as_bytes();
  ArenaText out(context, digest_bytes);
  if (!out.ok()) return out.value();
  if (EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr,
                 EVP_sha256(), nullptr) != 1) {
    return out_of_arena(context);
  }
  out.resize(digest_bytes);
  return out.value();
}

// Arguments: key, message and MAC, lifetime, now[, separator length[, "s"]].
Check prepare_hmac(std::span<Argument const> arguments, Limits const&) {
  if (arguments[0].literal.as_bytes().empty()) {
    return fail(ArgumentMistake{0, "the key is empty"});
  }
  if (arguments[2].literal.as_integer() < 0) {
    return fail(ArgumentMistake{2, "the lifetime is a number of seconds, 0 or more"});
  }
  if (arguments.size() > 4 && arguments[4].literal.as_integer() < 0) {
    return fail(ArgumentMistake{4, "the length of the separator is 0 or more"});
  }
  if (arguments.size() > 5 && arguments[5].literal.as_bytes() != "s") {
    return fail(ArgumentMistake{5, "the flag is `s`: the MAC is URL-safe base64"});
  }
  return Prepared{bool_type, nullptr, {}};
}

// The MAC's place: 43 bytes at the end when URL-safe; else what follows the last hyphen, which
// standard base64 does not have.
std::optional<std::size_t> hyphen_before_mac(std::string_view text, bool url_safe) noexcept {
  constexpr std::size_t url_safe_length = 43;
  if (url_safe) {
    if (text.size() < url_safe_length + 1) return std::nullopt;
    auto const at = text.size() - url_safe_length - 1;
    return text[at] == '-' ? std::optional(at) : std::nullopt;
  }
  auto const at = text.rfind('-');
  return at == std::string_view::npos ? std::nullopt : std::optional(at);
}

// Percent-decodes in place; false when an escape is malformed.
bool percent_decode(char* text, std::size_t& size) noexcept {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < size; ++i) {
    if (text[i] != '%') {
      text[kept++] = text[i];
      continue;
    }
    if (i + 2 >= size || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) return false;
    text[kept++] = static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
    i += 2;
  }
  size = kept;
  return true;
}

ValueView hmac_valid(CallContext& context, std::span<ValueView const> arguments) noexcept {
  auto const no = ValueView::boolean(false);
  auto const key = arguments[0].as_bytes();
  auto const text = arguments[1].as_bytes();
  auto const lifetime = arguments[2].as_integer();
  auto const now = arguments[3].as_integer();
  auto const separator =
      arguments.size() > 4 ? static_cast<std::size_t>(arguments[4].as_integer()) : 0;
  bool const url_safe = arguments.size() > 5;

  auto const hyphen = hyphen_before_mac(text, url_safe);
  // At least one byte of message, the separator and the time stand before the hyphen.
  if (!hyphen || *hyphen < timestamp_digits || *hyphen - timestamp_digits <= separator) return no;
  auto const stamp = text.substr(*hyphen - timestamp_digits, timestamp_digits);
  std::int64_t issued = 0;
  for (char const c : stamp) {
    if (c < '0' || c > '9') return no;
    issued = issued * 10 + (c - '0');
  }
  std::int64_t age = 0;
  if (__builtin_sub_overflow(now, issued, &age) || age > lifetime) return no;

  auto const encoded = text.substr(*hyphen + 1);
  ArenaText given(context, encoded.size() * 2 + 1);
  if (!given.ok()) return given.value();
  given.append(encoded);
  auto size = encoded.size();
  // 32 bytes are 44 characters with their padding, which only the URL-safe form leaves out.
  if (!url_safe && (!percent_decode(given.data(), size) || size != base64_length(digest_bytes))) {
    return no;
  }
  auto* const decoded = given.data() + encoded.size();
  auto const decoded_size =
      decode_base64_into(decoded, {given.data(), size},
                         url_safe ? Base64Alphabet::url_safe : Base64Alphabet::standard);
  if (!decoded_size || *decoded_size != digest_bytes) return no;

  auto const message = text.substr(0, *hyphen - timestamp_digits - separator);
  ArenaText input(context, message.size() + stamp.size());
  if (!input.ok()) return input.value();
  input.append(message);
  input.append(stamp);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int mac_size = 0;
  if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
            reinterpret_cast<unsigned char const*>(input.data()), input.size(), mac, &mac_size)) {
    return out_of_arena(context);
  }
  return ValueView::boolean(CRYPTO_memcmp(mac, decoded, digest_bytes) == 0);
}

}  // namespace

void add_crypto_functions(std::vector<Function>& out) {
  out.push_back({.name = "sha256",
                 .parameters = {{"the string", {bytes_type}}},
                 .required = 1,
                 .result = bytes_type,
                 .doc = "sha256(string) gives 32 bytes",
                 .call = sha256});
  out.push_back(
      {.name = "is_timed_hmac_valid_v0",
       .parameters = {{"the key", {bytes_type}, Accepts::literal_only},
                      {"the message with its MAC", {bytes_type}, Accepts::field_only},
                      {"the lifetime in seconds", {int_type}, Accepts::literal_only},
                      {"the current time", {int_type}, Accepts::field_only},
                      {"the separator's length", {int_type}, Accepts::literal_only},
                      {"the flag", {bytes_type}, Accepts::literal_only}},
       .required = 4,
       .doc = "is_timed_hmac_valid_v0(key, message and MAC, lifetime, now[, separator length[, "
              "\"s\"]])",
       .prepare = prepare_hmac,
       .call = hmac_valid});
}

}  // namespace certgate::rules
