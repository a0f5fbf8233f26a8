// Arrays and maps of a request's arguments, header fields and cookies.
#include "maps.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "certgate/base/encoding.hpp"
#include "certgate/http/protected_fields.hpp"
#include "certgate/http/quality.hpp"
#include "certgate/http/target.hpp"

namespace certgate::policy {

using rules::MapEntry;
using rules::ValueView;

namespace {

bool is_forgeable_identity(http::Field const& field) {
  static auto const identity = http::ProtectedFields::identity();
  return identity.matches(field.name);
}

std::size_t visible_count(http::Fields fields) {
  return static_cast<std::size_t>(
      std::count_if(fields.begin(), fields.end(),
                    [](auto const& field) { return !is_forgeable_identity(field); }));
}

template <class Reader>
std::size_t count_pairs(std::string_view text) {
  std::size_t count = 0;
  for (Reader reader{text}; reader.next();) ++count;
  return count;
}

}  // namespace

char* Maps::copy_lowered(std::string_view text) {
  char* const copy = allocate<char>(text.size());
  if (copy == nullptr) return nullptr;
  std::transform(text.begin(), text.end(), copy, [](char c) { return ascii_lower(c); });
  return copy;
}

ValueView Maps::joined(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (auto const part : parts) size += part.size();
  char* const text = allocate<char>(size);
  if (text == nullptr) return {};
  char* end = text;
  for (auto const part : parts) end = std::copy(part.begin(), part.end(), end);
  return ValueView::bytes({text, size});
}

ValueView Maps::lowered(std::string_view text) {
  if (std::none_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) {
    return ValueView::bytes(text);
  }
  char* const copy = copy_lowered(text);
  return copy == nullptr ? ValueView{} : ValueView::bytes({copy, text.size()});
}

ValueView Maps::argument_names(std::string_view query) {
  auto const count = count_pairs<http::ArgumentReader>(query);
  auto* const names = allocate<ValueView>(count);
  if (names == nullptr) return {};
  http::ArgumentReader reader{query};
  for (std::size_t i = 0; i < count; ++i) names[i] = ValueView::bytes(reader.next()->name);
  return ValueView::array({names, count});
}

ValueView Maps::argument_values(std::string_view query) {
  auto const count = count_pairs<http::ArgumentReader>(query);
  auto* const values = allocate<ValueView>(count);
  if (values == nullptr) return {};
  http::ArgumentReader reader{query};
  for (std::size_t i = 0; i < count; ++i) values[i] = ValueView::bytes(reader.next()->value);
  return ValueView::array({values, count});
}

ValueView Maps::arguments(std::string_view query) {
  auto const count = count_pairs<http::ArgumentReader>(query);
  auto* const pairs = allocate<Pair>(count);
  if (pairs == nullptr) return {};
  http::ArgumentReader reader{query};
  for (std::size_t i = 0; i < count; ++i) {
    auto const argument = *reader.next();
    pairs[i] = {argument.name, ValueView::bytes(argument.value), static_cast<std::uint32_t>(i)};
  }
  return grouped({pairs, count});
}

ValueView Maps::header_names(http::Fields fields) {
  auto* const names = allocate<ValueView>(fields.size());
  if (names == nullptr) return {};
  std::size_t count = 0;
  for (auto const& field : fields) {
    if (!is_forgeable_identity(field)) names[count++] = ValueView::bytes(field.name);
  }
  return ValueView::array({names, count});
}

ValueView Maps::header_values(http::Fields fields) {
  auto* const values = allocate<ValueView>(fields.size());
  if (values == nullptr) return {};
  std::size_t count = 0;
  for (auto const& field : fields) {
    if (!is_forgeable_identity(field)) values[count++] = ValueView::bytes(field.value);
  }
  return ValueView::array({values, count});
}

ValueView Maps::headers(http::Fields fields) {
  auto const count = visible_count(fields);
  auto* const pairs = allocate<Pair>(count);
  if (pairs == nullptr) return {};
  std::size_t i = 0;
  for (auto const& field : fields) {
    if (is_forgeable_identity(field)) continue;
    auto const key = lowered(field.name);
    if (key.is_missing()) return {};
    pairs[i] = {key.as_bytes(), ValueView::bytes(field.value), static_cast<std::uint32_t>(i)};
    ++i;
  }
  return grouped({pairs, count});
}

ValueView Maps::combined(http::Fields fields, http::FieldName id, std::string_view separator) {
  std::size_t count = 0;
  std::size_t size = 0;
  http::Field const* first = nullptr;
  for (auto const& field : fields) {
    if (field.id != id) continue;
    if (count++ == 0) first = &field;
    size += field.value.size();
  }
  if (count == 0) return ValueView::bytes({});
  if (count == 1) return ValueView::bytes(first->value);
  size += (count - 1) * separator.size();
  char* const text = allocate<char>(size);
  if (text == nullptr) return {};
  char* end = text;
  for (auto const& field : fields) {
    if (field.id != id) continue;
    if (&field != first) end = std::copy(separator.begin(), separator.end(), end);
    end = std::copy(field.value.begin(), field.value.end(), end);
  }
  return ValueView::bytes({text, size});
}

std::string_view Maps::percent_decoded(std::string_view text) {
  if (text.find('%') == std::string_view::npos) return text;
  char* const decoded = allocate<char>(text.size());
  if (decoded == nullptr) return {};
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
        hex_digit(text[i + 2]) >= 0) {
      decoded[size++] = static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      decoded[size++] = text[i];
    }
  }
  return {decoded, size};
}

