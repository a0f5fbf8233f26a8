// Any bytes as an expression and as a value: a tree without mistakes can be printed.
#include <cstdint>
#include <cstdlib>

#include "certgate/rules/parser.hpp"

using namespace certgate::rules;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  for (auto const& parsed : {parse_expression(text, {}), parse_value(text, {})}) {
    bool const broken = dump(parsed.root).find("<mistake>") != std::string::npos;
    if (broken && parsed.mistakes.empty()) std::abort();
    for (auto const& mistake : parsed.mistakes) {
      if (mistake.span.end() > size || mistake.message.empty()) std::abort();
    }
  }
  return 0;
}
