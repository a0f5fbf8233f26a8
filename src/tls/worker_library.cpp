#include "worker_library.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include <mutex>
#include <string_view>
#include <vector>

#include "key_schedule.hpp"
#include "narrow_provider.hpp"
#include "openssl.hpp"

namespace certgate::tls {
namespace {

// Since when OpenSSL remembers which decoders fit a kind of key.
constexpr unsigned long remembers_decoders = 0x30200000UL;

bool has_default_provider_only() {
  OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, nullptr);
  bool only = true;
  OSSL_PROVIDER_do_all(
      nullptr,
      [](OSSL_PROVIDER* provider, void* answer) {
        if (std::string_view(OSSL_PROVIDER_get0_name(provider)) != "default") {
          *static_cast<bool*>(answer) = false;
        }
        return 1;
      },
      &only);
  return only && EVP_default_properties_is_fips_enabled(nullptr) == 0;
}

OSSL_LIB_CTX* make_plain_library() {
  auto* const made = OSSL_LIB_CTX_new();
  // The key schedule first: of two that offer the same, the one that came first is taken.
  if (made != nullptr && add_key_schedule(made) && OSSL_PROVIDER_load(made, "default") != nullptr) {
    return made;
  }
  OSSL_LIB_CTX_free(made);
  return nullptr;
}

struct LibraryPool {
  std::mutex mutex;
  std::vector<OSSL_LIB_CTX*> free;
  bool const may_make = has_default_provider_only();

  OSSL_LIB_CTX* take() {
    if (!may_make) return nullptr;
    std::lock_guard const lock(mutex);
    if (free.empty()) {
      bool const plain = OpenSSL_version_num() >= remembers_decoders;
      auto* const made = plain ? make_plain_library() : make_narrow_library(NarrowUse::handshakes);
      ERR_clear_error();
      return made;
    }
    auto* const known = free.back();
    free.pop_back();
    return known;
  }

  void give_back(OSSL_LIB_CTX* library) {
    if (library == nullptr) return;
    std::lock_guard const lock(mutex);
    free.push_back(library);
  }
};

LibraryPool& library_pool() {
  static auto* const pool = new LibraryPool;  // never freed, nor is what it holds
  return *pool;
}

OSSL_LIB_CTX* make_library_for_files() {
  if (OpenSSL_version_num() >= remembers_decoders || !library_pool().may_make) return nullptr;
  auto* const made = make_narrow_library(NarrowUse::files);
  ERR_clear_error();
  return made;
}

}  // namespace

OSSL_LIB_CTX* library_for_files() {
  static auto* const made = make_library_for_files();
  return made;
}

WorkerLibrary::WorkerLibrary() : handle_(library_pool().take()) {}

WorkerLibrary::~WorkerLibrary() { library_pool().give_back(handle_); }

}  // namespace certgate::tls
