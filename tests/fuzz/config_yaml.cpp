// Feeds arbitrary text to the configuration reader, also as rule, list and test file.
//
// Whatever comes in: no crash, no endless loop, at least one mistake when there is no Config, every
// place inside its file, every expression byte leading back into the file, and a dump that reads
// back as itself.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "certgate/config/format_config.hpp"
#include "certgate/config/read_config.hpp"

namespace {

using certgate::Result;
using certgate::SourceText;
using namespace certgate::config;

// Every included file holds what stands behind the separator in the input.
class OneText final : public FileReader {
 public:
  explicit OneText(std::string_view text) : text_(text) {}
  Result<std::string> read(std::string const&) override { return std::string{text_}; }

 private:
  std::string_view text_;
};

void require(bool holds) {
  if (!holds) std::abort();
}

void check_places(std::vector<Rule> const& rules) {
  for (Rule const& rule : rules) {
    ExpressionText const& expression = rule.expression;
    if (expression.empty()) continue;
    std::size_t const end = expression.mark().source()->text().size();
    std::size_t last = 0;
    for (std::size_t i = 0; i <= expression.text().size(); ++i) {
      std::size_t const offset = expression.source_offset_of(i);
      require(offset >= last && offset <= end);
      last = offset;
    }
    render(expression.diagnostic(expression.text().size() / 2, 5, "x"));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const input{reinterpret_cast<char const*>(data), size};
  constexpr std::string_view separator = "\n=====\n";
  std::size_t const cut = input.find(separator);
  OneText files{cut == input.npos ? "" : input.substr(cut + separator.size())};
  std::string const main{input.substr(0, cut)};

  auto const tests = parse_tests(SourceText{"tests.yaml", main});
  require(tests || tests.error().has_errors());

  auto const config = parse_config(SourceText{"fuzz.yaml", main}, files);
  if (!config) {
    require(config.error().has_errors());
    render(config.error());
    return 0;
  }
  check_places(config->rules);
  if (config->shadow) check_places(config->shadow->rules);
  std::string const dump = format_config(*config);
  auto const again = parse_config(SourceText{"dump.yaml", dump}, files);
  require(again.has_value());
  require(format_config(*again) == dump);
  require(diff(*config, *again).empty());
  return 0;
}
