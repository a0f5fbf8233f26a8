// Hashes with OpenSSL, fetching each algorithm once and keeping a context per thread.
#include "certgate/x509/digest.hpp"

#include <openssl/evp.h>

#include <cstdlib>
#include <memory>

namespace certgate::x509 {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

// A fetch takes a lock and a search of the providers, so it is done once; never freed, because
// threads may hash until the process ends.
EVP_MD* fetch(char const* name) {
  EVP_MD* const md = EVP_MD_fetch(nullptr, name, nullptr);
  if (md == nullptr) std::abort();  // an OpenSSL without SHA cannot judge anything
  return md;
}

void hash(EVP_MD_CTX* context, EVP_MD const* md, std::initializer_list<Bytes> parts,
          std::uint8_t* out) {
  bool ok = EVP_DigestInit_ex2(context, md, nullptr) == 1;
  for (Bytes const part : parts) {
    ok = ok && EVP_DigestUpdate(context, part.data(), part.size()) == 1;
  }
  if (!ok || EVP_DigestFinal_ex(context, out, nullptr) != 1) std::abort();
}

}  // namespace

Digest sha256(std::initializer_list<Bytes> parts) {
  static EVP_MD const* const md = fetch("SHA256");
  thread_local Context const context{EVP_MD_CTX_new()};
  if (!context) std::abort();
  Digest digest;
  hash(context.get(), md, parts, digest.bytes.data());
  return digest;
}

Digest sha256(Bytes bytes) { return sha256({bytes}); }

std::array<std::uint8_t, 20> sha1(Bytes bytes) {
  static EVP_MD const* const md = fetch("SHA1");
  thread_local Context const context{EVP_MD_CTX_new()};
  if (!context) std::abort();
  std::array<std::uint8_t, 20> digest;
  hash(context.get(), md, {bytes}, digest.data());
  return digest;
}

}  // namespace certgate::x509
