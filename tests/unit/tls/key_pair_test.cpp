// Keys of every kind whose halves belong together, and the same with one half exchanged.
#include "key_pair.hpp"

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <string>

namespace certgate::tls {
namespace {

using NumberHandle = std::unique_ptr<BIGNUM, Release<BN_clear_free>>;
using MakerHandle = std::unique_ptr<EVP_PKEY_CTX, Release<EVP_PKEY_CTX_free>>;
using BuilderHandle = std::unique_ptr<OSSL_PARAM_BLD, Release<OSSL_PARAM_BLD_free>>;
using ParametersHandle = std::unique_ptr<OSSL_PARAM, Release<OSSL_PARAM_free>>;

NumberHandle secret_of(EVP_PKEY* key) {
  BIGNUM* secret = nullptr;
  EXPECT_EQ(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &secret), 1);
  return NumberHandle(secret);
}

std::string point_of(EVP_PKEY* key) {
  std::string point(200, '\0');
  std::size_t size = 0;
  EXPECT_EQ(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY,
                                            reinterpret_cast<unsigned char*>(point.data()),
                                            point.size(), &size),
            1);
  point.resize(size);
  return point;
}

// As a file could hold it; null when OpenSSL does not take it.
KeyOwner ec_key(char const* curve, BIGNUM const* secret, std::string const& point) {
  BuilderHandle const builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve, 0);
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, secret);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                   point.size());
  ParametersHandle const parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  MakerHandle const maker(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* made = nullptr;
  if (EVP_PKEY_fromdata_init(maker.get()) != 1 ||
      EVP_PKEY_fromdata(maker.get(), &made, EVP_PKEY_KEYPAIR, parameters.get()) != 1) {
    ERR_clear_error();
  }
  return KeyOwner(made);
}

bool openssl_says_so(EVP_PKEY* key) {
  MakerHandle const context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  bool const good = EVP_PKEY_pairwise_check(context.get()) == 1;
  ERR_clear_error();
  return good;
}

class EcKeyPair : public ::testing::TestWithParam<char const*> {};

TEST_P(EcKeyPair, holds_together_only_with_its_own_halves) {
  auto const* const curve = GetParam();
  KeyOwner const one(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve));
  KeyOwner const other(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve));
  ASSERT_TRUE(one && other);
  EXPECT_TRUE(is_key_pair(one.get()));
  auto const secret = secret_of(one.get());
  auto const whole = ec_key(curve, secret.get(), point_of(one.get()));
  ASSERT_TRUE(whole);
  EXPECT_TRUE(is_key_pair(whole.get()));

  auto const exchanged = ec_key(curve, secret.get(), point_of(other.get()));
  ASSERT_TRUE(exchanged);
  EXPECT_FALSE(openssl_says_so(exchanged.get()));
  EXPECT_FALSE(is_key_pair(exchanged.get()));

  ASSERT_EQ(BN_add_word(secret.get(), 1), 1);
  auto const next = ec_key(curve, secret.get(), point_of(one.get()));
  ASSERT_TRUE(next);
  EXPECT_FALSE(openssl_says_so(next.get()));
  EXPECT_FALSE(is_key_pair(next.get()));
}

TEST_P(EcKeyPair, has_a_secret_between_1_and_the_order) {
  auto const* const curve = GetParam();
  KeyOwner const key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve));
  BIGNUM* number = nullptr;
  ASSERT_EQ(EVP_PKEY_get_bn_param(key.get(), OSSL_PKEY_PARAM_EC_ORDER, &number), 1);
  NumberHandle const order(number);
  auto const secret = secret_of(key.get());
  // The same multiple of the base point, one turn further.
  ASSERT_EQ(BN_add(secret.get(), secret.get(), order.get()), 1);
  if (auto const large = ec_key(curve, secret.get(), point_of(key.get()))) {
    EXPECT_FALSE(openssl_says_so(large.get()));
    EXPECT_FALSE(is_key_pair(large.get()));
  }
  BN_zero(secret.get());
  if (auto const none = ec_key(curve, secret.get(), point_of(key.get()))) {
    EXPECT_FALSE(is_key_pair(none.get()));
  }
}

INSTANTIATE_TEST_SUITE_P(Curves, EcKeyPair,
                         ::testing::Values("P-224", "P-256", "P-384", "P-521", "secp256k1",
                                           "brainpoolP256r1"),
                         [](auto const& curve) {
                           std::string name = curve.param;
                           std::erase(name, '-');
                           return name;
                         });

// RFC 4055 §3.1: the parameters in the key, if present, say which digest it signs with.
TEST(RsaKeyPair, of_three_factors_signs_with_the_digest_that_it_demands) {
  for (auto const* const digest : {"SHA384", "SHA512"}) {
    MakerHandle const maker(EVP_PKEY_CTX_new_from_name(nullptr, "RSA-PSS", nullptr));
    ASSERT_EQ(EVP_PKEY_keygen_init(maker.get()), 1);
    ASSERT_EQ(EVP_PKEY_CTX_set_rsa_keygen_bits(maker.get(), 2048), 1);
    ASSERT_EQ(EVP_PKEY_CTX_set_rsa_keygen_primes(maker.get(), 3), 1);
    ASSERT_EQ(EVP_PKEY_CTX_set_rsa_pss_keygen_md_name(maker.get(), digest, nullptr), 1);
    ASSERT_EQ(EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md_name(maker.get(), digest), 1);
    EVP_PKEY* made = nullptr;
    ASSERT_EQ(EVP_PKEY_generate(maker.get(), &made), 1);
    KeyOwner const key(made);
    EXPECT_TRUE(is_key_pair(key.get())) << digest;
  }
}

}  // namespace
}  // namespace certgate::tls
