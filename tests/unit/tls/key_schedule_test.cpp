// The key schedule that workers use beside OpenSSL's own, and the values that RFC 8448 prints.
#include "key_schedule.hpp"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "certgate/base/encoding.hpp"
#include "worker_library.hpp"

namespace certgate::tls {
namespace {

struct Derivation {
  std::string hash = "SHA2-256";
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  std::optional<std::string> key, salt, context;
  std::string label;
  std::size_t size = 32;
};

struct FreeKdf {
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};
using KdfHandle = std::unique_ptr<EVP_KDF, FreeKdf>;

KdfHandle schedule_of(OSSL_LIB_CTX* library) {
  return KdfHandle(EVP_KDF_fetch(library, "TLS13-KDF", nullptr));
}

// Nothing: it was refused.
std::optional<std::string> derived(OSSL_LIB_CTX* library, Derivation wanted) {
  auto const kdf = schedule_of(library);
  std::unique_ptr<EVP_KDF_CTX, FreeKdf> const context(EVP_KDF_CTX_new(kdf.get()));
  if (!context) return "there is no TLS13-KDF";
  std::string prefix = "tls13 ";
  std::vector<OSSL_PARAM> parameters{
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &wanted.mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, wanted.hash.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, prefix.data(), prefix.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, wanted.label.data(),
                                        wanted.label.size())};
  auto const add = [&](char const* name, std::optional<std::string>& value) {
    if (!value) return;
    parameters.push_back(OSSL_PARAM_construct_octet_string(name, value->data(), value->size()));
  };
  add(OSSL_KDF_PARAM_KEY, wanted.key);
  add(OSSL_KDF_PARAM_SALT, wanted.salt);
  add(OSSL_KDF_PARAM_DATA, wanted.context);
  parameters.push_back(OSSL_PARAM_construct_end());
  std::string out(wanted.size, '\0');
  if (EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(out.data()), out.size(),
                     parameters.data()) != 1) {
    return std::nullopt;
  }
  return out;
}

std::string in_hex(std::optional<std::string> const& bytes) {
  return bytes ? format_hex(as_bytes(*bytes), HexCase::lower) : "refused";
}

class KeySchedule : public ::testing::Test {
 protected:
  void SetUp() override {
    if (worker.handle() == nullptr) GTEST_SKIP() << "openssl.cnf has other providers";
  }
  WorkerLibrary const worker;
};

TEST_F(KeySchedule, is_what_a_worker_fetches) {
  auto const kdf = schedule_of(worker.handle());
  ASSERT_TRUE(kdf);
  EXPECT_STREQ(EVP_KDF_get0_description(kdf.get()),
               key_schedule_algorithms()->algorithm_description);
}

TEST_F(KeySchedule, derives_what_rfc_8448_prints) {
  Derivation step;
  step.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
  step.label = "derived";
  auto const early = derived(worker.handle(), step);
  EXPECT_EQ(in_hex(early), "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a");
  step.salt = early;
  step.key = parse_hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d");
  auto const handshake = derived(worker.handle(), step);
  EXPECT_EQ(in_hex(handshake), "1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac");
}

TEST_F(KeySchedule, derives_what_openssl_derives) {
  std::mt19937 random(8446);
  auto const below = [&](std::size_t limit) { return random() % limit; };
  auto const bytes = [&](std::size_t size) {
    std::string out(size, '\0');
    for (auto& byte : out) byte = static_cast<char>(random());
    return out;
  };
  int refused = 0;
  for (int i = 0; i < 4000; ++i) {
    bool const short_hash = below(2) == 0;
    std::size_t const hash_bytes = short_hash ? 32 : 48;
    Derivation wanted;
    wanted.hash = short_hash ? "SHA256" : "SHA2-384";
    bool const extract = below(3) == 0;
    wanted.mode = extract ? EVP_KDF_HKDF_MODE_EXTRACT_ONLY : EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    if (extract) {
      if (below(4) != 0) wanted.key = bytes(1 + below(200));
      if (below(4) != 0) wanted.salt = bytes(hash_bytes);
      wanted.label = "derived";
      wanted.size = hash_bytes + (below(20) == 0 ? 1 : 0);
    } else {
      if (below(20) != 0) wanted.key = bytes(hash_bytes);
      if (below(4) != 0) wanted.context = bytes(1 + below(255));
      wanted.label = bytes(1 + below(20));
      wanted.size = below(4) == 0 ? 1 + below(1000) : 1 + below(hash_bytes);
    }
    auto const theirs = derived(nullptr, wanted);
    ASSERT_EQ(in_hex(derived(worker.handle(), wanted)), in_hex(theirs)) << "round " << i;
    refused += theirs ? 0 : 1;
  }
  EXPECT_GT(refused, 50);
  EXPECT_LT(refused, 400);
}

TEST_F(KeySchedule, takes_the_longest_that_fits_a_label) {
  Derivation wanted;
  wanted.key = std::string(32, 'k');
  wanted.context = std::string(255, 'c');
  wanted.label = std::string(249, 'l');  // six more are the prefix
  wanted.size = 255 * 32;
  EXPECT_TRUE(derived(worker.handle(), wanted));
  wanted.size += 1;
  EXPECT_FALSE(derived(worker.handle(), wanted));
  wanted.size = 32;
  wanted.label += 'l';
  EXPECT_FALSE(derived(worker.handle(), wanted));
  wanted.label.pop_back();
  wanted.context->push_back('c');
  EXPECT_FALSE(derived(worker.handle(), wanted));
}

// A later libssl may ask what none asks today: the answer is OpenSSL's, be it a refusal.
TEST_F(KeySchedule, leaves_what_it_does_not_know_to_openssl) {
  Derivation good;
  good.key = std::string(32, 'k');
  good.label = "key";
  auto other_hash = good;
  other_hash.hash = "SHA2-512";
  auto long_key = good;
  long_key.key = std::string(65, 'k');  // RFC 2104 shortens it
  auto other_mode = good;
  other_mode.mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND;
  auto no_hash = good;
  no_hash.hash = "no such hash";
  for (auto const& wanted : {other_hash, long_key, other_mode, no_hash}) {
    EXPECT_EQ(in_hex(derived(worker.handle(), wanted)), in_hex(derived(nullptr, wanted)));
  }
  EXPECT_TRUE(derived(worker.handle(), other_hash));
  EXPECT_TRUE(derived(worker.handle(), long_key));
  EXPECT_FALSE(derived(worker.handle(), other_mode));
}

TEST_F(KeySchedule, threads_do_not_meet) {
  Derivation wanted;
  wanted.key = std::string(32, 'k');
  wanted.label = "c ap traffic";
  auto const expected = derived(nullptr, wanted);
  std::vector<int> wrong(4);
  std::vector<std::thread> threads;
  for (auto& count : wrong) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) count += derived(worker.handle(), wanted) != expected ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

}  // namespace
}  // namespace certgate::tls
