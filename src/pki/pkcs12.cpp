#include "certgate/pki/pkcs12.hpp"

#include <openssl/rand.h>

#include <algorithm>

#include "openssl.hpp"

namespace certgate::pki {
namespace {

constexpr std::string_view password_letters =
    "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
constexpr std::size_t password_groups = 6;
constexpr std::size_t group_letters = 4;

Result<std::string> random_characters(std::string_view letters, std::size_t count) {
  std::string out;
  // Bytes at or above the largest multiple of the alphabet would favour its first letters.
  auto const limit = 256 - 256 % letters.size();
  while (out.size() < count) {
    unsigned char byte = 0;
    if (RAND_priv_bytes(&byte, 1) != 1) return fail(openssl_error("no random numbers"));
    if (byte < limit) out += letters[byte % letters.size()];
  }
  return out;
}

}  // namespace

Result<std::string> format_pkcs12(Pkcs12Order const& order) {
  bool const ascii = std::all_of(order.password.begin(), order.password.end(),
                                 [](char c) { return c >= ' ' && c < '\x7f'; });
  if (order.password.empty() || !ascii) {
    return fail(ErrorCode::invalid,
                "a PKCS#12 password must be printable ASCII and not empty; programs read other "
                "characters in different ways");
  }
  bool const modern = order.encryption == Pkcs12Encryption::modern;
  int const cipher = modern ? NID_aes_256_cbc : NID_pbe_WithSHA1And3_Key_TripleDES_CBC;
  int const iterations =
      order.strength == PasswordStrength::unknown ? stretching_iterations : usual_iterations;
  CertificatesOwner const chain(sk_X509_new_null());
  for (auto const& certificate : order.chain) {
    if (X509_add_cert(chain.get(), certificate.handle(), X509_ADD_FLAG_UP_REF) != 1) {
      return fail(openssl_error("out of memory"));
    }
  }
  // mac_iter -1: no MAC yet, because its digest depends on who shall read the file.
  Pkcs12Owner const file(PKCS12_create(order.password.c_str(), order.friendly_name.c_str(),
                                       order.key.handle(), order.certificate.handle(), chain.get(),
                                       cipher, cipher, iterations, -1, 0));
  if (!file || PKCS12_set_mac(file.get(), order.password.c_str(), -1, nullptr, 0, iterations,
                              modern ? EVP_sha256() : EVP_sha1()) != 1) {
    return fail(openssl_error("cannot build the PKCS#12 file"));
  }
  return der_of(file.get(), i2d_PKCS12);
}

Result<std::string> make_password() {
  CERTGATE_TRY(auto letters, random_characters(password_letters, password_groups * group_letters));
  for (auto group = password_groups - 1; group > 0; --group) {
    letters.insert(group * group_letters, "-");
  }
  return letters;
}

Result<std::string> make_pin(std::size_t digits) { return random_characters("0123456789", digits); }

}  // namespace certgate::pki
