#include "certgate/tls/profile.hpp"

#include <strings.h>

#include <vector>

#include "certgate/base/diagnostic.hpp"
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

// Calls `use` with each cipher that the context would offer, of both TLS versions.
template <class Use>
void for_each_cipher(SSL_CTX* context, Use use) {
  auto* const ciphers = SSL_CTX_get_ciphers(context);
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) use(sk_SSL_CIPHER_value(ciphers, i));
}

// What was meant: a name in other letters, IANA's name of a cipher, or one that was misspelt.
std::string cipher_meant_by(std::string const& name) {
  ContextOwner const context(SSL_CTX_new(TLS_server_method()));
  if (!context || SSL_CTX_set_cipher_list(context.get(), "ALL:@SECLEVEL=0") != 1) return {};
  std::string meant;
  std::vector<std::string_view> names;
  for_each_cipher(context.get(), [&](SSL_CIPHER const* cipher) {
    char const* const known = SSL_CIPHER_get_name(cipher);
    char const* const iana = SSL_CIPHER_standard_name(cipher);
    names.emplace_back(known);
    if (strcasecmp(known, name.c_str()) == 0 ||
        (iana != nullptr && strcasecmp(iana, name.c_str()) == 0)) {
      meant = known;
    }
  });
  return meant.empty() ? std::string(nearest(name, names)) : meant;
}

Result<void> check_cipher_in(SSL_CTX* context, std::string const& name) {
  bool const is_1_3 = name.starts_with("TLS_");
  bool const one_name = name.find_first_of(":!+@ ,") == std::string::npos;
  bool known = one_name && (is_1_3 ? SSL_CTX_set_ciphersuites(context, name.c_str()) == 1
                                   : SSL_CTX_set_cipher_list(context, name.c_str()) == 1);
  ERR_clear_error();
  int matching = 0, others = 0;
  bool safe = true;
  if (known) {
    for_each_cipher(context, [&](SSL_CIPHER const* cipher) {
      std::string_view const found = SSL_CIPHER_get_name(cipher);
      if (found.starts_with("TLS_") != is_1_3) return;
      ++(found == name ? matching : others);
      safe = safe && SSL_CIPHER_get_cipher_nid(cipher) != NID_undef &&
             SSL_CIPHER_get_auth_nid(cipher) != NID_auth_null;
    });
    // OpenSSL leaves out the TLS 1.3 names that it does not know, and says nothing.
    if (matching == 0 && others == 0) known = false;
  }
  if (!known) {
    auto const meant = one_name ? cipher_meant_by(name) : std::string();
    auto const what = "this OpenSSL knows no cipher called `" + name + "`";
    return fail(ErrorCode::invalid, meant.empty() ? what + "; `openssl ciphers -s` lists them"
                                                  : what + ": write `" + meant + "`");
  }
  if (others > 0) {
    return fail(ErrorCode::invalid, "`" + name + "` stands for several ciphers: name each of them; " +
                                        "`openssl ciphers -s '" + name + "'` lists them");
  }
  if (!safe) {
    return fail(ErrorCode::invalid,
                "the cipher `" + name + "` does not encrypt, or does not authenticate the server");
  }
  return {};
}

Result<void> check_group_in(SSL_CTX* context, std::string const& name) {
  bool const one_name = !name.empty() && name.find_first_of(":*?- /") == std::string::npos;
  if ((one_name || name == "P-256" || name == "P-384" || name == "P-521") &&
      SSL_CTX_set1_groups_list(context, name.c_str()) == 1) {
    return {};
  }
  ERR_clear_error();
  return fail(ErrorCode::invalid, "this OpenSSL knows no group called `" + name +
                                      "`; X25519, P-256, P-384 and P-521 are the usual ones");
}

}  // namespace

std::string_view name_of(Version version) {
  return version == Version::tls_1_2 ? "TLSv1.2" : "TLSv1.3";
}

Result<void> check_cipher(std::string const& name) {
  ContextOwner const context(SSL_CTX_new(TLS_server_method()));
  if (!context) return fail(openssl_error("cannot make a TLS context"));
  return check_cipher_in(context.get(), name);
}

Result<void> check_group(std::string const& name) {
  ContextOwner const context(SSL_CTX_new(TLS_server_method()));
  if (!context) return fail(openssl_error("cannot make a TLS context"));
  return check_group_in(context.get(), name);
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
    if (auto checked = check_cipher_in(context.get(), name); !checked) {
      return fail(std::move(checked).error());
    }
    append(name.starts_with("TLS_") ? profile->cipher_suites_ : profile->cipher_list_, name);
  }
  bool const aes = cpu_has_aes();
  if (profile->cipher_list_.empty()) profile->cipher_list_ = aes ? aes_first_1_2 : chacha_first_1_2;
  if (profile->cipher_suites_.empty()) {
    profile->cipher_suites_ = aes ? aes_first_1_3 : chacha_first_1_3;
  }
  for (auto const& name : given.groups) {
    if (auto checked = check_group_in(context.get(), name); !checked) {
      return fail(std::move(checked).error());
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
