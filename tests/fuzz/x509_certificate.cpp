// Any bytes as a certificate: refused, or read whole, with texts that keep their promises.
#include <cstdint>
#include <cstdlib>

#include "certgate/x509/certificate.hpp"
#include "certgate/x509/client_chain.hpp"
#include "certgate/x509/name.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace certgate;
  using namespace certgate::x509;
  auto const read = Certificate::parse_der({data, size});
  if (!read) return 0;
  Certificate const& facts = **read;
  auto const promise = [](bool kept) {
    if (!kept) std::abort();
  };
  promise(facts.der().size() == size);
  promise(facts.fingerprint_sha256().size() == 64 && facts.fingerprint_sha1().size() == 40);
  promise(!facts.serial().empty());
  for (std::string_view const text :
       {facts.subject_dn(), facts.issuer_dn(), facts.subject_dn_legacy(), facts.issuer_dn_legacy(),
        facts.subject_dn_rfc2253(), facts.issuer_dn_rfc2253()}) {
    for (char const c : text) promise(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
  }
  bool control = false;
  for (std::size_t i = 0; i < facts.alt_name_count(); ++i) {
    for (char const c : facts.alt_name(i).value) control |= static_cast<unsigned char>(c) < 0x20;
  }
  promise(!control || facts.has_control_characters());
  match_host(facts, "api.example.com");
  facts.id_as_issuer();
  std::string text;
  facts.append_rfc9440(text);
  promise(text.empty() == facts.is_rfc9440_too_large());
  auto const chain = ClientChain::make(*read, {*read});
  chain->append_rfc9440_chain(text);
  return 0;
}
