// Keeps OpenSSL's sentences with and without "FAILED:", so that a verdict can hold a view.
#include "verify_reason.hpp"

#include <openssl/x509_vfy.h>

#include <array>
#include <string>

#include "certgate/x509/trust.hpp"

namespace certgate::x509 {
namespace {

constexpr std::string_view prefix = "FAILED:";

std::string sentence(int error) {
  // OpenSSL 3 writes "self-signed"; Cloudflare, nginx's documentation and everyone's log searches
  // have it without the hyphen.
  if (error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT) return "self signed certificate";
  if (error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN) {
    return "self signed certificate in certificate chain";
  }
  // For numbers it does not know OpenSSL answers from a buffer of its own, which must not be kept.
  std::string_view const words = X509_verify_cert_error_string(error);
  return std::string(words.starts_with("error number") ? "unknown certificate error" : words);
}

std::string_view failed(int error) {
  static auto const table = [] {
    std::array<std::string, 128> sentences;
    for (int i = 0; i < 128; ++i) {
      sentences[static_cast<std::size_t>(i)] = std::string(prefix) + sentence(i);
    }
    return sentences;
  }();
  return error >= 0 && error < 128 ? std::string_view(table[static_cast<std::size_t>(error)])
                                   : "FAILED:unknown certificate error";
}

}  // namespace

std::string_view failed_reason(int error) { return failed(error); }

std::string_view describe_verify_error(int error) { return failed(error).substr(prefix.size()); }

}  // namespace certgate::x509
