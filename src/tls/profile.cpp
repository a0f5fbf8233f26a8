#include "certgate/tls/profile.hpp"

#include "openssl.hpp"

namespace certgate::tls {
namespace {

// RFC 9325 §4.2: forward secrecy and authenticated encryption only.
constexpr std::string_view aes_first_1_2 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr std::string_view chacha_first_1_2 =
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
constexpr std::string_view aes_first_1_3 =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr std::string_view chacha_first_1_3 =
    "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384";

bool cpu_has_aes() {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_cpu_supports("aes") != 0;
#else
  return true;  // 64-bit ARM servers have the instructions
#endif
}

void append(std::string& list, std::string_view item) {
  if (!list.empty()) list += ':';
  list += item;
}

bool encrypts_and_authenticates(SSL_CTX* context) {
  auto* const ciphers = SSL_CTX_get_ciphers(context);
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
    auto const* const cipher = sk_SSL_CIPHER_value(ciphers, i);
    if (SSL_CIPHER_get_cipher_nid(cipher) == NID_undef) return false;
    if (SSL_CIPHER_get_auth_nid(cipher) == NID_auth_null) return false;
  }
  return true;
}

Result<void> check_cipher(SSL_CTX* context, std::string const& name, bool is_1_3) {
  bool const one_name = name.find_first_of(":!+@ ,") == std::string::npos;
  bool const known = one_name && (is_1_3 ? SSL_CTX_set_ciphersuites(context, name.c_str()) == 1
                                         : SSL_CTX_set_cipher_list(context, name.c_str()) == 1);
  ERR_clear_error();
  if (!known) {
    return fail(ErrorCode::invalid, "this OpenSSL knows no cipher called `" + name +
                                        "`; `openssl ciphers -s` lists them");
  }
  if (!is_1_3 && !encrypts_and_authenticates(context)) {
    return fail(ErrorCode::invalid, "the cipher `" + name + "` does not encrypt or authenticate");
  }
  return {};
}

}  // namespace

std::string_view name_of(Version version) {
  return version == Version::tls_1_2 ? "TLSv1.2" : "TLSv1.3";
}

Result<Profile::Pointer> Profile::build(ProfileOptions options) {
  if (options.min_version > options.max_version) {
    return fail(ErrorCode::invalid, "the lowest TLS version is above the highest");
  }
  ContextOwner const context(SSL_CTX_new(TLS_server_method()));
  if (!context) return fail(openssl_error("cannot make a TLS context"));

  auto const profile = std::make_shared<Profile>(Private{}, std::move(options));
  auto const& given = profile->options_;
  for (auto const& name : given.ciphers) {
    bool const is_1_3 = name.starts_with("TLS_");
    if (auto checked = check_cipher(context.get(), name, is_1_3); !checked) {
      return fail(std::move(checked).error());
    }
    append(is_1_3 ? profile->cipher_suites_ : profile->cipher_list_, name);
  }
  bool const aes = cpu_has_aes();
  if (profile->cipher_list_.empty()) profile->cipher_list_ = aes ? aes_first_1_2 : chacha_first_1_2;
  if (profile->cipher_suites_.empty()) {
    profile->cipher_suites_ = aes ? aes_first_1_3 : chacha_first_1_3;
  }
  for (auto const& name : given.groups) {
    bool const one_name = !name.empty() && name.find_first_of(":*?- /") == std::string::npos;
    if ((!one_name && name != "P-256" && name != "P-384" && name != "P-521") ||
        SSL_CTX_set1_groups_list(context.get(), name.c_str()) != 1) {
      ERR_clear_error();
      return fail(ErrorCode::invalid, "this OpenSSL knows no group called `" + name +
                                          "`; X25519, P-256, P-384 and P-521 are the usual ones");
    }
    append(profile->group_list_, name);
  }
  for (auto const& protocol : given.alpn) {
    if (protocol.empty() || protocol.size() > 255) {
      return fail(ErrorCode::invalid, "an ALPN protocol has 1 to 255 bytes");
    }
    profile->alpn_wire_ += static_cast<char>(protocol.size());
    profile->alpn_wire_ += protocol;
  }
  std::string all = std::string(name_of(given.min_version)) + std::string(name_of(given.max_version));
  for (auto const* text : {&profile->cipher_list_, &profile->cipher_suites_, &profile->group_list_,
                           &profile->alpn_wire_}) {
    all += *text;
    all += '\0';
  }
  all += std::to_string(given.session_lifetime.count());
  profile->digest_ = x509::sha256(as_bytes(all));
  return Pointer(profile);
}

}  // namespace certgate::tls
