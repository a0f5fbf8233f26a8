// Any bytes as a list file of each kind; what the file holds is found in the list.
#include <cstdint>
#include <cstdlib>

#include "certgate/rules/list.hpp"

using namespace certgate;
using namespace certgate::rules;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  for (auto const kind : {ListKind::ip, ListKind::integer, ListKind::bytes, ListKind::host}) {
    auto const list = parse_list(kind, text);
    if (!list) {
      for (auto const& mistake : list.error()) {
        if (mistake.span.end() > size) std::abort();
      }
      continue;
    }
    if (kind == ListKind::bytes && text.find_first_of("# \t\r") == std::string_view::npos) {
      auto const line = text.substr(0, text.find('\n'));
      if (!line.empty() && !(*list)->contains(ValueView::bytes(line))) std::abort();
    }
    auto const address = IpAddress::parse(text.substr(0, text.find('\n')));
    if (kind == ListKind::ip && address && !(*list)->contains(ValueView::ip(*address))) {
      std::abort();
    }
  }
  return 0;
}
