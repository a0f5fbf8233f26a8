// Parses q=… in thousandths, so that no floating point is involved.
#include "certgate/http/quality.hpp"

#include <algorithm>

#include "certgate/base/encoding.hpp"
#include "characters.hpp"

namespace certgate::http {
namespace {

// RFC 9110 §12.4.2: qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
int parse_weight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return 0;
  int weight = (text[0] - '0') * 1000;
  if (text.size() == 1) return weight;
  if (text[1] != '.') return 0;
  int unit = 100;
  for (char const c : text.substr(2)) {
    if (!is_digit(c)) return 0;
    weight += (c - '0') * unit;
    unit /= 10;
  }
  return weight > 1000 ? 0 : weight;
}

}  // namespace

std::optional<WeightedItem> WeightedReader::next() {
  auto const member = list_.next();
  if (!member) return std::nullopt;
  WeightedItem item;
  auto rest = *member;
  auto semicolon = std::min(rest.find(';'), rest.size());
  item.value = trim(rest.substr(0, semicolon));
  while (semicolon < rest.size()) {
    rest.remove_prefix(semicolon + 1);
    semicolon = std::min(rest.find(';'), rest.size());
    auto const parameter = trim(rest.substr(0, semicolon));
    auto const equals = parameter.find('=');
    if (equals != std::string_view::npos && ascii_iequal(trim(parameter.substr(0, equals)), "q")) {
      item.thousandths = parse_weight(trim(parameter.substr(equals + 1)));
    }
  }
  return item;
}

std::vector<std::string_view> accepted_languages(Fields fields) {
  std::vector<WeightedItem> items;
  for (auto const& field : fields) {
    if (field.id != FieldName::accept_language) continue;
    WeightedReader reader(field.value);
    while (auto const item = reader.next()) {
      if (item->value != "*" && !item->value.empty() && item->thousandths > 0) {
        items.push_back(*item);
      }
    }
  }
  std::stable_sort(items.begin(), items.end(), [](WeightedItem const& a, WeightedItem const& b) {
    return a.thousandths > b.thousandths;
  });
  std::vector<std::string_view> languages;
  languages.reserve(items.size());
  for (auto const& item : items) languages.push_back(item.value);
  return languages;
}

}  // namespace certgate::http
