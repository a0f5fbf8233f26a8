// Any text as PEM: refused with a reason, or split into blocks that are written and read back
// alike.
#include <cstdint>
#include <cstdlib>

#include "certgate/x509/pem.hpp"
#include "certgate/x509/private_key.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace certgate;
  using namespace certgate::x509;
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  auto const blocks = parse_pem(text);
  if (blocks) {
    for (PemBlock const& block : *blocks) {
      auto const again = parse_pem(format_pem(block.label, as_bytes(block.der)));
      if (!again || (*again)[0].der != block.der) std::abort();
    }
  } else if (blocks.error().detail.empty()) {
    std::abort();
  }
  (void)parse_certificates(text);
  (void)parse_crls(text);
  (void)PrivateKey::parse_pem(text);
  return 0;
}
