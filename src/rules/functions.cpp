#include "certgate/rules/function.hpp"

#include "certgate/rules/scheme.hpp"
#include "function_families.hpp"

namespace certgate::rules {

std::vector<Function> standard_functions() {
  std::vector<Function> functions;
  add_text_functions(functions);
  add_collection_functions(functions);
  add_encoding_functions(functions);
  add_replace_functions(functions);
  add_json_functions(functions);
  add_crypto_functions(functions);
  return functions;
}

void add_standard_functions(Scheme& scheme) {
  for (auto& function : standard_functions()) scheme.add_function(std::move(function));
  for (auto const* name : {"is_jwt_present", "is_jwt_valid"}) {
    scheme.add_unavailable_function(
        name, {"it belongs to Cloudflare's API Shield",
               "clients are identified by their certificates: cf.tls_client_auth.*"});
  }
  scheme.add_unavailable_function("bit_slice", {"it belongs to Cloudflare's network firewall", ""});
}

}  // namespace certgate::rules
