#include "narrow_provider.hpp"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "key_schedule.hpp"

namespace certgate::tls {
namespace {

constexpr auto narrow_name = "certgate-narrow";

struct Shown {
  int operation;
  std::string_view names;  // one space before and after each
};

// All that libssl fetches for TLS 1.2 and 1.3, and what certificates are signed with. OpenSSL builds
// every algorithm of an operation when the first is wanted and walks over all that were built.
constexpr Shown shown_algorithms[] = {
    {OSSL_OP_DIGEST,
     " MD5 MD5-SHA1 SHA1 SHA2-224 SHA2-256 SHA2-384 SHA2-512 SHA3-224 SHA3-256 SHA3-384 SHA3-512 "},
    {OSSL_OP_CIPHER,
     " AES-128-GCM AES-256-GCM AES-128-CCM AES-256-CCM ChaCha20-Poly1305 ARIA-128-GCM ARIA-256-GCM "
     "AES-128-CBC AES-256-CBC AES-128-CBC-HMAC-SHA1 AES-256-CBC-HMAC-SHA1 AES-128-CBC-HMAC-SHA256 "
     "AES-256-CBC-HMAC-SHA256 CAMELLIA-128-CBC CAMELLIA-256-CBC "},
    {OSSL_OP_MAC, " HMAC "},
    {OSSL_OP_KDF, " TLS13-KDF TLS1-PRF HKDF "},
    {OSSL_OP_KEYMGMT, " EC RSA RSA-PSS ED25519 ED448 X25519 X448 DH HMAC "},
    {OSSL_OP_KEYEXCH, " ECDH X25519 X448 DH "},
    {OSSL_OP_SIGNATURE, " RSA ECDSA ED25519 ED448 HMAC "},
    {OSSL_OP_ASYM_CIPHER, " RSA "},
    {OSSL_OP_KEM, " "},
    {OSSL_OP_DECODER, " EC RSA RSA-PSS ED25519 ED448 "},  // as certificates hold them: see below
    {OSSL_OP_ENCODER, " "},
    {OSSL_OP_STORE, " "},
};

bool is_among(std::string_view wanted, std::string_view names) {
  while (!names.empty()) {
    auto const name = names.substr(0, names.find(':'));
    if (wanted.find(" " + std::string(name) + " ") != std::string_view::npos) return true;
    names.remove_prefix(std::min(names.size(), name.size() + 1));
  }
  return false;
}

bool is_shown(NarrowUse use, int operation, OSSL_ALGORITHM const& algorithm) {
  auto const* const at = std::find_if(std::begin(shown_algorithms), std::end(shown_algorithms),
                                      [&](Shown const& row) { return row.operation == operation; });
  if (at == std::end(shown_algorithms)) return true;
  if (!is_among(at->names, algorithm.algorithm_names)) return false;
  if (operation != OSSL_OP_DECODER) return true;
  std::string_view const properties =
      algorithm.property_definition != nullptr ? algorithm.property_definition : "";
  auto const says = [&](char const* words) {
    return properties.find(words) != std::string_view::npos;
  };
  bool const is_private = says("structure=PrivateKeyInfo") || says("structure=type-specific");
  return says("input=der") && (says("structure=SubjectPublicKeyInfo") ||
                               (is_private && use == NarrowUse::files));
}

// `any` answers what every instance of the default provider answers alike, and is where the tables
// come from, into which OpenSSL keeps pointers: both never change once they are set. `whole` is the
// instance below the context that is being made.
struct NarrowState {
  std::mutex mutex;
  OSSL_PROVIDER* any = nullptr;
  OSSL_PROVIDER* whole = nullptr;
  using Tables = std::array<std::vector<OSSL_ALGORITHM>, OSSL_OP__HIGHEST + 1>;
  std::array<Tables, 2> tables;  // by use
};

NarrowState& narrow_state() {
  static auto* const state = new NarrowState;  // outlives the threads that use it
  return *state;
}

void fill_tables(NarrowState& state) {
  if (state.any != nullptr) return;
  state.any = state.whole;
  for (int operation = 1; operation <= OSSL_OP__HIGHEST; ++operation) {
    int no_cache = 0;
    auto const* algorithm = OSSL_PROVIDER_query_operation(state.any, operation, &no_cache);
    if (algorithm == nullptr) continue;
    for (auto const use : {NarrowUse::handshakes, NarrowUse::files}) {
      auto& table =
          state.tables[static_cast<std::size_t>(use)][static_cast<std::size_t>(operation)];
      for (auto const* at = algorithm; at->algorithm_names != nullptr; ++at) {
        bool const ours = operation == OSSL_OP_KDF && at->algorithm_names == key_schedule_name;
        if (is_shown(use, operation, *at)) table.push_back(ours ? *key_schedule_algorithms() : *at);
      }
      table.push_back({});
    }
  }
}

template <NarrowUse use>
OSSL_ALGORITHM const* query_narrow(void*, int operation, int* no_cache) {
  *no_cache = 0;
  if (operation < 1 || operation > OSSL_OP__HIGHEST) return nullptr;
  auto const& tables = narrow_state().tables[static_cast<std::size_t>(use)];
  auto const& table = tables[static_cast<std::size_t>(operation)];
  return table.empty() ? nullptr : table.data();
}

OSSL_PARAM const* gettable_narrow(void*) {
  return OSSL_PROVIDER_gettable_params(narrow_state().any);
}

int get_narrow(void*, OSSL_PARAM* parameters) {
  return OSSL_PROVIDER_get_params(narrow_state().any, parameters);
}

int capabilities_narrow(void*, char const* capability, OSSL_CALLBACK* use, void* argument) {
  return OSSL_PROVIDER_get_capabilities(narrow_state().any, capability, use, argument);
}

template <class Function>
OSSL_DISPATCH entry(int id, Function* function) {
  return {id, reinterpret_cast<void (*)()>(function)};
}

// The functions in the tables are the default provider's and get its context.
template <NarrowUse use>
int init_narrow(OSSL_CORE_HANDLE const*, OSSL_DISPATCH const*, OSSL_DISPATCH const** out,
                void** context) {
  static OSSL_DISPATCH const functions[] = {
      entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query_narrow<use>),
      entry(OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, gettable_narrow),
      entry(OSSL_FUNC_PROVIDER_GET_PARAMS, get_narrow),
      entry(OSSL_FUNC_PROVIDER_GET_CAPABILITIES, capabilities_narrow),
      {0, nullptr}};
  *out = functions;
  *context = OSSL_PROVIDER_get0_provider_ctx(narrow_state().whole);
  return 1;
}

}  // namespace

OSSL_LIB_CTX* make_narrow_library(NarrowUse use) {
  auto& state = narrow_state();
  std::lock_guard const lock(state.mutex);
  auto* const below = OSSL_LIB_CTX_new();
  auto* const above = OSSL_LIB_CTX_new();
  auto* const whole = below != nullptr ? OSSL_PROVIDER_load(below, "default") : nullptr;
  bool loaded = false;
  if (above != nullptr && whole != nullptr) {
    state.whole = whole;
    fill_tables(state);
    auto* const init = use == NarrowUse::files ? init_narrow<NarrowUse::files>
                                               : init_narrow<NarrowUse::handshakes>;
    loaded = OSSL_PROVIDER_add_builtin(above, narrow_name, init) == 1 &&
             OSSL_PROVIDER_load(above, narrow_name) != nullptr;
  }
  if (loaded) return above;
  OSSL_LIB_CTX_free(above);
  return nullptr;
}

}  // namespace certgate::tls
