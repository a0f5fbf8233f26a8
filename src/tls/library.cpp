#include "certgate/tls/library.hpp"

#include <openssl/crypto.h>

namespace certgate::tls {
namespace {

// MNN00PP0: major, minor, patch. Before 3.0.9 a client's certificate could exhaust the verification
// (CVE-2023-0464), a CRL could confuse a type (CVE-2023-0286), a CA's constraint overrun a buffer
// (CVE-2022-3602). Distributions that mend older versions in place are not among those supported.
constexpr unsigned long oldest_sound = 0x30000090UL;

std::string version_text(unsigned long number) {
  return std::to_string(number >> 28) + "." + std::to_string(number >> 20 & 0xff) + "." +
         std::to_string(number >> 4 & 0xff);
}

}  // namespace

std::string library_version() { return OpenSSL_version(OPENSSL_VERSION); }

Result<void> check_library() {
  auto const number = OpenSSL_version_num();
  if (number >= oldest_sound) return {};
  return fail(ErrorCode::unavailable,
              "OpenSSL " + version_text(number) + " has known faults that clients can use; install " +
                  version_text(oldest_sound) + " or later");
}

}  // namespace certgate::tls