std::string_view Maps::unescaped(std::string_view text) {
  char* const copy = allocate<char>(text.size());
  if (copy == nullptr) return {};
  std::size_t size = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    bool const is_last = i + 1 == text.size();
    // A text that was cut off after a backslash: what it stands for is not known.
    if (text[i] == '\\' && is_last) break;
    if (text[i] == '\\' && (text[i + 1] == '"' || text[i + 1] == '\\')) ++i;
    copy[size++] = text[i];
  }
  return {copy, size};
}

ValueView Maps::cookies(http::Fields fields) {
  std::size_t count = 0;
  for (auto const& field : fields) {
    if (field.id == http::FieldName::cookie) count += count_pairs<http::CookieReader>(field.value);
  }
  auto* const pairs = allocate<Pair>(count);
  if (pairs == nullptr) return {};
  std::size_t i = 0;
  for (auto const& field : fields) {
    if (field.id != http::FieldName::cookie) continue;
    http::CookieReader reader{field.value};
    while (auto const cookie = reader.next()) {
      pairs[i] = {percent_decoded(cookie->name), ValueView::bytes(cookie->value),
                  static_cast<std::uint32_t>(i)};
      ++i;
    }
  }
  return exhausted_ ? ValueView{} : grouped({pairs, count});
}

ValueView Maps::accepted_languages(http::Fields fields) {
  struct Language {
    std::string_view tag;
    int thousandths;
    std::uint32_t order;
  };
  std::size_t count = 0;
  for (auto const& field : fields) {
    if (field.id != http::FieldName::accept_language) continue;
    for (http::WeightedReader reader{field.value}; reader.next();) ++count;
  }
  auto* const languages = allocate<Language>(count);
  auto* const tags = allocate<ValueView>(count);
  if (languages == nullptr || tags == nullptr) return {};
  std::size_t kept = 0;
  for (auto const& field : fields) {
    if (field.id != http::FieldName::accept_language) continue;
    http::WeightedReader reader{field.value};
    while (auto const item = reader.next()) {
      if (item->value == "*" || item->thousandths == 0) continue;
      languages[kept] = {item->value, item->thousandths, static_cast<std::uint32_t>(kept)};
      ++kept;
    }
  }
  std::sort(languages, languages + kept, [](auto const& a, auto const& b) {
    return a.thousandths != b.thousandths ? a.thousandths > b.thousandths : a.order < b.order;
  });
  for (std::size_t i = 0; i < kept; ++i) tags[i] = ValueView::bytes(languages[i].tag);
  return ValueView::array({tags, kept});
}

// Sorting keeps a query of thousands of names, all different, from costing a comparison of each
// with each; std::sort allocates nothing.
ValueView Maps::grouped(std::span<Pair> pairs) {
  struct Group {
    std::uint32_t order;
    std::uint32_t first;
    std::uint32_t size;
  };
  std::sort(pairs.begin(), pairs.end(), [](Pair const& a, Pair const& b) {
    int const order = a.key.compare(b.key);
    return order != 0 ? order < 0 : a.order < b.order;
  });
  auto* const values = allocate<ValueView>(pairs.size());
  auto* const groups = allocate<Group>(pairs.size());
  if (values == nullptr || groups == nullptr) return {};
  std::size_t group_count = 0;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    values[i] = pairs[i].value;
    if (i == 0 || pairs[i].key != pairs[i - 1].key) {
      groups[group_count++] = {pairs[i].order, static_cast<std::uint32_t>(i), 0};
    }
    ++groups[group_count - 1].size;
  }
  std::sort(groups, groups + group_count,
            [](Group const& a, Group const& b) { return a.order < b.order; });
  auto* const entries = allocate<MapEntry>(group_count);
  if (entries == nullptr) return {};
  for (std::size_t i = 0; i < group_count; ++i) {
    entries[i] = {pairs[groups[i].first].key,
                  ValueView::array({values + groups[i].first, groups[i].size})};
  }
  return ValueView::map({entries, group_count});
}

}  // namespace certgate::policy
