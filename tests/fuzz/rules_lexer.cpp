// Any bytes, read as any sequence of expectations: the lexer always ends, inside the text.
#include <cstdint>
#include <cstdlib>

#include "certgate/rules/lexer.hpp"

using namespace certgate::rules;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  for (int first = 0; first < 4; ++first) {
    Mistakes mistakes;
    Lexer lexer(text, mistakes);
    for (std::size_t i = 0;; ++i) {
      auto const token = lexer.next(static_cast<Expect>((first + i) % 4));
      if (token.span.end() > size) std::abort();
      if (token.kind == TokenKind::end) break;
      if (token.span.length == 0 || i > size) std::abort();
    }
  }
  return 0;
}
