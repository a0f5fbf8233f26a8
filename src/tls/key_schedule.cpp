#include "key_schedule.hpp"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <optional>

#include "certgate/base/encoding.hpp"

namespace certgate::tls {
namespace {

constexpr auto schedule_provider = "certgate-key-schedule";

constexpr std::size_t max_hash_bytes = 48;
constexpr std::size_t max_block_bytes = 128;
// RFC 8446 §7.1: opaque label<7..255>, opaque context<0..255>, behind the length of what is wanted.
constexpr std::size_t max_info_bytes = 2 + 1 + 255 + 1 + 255;

// Bytes on the stack that are wiped when they go.
template <std::size_t capacity>
struct Secret {
  Secret() = default;
  ~Secret() { OPENSSL_cleanse(bytes.data(), capacity); }
  Secret(Secret const&) = delete;
  Secret& operator=(Secret const&) = delete;
  std::array<std::uint8_t, capacity> bytes{};
};

// A hash of OpenSSL's that is made once and used again and again.
class Hash {
 public:
  Hash(EVP_MD const* kind, std::size_t hash_bytes, std::size_t block_bytes)
      : size(hash_bytes), block(block_bytes), kind_(kind), state_(EVP_MD_CTX_new()) {}
  ~Hash() { EVP_MD_CTX_free(state_); }
  Hash(Hash const&) = delete;
  Hash& operator=(Hash const&) = delete;

  bool of(std::initializer_list<Bytes> parts, std::uint8_t* out) {
    if (kind_ == nullptr || state_ == nullptr || !begin()) return false;
    for (auto const part : parts) {
      if (EVP_DigestUpdate(state_, part.data(), part.size()) != 1) return false;
    }
    return EVP_DigestFinal_ex(state_, out, nullptr) == 1;
  }
  // Nothing of a secret is left in the state.
  bool begin() { return EVP_DigestInit_ex2(state_, kind_, nullptr) == 1; }

  std::size_t const size;
  std::size_t const block;

