// Any bytes through checker, analysis and rendering.
#include <cstdint>
#include <cstdlib>

#include "certgate/rules/analysis.hpp"

using namespace certgate;
using namespace certgate::rules;

namespace {

Scheme make_scheme() {
  Scheme scheme;
  add_standard_functions(scheme);
  scheme.add_field("b", bool_type);
  scheme.add_field("i", int_type);
  scheme.add_field("p", ip_type);
  scheme.add_field("s", bytes_type, {.letters = Letters::folded, .never_missing = true});
  scheme.add_field("h", bytes_type, {.letters = Letters::upper, .hexadecimal = true});
  scheme.add_field("as", Type::array_of(bytes_type));
  scheme.add_field("m", Type::map_of(Type::array_of(bytes_type)), {.key_letters = Letters::lower});
  scheme.add_unavailable_field("u", {"it is not known", ""});
  return scheme;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static Scheme const scheme = make_scheme();
  std::string const text(reinterpret_cast<char const*>(data), size);
  check(scheme, text, {}, Wanted::value).has_value();
  auto const checked = check(scheme, text);
  if (!checked) {
    render(to_diagnostics(checked.error(), SourceText("fuzz", text)));
    return 0;
  }
  requirements(*checked, scheme);
  compared_literals(*checked);
  bool const never = never_matches(*checked, scheme);
  if (never && always_matches(*checked, scheme)) std::abort();
  if (!never && implies(*checked, *checked, scheme) && disjoint(*checked, *checked, scheme)) {
    std::abort();
  }
  return 0;
}
