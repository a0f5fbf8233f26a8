// Any expression over a random schema: the program decides as the obvious evaluator does.
#include <cstdint>
#include <cstdlib>
#include <cstring>

// The judge of the unit tests; it has no library of its own.
#include "../unit/rules/oracle.cpp"            // NOLINT
#include "../unit/rules/oracle_generator.cpp"  // NOLINT

using namespace certgate::rules;

namespace {

// std::regex, which the judge uses, does not take every pattern that RE2 does.
bool has_regex(Node const& node) {
  if (node.kind == Node::Kind::comparison && node.compare == CompareOp::matches) return true;
  for (auto const& child : node.children) {
    if (has_regex(child)) return true;
  }
  return false;
}

void agree(Scheme const& scheme, std::string const& text, test::Generator& generate,
           bool generated) {
  auto const checked = check(scheme, text);
  if (!checked || (!generated && has_regex(checked->root))) return;
  auto const program = compile_checked(*checked);
  static Scratch scratch(4 << 20);
  for (int i = 0; i < 4; ++i) {
    auto const values = generate.values(scheme);
    test::Views const views(values);
    bool const expected = test::judged_to_match(*checked, values);
    auto const outcome = evaluate(program, views.values(), scratch);
    if (outcome == Outcome::failed) return;
    if ((outcome == Outcome::match) != expected) std::abort();
  }
}

}  // namespace

// Eight bytes of seed, then an expression; without one, a generated expression.
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::uint64_t seed = 0;
  std::memcpy(&seed, data, std::min<std::size_t>(size, 8));
  test::Generator generate(seed);
  auto const scheme = generate.scheme();
  agree(scheme, generate.expression(scheme, 3), generate, true);
  if (size > 8) {
    agree(scheme, std::string(reinterpret_cast<char const*>(data) + 8, size - 8), generate, false);
  }
  return 0;
}