 private:
  EVP_MD const* kind_;
  EVP_MD_CTX* state_;
};

// Null for a hash that no cipher suite of TLS 1.3 has.
Hash* hash_named(std::string_view name) {
  // Never freed: threads use them until the process ends.
  static auto const* const sha256 = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
  static auto const* const sha384 = EVP_MD_fetch(nullptr, "SHA2-384", nullptr);
  static thread_local Hash of_256(sha256, 32, 64);
  static thread_local Hash of_384(sha384, 48, 128);
  if (name == "SHA2-256" || name == "SHA256" || name == "SHA-256") return &of_256;
  if (name == "SHA2-384" || name == "SHA384" || name == "SHA-384") return &of_384;
  return nullptr;
}

// RFC 2104 §2, without its way to shorten keys: secrets of TLS 1.3 are as long as the hash.
bool hmac(Hash& hash, Bytes key, std::initializer_list<Bytes> message, std::uint8_t* out) {
  constexpr std::uint8_t inner_mask = 0x36, outer_mask = 0x5c;
  if (key.size() > hash.block || message.size() != 3) return false;
  Secret<max_block_bytes> pad;
  Secret<max_hash_bytes> inner;
  std::copy(key.begin(), key.end(), pad.bytes.begin());
  for (auto& byte : pad.bytes) byte ^= inner_mask;
  Bytes const block{pad.bytes.data(), hash.block};
  auto const* const part = message.begin();
  if (!hash.of({block, part[0], part[1], part[2]}, inner.bytes.data())) return false;
  for (auto& byte : pad.bytes) byte ^= inner_mask ^ outer_mask;
  return hash.of({block, {inner.bytes.data(), hash.size}}, out);
}

// RFC 5869 §2.3.
bool expand(Hash& hash, Bytes secret, Bytes info, std::span<std::uint8_t> out) {
  if (out.size() > 255 * hash.size) return false;
  Secret<max_hash_bytes> block;
  std::size_t previous = 0;
  std::uint8_t counter = 0;
  while (!out.empty()) {
    ++counter;
    if (!hmac(hash, secret, {{block.bytes.data(), previous}, info, {&counter, 1}},
              block.bytes.data())) {
      return false;
    }
    previous = hash.size;
    auto const taken = std::min(out.size(), hash.size);
    std::copy_n(block.bytes.begin(), taken, out.begin());
    out = out.subspan(taken);
  }
  return true;
}

// RFC 8446 §7.1, HKDF-Expand-Label(); `prefix` is "tls13 " there.
bool expand_label(Hash& hash, Bytes secret, Bytes prefix, Bytes label, Bytes context,
                  std::span<std::uint8_t> out) {
  std::array<std::uint8_t, max_info_bytes> info;
  auto const name_size = prefix.size() + label.size();
  if (name_size > 255 || context.size() > 255 || out.size() > 0xffff) return false;
  auto* at = info.data();
  *at++ = static_cast<std::uint8_t>(out.size() >> 8);
  *at++ = static_cast<std::uint8_t>(out.size());
  *at++ = static_cast<std::uint8_t>(name_size);
  at = std::copy(prefix.begin(), prefix.end(), at);
  at = std::copy(label.begin(), label.end(), at);
  *at++ = static_cast<std::uint8_t>(context.size());
  at = std::copy(context.begin(), context.end(), at);
  return expand(hash, secret, {info.data(), at}, out);
}

// RFC 8446 §7.1: one step down the key schedule. Without a secret before it, the salt is zeros.
bool next_secret(Hash& hash, std::optional<Bytes> before, std::optional<Bytes> input, Bytes prefix,
                 Bytes label, std::uint8_t* out) {
  constexpr std::array<std::uint8_t, max_hash_bytes> zeros{};
  Secret<max_hash_bytes> salt;
  Bytes const salt_bytes{salt.bytes.data(), hash.size};
  if (before) {
    std::array<std::uint8_t, max_hash_bytes> of_nothing;
    if (!hash.of({}, of_nothing.data()) ||
        !expand_label(hash, *before, prefix, label, {of_nothing.data(), hash.size},
                      {salt.bytes.data(), hash.size})) {
      return false;
    }
  }
  // RFC 5869 §2.2.
  return hmac(hash, salt_bytes, {input.value_or(Bytes{zeros.data(), hash.size}), {}, {}}, out);
}

// What libssl says when it wants a secret.
struct Wanted {
  bool is_known = true;  // nothing is said that only OpenSSL understands
  Hash* hash = nullptr;
  int mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND;
  std::optional<Bytes> key, salt;
  Bytes prefix, label, context;
};

Bytes octets_of(OSSL_PARAM const& parameter) {
  return {static_cast<std::uint8_t const*>(parameter.data), parameter.data_size};
}

int mode_of(OSSL_PARAM const& parameter) {
  int mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND;
  if (parameter.data_type != OSSL_PARAM_UTF8_STRING) OSSL_PARAM_get_int(&parameter, &mode);
  return mode;
}

Wanted read_wanted(OSSL_PARAM const* at) {
  Wanted wanted;
  for (; at != nullptr && at->key != nullptr; ++at) {
    std::string_view const name = at->key;
    bool const octets = at->data_type == OSSL_PARAM_OCTET_STRING;
    if (name == OSSL_KDF_PARAM_MODE) {
      wanted.mode = mode_of(*at);
    } else if (name == OSSL_KDF_PARAM_DIGEST && at->data_type == OSSL_PARAM_UTF8_STRING) {
      wanted.hash = hash_named(static_cast<char const*>(at->data));
    } else if (name == OSSL_KDF_PARAM_KEY && octets) {
      wanted.key = octets_of(*at);
    } else if (name == OSSL_KDF_PARAM_SALT && octets) {
      wanted.salt = octets_of(*at);
    } else if (name == OSSL_KDF_PARAM_PREFIX && octets) {
      wanted.prefix = octets_of(*at);
    } else if (name == OSSL_KDF_PARAM_LABEL && octets) {
      wanted.label = octets_of(*at);
    } else if (name == OSSL_KDF_PARAM_DATA && octets) {
      wanted.context = octets_of(*at);
    } else {
      wanted.is_known = false;
    }
  }
  return wanted;
}

bool derive_here(Wanted const& wanted, std::span<std::uint8_t> out) {
  if (!wanted.is_known || wanted.hash == nullptr || out.empty()) return false;
  auto& hash = *wanted.hash;
  bool done = false;
  if (wanted.mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY && wanted.key) {
    done = expand_label(hash, *wanted.key, wanted.prefix, wanted.label, wanted.context, out);
  } else if (wanted.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY && out.size() == hash.size) {
    done = next_secret(hash, wanted.salt, wanted.key, wanted.prefix, wanted.label, out.data());
  }
  return hash.begin() && done;
}

// What a later libssl may want and this does not know takes longer, but the handshake succeeds.
int derive_by_openssl(std::span<std::uint8_t> out, OSSL_PARAM const* parameters) {
  // Never freed, as the hashes.
  static auto* const kdf = EVP_KDF_fetch(nullptr, key_schedule_name.data(), nullptr);
  auto* const context = EVP_KDF_CTX_new(kdf);
  if (context == nullptr) return 0;
  int const done = EVP_KDF_derive(context, out.data(), out.size(), parameters);
  EVP_KDF_CTX_free(context);
  return done;
}

int derive(void*, unsigned char* out, std::size_t size, OSSL_PARAM const* parameters) {
  std::span<std::uint8_t> const whole{out, size};
  return derive_here(read_wanted(parameters), whole) ? 1 : derive_by_openssl(whole, parameters);
}

// All that there is to know comes with the call, so that a context holds nothing.
void* make_nothing(void*) {
  static char nothing;
  return &nothing;
}

void free_nothing(void*) {}

template <class Function>
OSSL_DISPATCH row(int id, Function* function) {
  return {id, reinterpret_cast<void (*)()>(function)};
}

OSSL_ALGORITHM const* query_schedule(void*, int operation, int* no_cache) {
  *no_cache = 0;
  return operation == OSSL_OP_KDF ? key_schedule_algorithms() : nullptr;
}

int init_schedule(OSSL_CORE_HANDLE const*, OSSL_DISPATCH const*, OSSL_DISPATCH const** out,
                  void** context) {
  static OSSL_DISPATCH const functions[] = {
      row(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query_schedule), {0, nullptr}};
  *out = functions;
  *context = make_nothing(nullptr);
  return 1;
}

}  // namespace

OSSL_ALGORITHM const* key_schedule_algorithms() {
  static OSSL_DISPATCH const functions[] = {row(OSSL_FUNC_KDF_NEWCTX, make_nothing),
                                            row(OSSL_FUNC_KDF_FREECTX, free_nothing),
                                            row(OSSL_FUNC_KDF_DERIVE, derive),
                                            {0, nullptr}};
  static OSSL_ALGORITHM const table[] = {
      {key_schedule_name.data(), "provider=certgate", functions, "RFC 8446 section 7.1, in certgate"}, {}};
  return table;
}

bool add_key_schedule(OSSL_LIB_CTX* library) {
  return OSSL_PROVIDER_add_builtin(library, schedule_provider, init_schedule) == 1 &&
         OSSL_PROVIDER_load(library, schedule_provider) != nullptr;
}

}  // namespace certgate::tls
