#include "key_pair.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>

#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace certgate::tls {
namespace {

using NumberOwner = std::unique_ptr<BIGNUM, Release<BN_clear_free>>;
using NumbersOwner = std::unique_ptr<BN_CTX, Release<BN_CTX_free>>;
using DigestOwner = std::unique_ptr<EVP_MD_CTX, Release<EVP_MD_CTX_free>>;
using KeyContextOwner = std::unique_ptr<EVP_PKEY_CTX, Release<EVP_PKEY_CTX_free>>;
using GroupOwner = std::unique_ptr<EC_GROUP, Release<EC_GROUP_free>>;
using PointOwner = std::unique_ptr<EC_POINT, Release<EC_POINT_free>>;

NumberOwner number_of(EVP_PKEY* key, char const* name) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &number) != 1) return nullptr;
  return NumberOwner(number);
}

// Null for a curve without a name. Making one costs as much as using it, so they are kept.
EC_GROUP const* group_of(EVP_PKEY* key) {
  std::array<char, 80> name{};
  std::size_t size = 0;
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), &size) != 1) return nullptr;
  int const curve = OBJ_txt2nid(name.data());
  if (curve == NID_undef) return nullptr;
  static std::mutex mutex;
  static auto* const known = new std::map<int, GroupOwner>;  // outlives the threads that use it
  std::lock_guard const lock(mutex);
  auto& group = (*known)[curve];
  if (!group) group.reset(EC_GROUP_new_by_curve_name(curve));
  return group.get();
}

// SEC 1 §3.2.2: the public point is d times the base point, d between 1 and the order less one. What
// is such a multiple needs no proof of its own that it is a point of the right order, which is what
// EVP_PKEY_pairwise_check() spends most of its time on. No answer: not a curve that has a name.
std::optional<bool> is_multiple_of_base(EVP_PKEY* key) {
  auto const* const group = group_of(key);
  auto const secret = number_of(key, OSSL_PKEY_PARAM_PRIV_KEY);
  std::array<unsigned char, 2 * 72 + 1> encoded{};  // the largest curve has 571 bits
  std::size_t size = 0;
  if (group == nullptr || !secret ||
      EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, encoded.data(), encoded.size(),
                                      &size) != 1) {
    return std::nullopt;
  }
  NumbersOwner const numbers(BN_CTX_secure_new());
  PointOwner const shown(EC_POINT_new(group)), computed(EC_POINT_new(group));
  if (!numbers || !shown || !computed) return false;
  return BN_cmp(secret.get(), BN_value_one()) >= 0 &&
         BN_cmp(secret.get(), EC_GROUP_get0_order(group)) < 0 &&
         EC_POINT_oct2point(group, shown.get(), encoded.data(), size, numbers.get()) == 1 &&
         EC_POINT_mul(group, computed.get(), secret.get(), nullptr, nullptr, numbers.get()) == 1 &&
         EC_POINT_cmp(group, shown.get(), computed.get(), numbers.get()) == 0;
}

bool is_ec_pair(EVP_PKEY* key) {
  if (auto const answer = is_multiple_of_base(key)) return *answer;
  KeyContextOwner const context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  return context && EVP_PKEY_pairwise_check(context.get()) == 1;
}

// Of two factors, which are known: the usual kind.
bool has_two_rsa_factors(EVP_PKEY* key) {
  return number_of(key, OSSL_PKEY_PARAM_RSA_FACTOR2) && !number_of(key, OSSL_PKEY_PARAM_RSA_FACTOR3);
}

// RFC 8017 §3.2: n = p q, and e times d, and times each CRT exponent, is 1 modulo its factor less
// one. OpenSSL signs with the CRT numbers and, if that goes wrong, slowly with d: a key of which one
// half is damaged works, until the other half is.
bool has_right_rsa_numbers(EVP_PKEY* key) {
  auto const n = number_of(key, OSSL_PKEY_PARAM_RSA_N), e = number_of(key, OSSL_PKEY_PARAM_RSA_E);
  auto const d = number_of(key, OSSL_PKEY_PARAM_RSA_D);
  auto const p = number_of(key, OSSL_PKEY_PARAM_RSA_FACTOR1);
  auto const q = number_of(key, OSSL_PKEY_PARAM_RSA_FACTOR2);
  auto const dp = number_of(key, OSSL_PKEY_PARAM_RSA_EXPONENT1);
  auto const dq = number_of(key, OSSL_PKEY_PARAM_RSA_EXPONENT2);
  auto const inverse = number_of(key, OSSL_PKEY_PARAM_RSA_COEFFICIENT1);
  NumbersOwner const numbers(BN_CTX_secure_new());
  NumberOwner const product(BN_secure_new()), less_one(BN_secure_new());
  if (!n || !e || !d || !p || !q || !dp || !dq || !inverse || !numbers || !product || !less_one) {
    return false;
  }
  if (BN_mul(product.get(), p.get(), q.get(), numbers.get()) != 1 ||
      BN_cmp(product.get(), n.get()) != 0) {
    return false;
  }
  for (auto const& [exponent, factor] : {std::pair{dp.get(), p.get()}, {dq.get(), q.get()},
                                         {d.get(), p.get()}, {d.get(), q.get()}}) {
    if (BN_sub(less_one.get(), factor, BN_value_one()) != 1 ||
        BN_mod_mul(product.get(), e.get(), exponent, less_one.get(), numbers.get()) != 1 ||
        !BN_is_one(product.get())) {
      return false;
    }
  }
  return BN_mod_mul(product.get(), inverse.get(), q.get(), p.get(), numbers.get()) == 1 &&
         BN_is_one(product.get());
}

// With the digest that the key names for itself: one for RSASSA-PSS may demand it (RFC 4055 §3.1).
bool verifies_what_it_signs(EVP_PKEY* key) {
  constexpr unsigned char text[] = "certgate";
  DigestOwner const signer(EVP_MD_CTX_new()), verifier(EVP_MD_CTX_new());
  std::size_t size = 0;
  if (!signer || !verifier ||
      EVP_DigestSignInit_ex(signer.get(), nullptr, nullptr, nullptr, nullptr, key, nullptr) != 1 ||
      EVP_DigestSign(signer.get(), nullptr, &size, text, sizeof text) != 1) {
    return false;
  }
  std::vector<unsigned char> signature(size);
  return EVP_DigestSign(signer.get(), signature.data(), &size, text, sizeof text) == 1 &&
         EVP_DigestVerifyInit_ex(verifier.get(), nullptr, nullptr, nullptr, nullptr, key,
                                 nullptr) == 1 &&
         EVP_DigestVerify(verifier.get(), signature.data(), size, text, sizeof text) == 1;
}

}  // namespace

bool is_key_pair(EVP_PKEY* key) {
  bool good = true;
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC:
      good = is_ec_pair(key);
      break;
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
      good = has_two_rsa_factors(key) ? has_right_rsa_numbers(key) : verifies_what_it_signs(key);
      break;
    default:
      break;  // Ed25519 and Ed448: OpenSSL computes the public part from the secret
  }
  ERR_clear_error();
  return good;
}

}  // namespace certgate::tls
