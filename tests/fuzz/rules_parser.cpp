// Any bytes as an expression and as a value: a tree without mistakes can be printed.
#include <cstdint>
#include <cstdlib>

#include "certgate/rules/parser.hpp"

using namespace certgate::rules;

namespace {

bool has_mistake(Node const& node) {
  if (node.kind == Node::Kind::mistake) return true;
  for (auto const& child : node.children) {
    if (has_mistake(child)) return true;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  for (auto const& parsed : {parse_expression(text, {}), parse_value(text, {})}) {
    dump(parsed.root);
    if (has_mistake(parsed.root) && !has_errors(parsed.mistakes)) std::abort();
    for (auto const& mistake : parsed.mistakes) {
      if (mistake.span.end() > size || mistake.message.empty()) std::abort();
    }
  }
  return 0;
}
