#include "certgate/rules/scheme.hpp"

#include <algorithm>
#include <cassert>

#include "certgate/base/diagnostic.hpp"

namespace certgate::rules {

namespace {

struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view name) const {
    return std::hash<std::string_view>{}(name);
  }
};

template <class T>
using Table = std::unordered_map<std::string, T, NameHash, std::equal_to<>>;

template <class T>
T const* find(Table<T> const& table, std::string_view name) {
  auto const found = table.find(name);
  return found == table.end() ? nullptr : &found->second;
}

template <class T>
void append_names(std::vector<std::string_view>& out, Table<T> const& table) {
  for (auto const& [name, value] : table) out.push_back(name);
  std::sort(out.begin(), out.end());  // so that ties are always broken the same way
}

}  // namespace

struct Scheme::Names {
  Table<FieldId> fields;
  Table<Unavailable> unavailable_fields;
  Table<Function> functions;
  Table<Unavailable> unavailable_functions;
  Table<ListPtr> lists;
  Table<Unavailable> unavailable_lists;
};

Scheme::Scheme() : names_(std::make_unique<Names>()) {}
Scheme::~Scheme() = default;
Scheme::Scheme(Scheme&&) noexcept = default;
Scheme& Scheme::operator=(Scheme&&) noexcept = default;

FieldId Scheme::add_field(std::string name, Type type, FieldOptions options) {
  assert(!name.starts_with("not") && !names_->unavailable_fields.contains(name));
  auto const id = static_cast<FieldId>(fields_.size());
  [[maybe_unused]] bool const is_new = names_->fields.emplace(name, id).second;
  assert(is_new);
  fields_.push_back({std::move(name), type, std::move(options)});
  return id;
}

void Scheme::add_unavailable_field(std::string name, Unavailable why) {
  assert(!names_->fields.contains(name));
  names_->unavailable_fields.emplace(std::move(name), std::move(why));
}

void Scheme::add_function(Function function) {
  auto name = function.name;
  assert(!names_->functions.contains(name));
  names_->functions.emplace(std::move(name), std::move(function));
}

void Scheme::add_unavailable_function(std::string name, Unavailable why) {
  names_->unavailable_functions.emplace(std::move(name), std::move(why));
}

void Scheme::add_list(std::string name, ListPtr list) {
  assert(!names_->lists.contains(name));
  names_->lists.emplace(std::move(name), std::move(list));
}

void Scheme::add_unavailable_list(std::string name, Unavailable why) {
  names_->unavailable_lists.emplace(std::move(name), std::move(why));
}

void Scheme::add_implication(FieldId if_true, FieldId then_true) {
  assert(fields_[if_true].type == bool_type && fields_[then_true].type == bool_type);
  implications_.emplace_back(if_true, then_true);
}

std::optional<FieldId> Scheme::find_field(std::string_view name) const {
  auto const* id = find(names_->fields, name);
  if (!id) return std::nullopt;
  return *id;
}

Function const* Scheme::find_function(std::string_view name) const {
  return find(names_->functions, name);
}

ListPtr Scheme::find_list(std::string_view name) const {
  auto const* list = find(names_->lists, name);
  return list ? *list : nullptr;
}

Unavailable const* Scheme::find_unavailable_field(std::string_view name) const {
  return find(names_->unavailable_fields, name);
}

Unavailable const* Scheme::find_unavailable_function(std::string_view name) const {
  return find(names_->unavailable_functions, name);
}

Unavailable const* Scheme::find_unavailable_list(std::string_view name) const {
  return find(names_->unavailable_lists, name);
}

std::string_view Scheme::nearest_field(std::string_view name) const {
  std::vector<std::string_view> names;
  names.reserve(fields_.size());
  for (auto const& field : fields_) names.push_back(field.name);
  return nearest(name, names);
}

std::string_view Scheme::nearest_function(std::string_view name) const {
  std::vector<std::string_view> names;
  append_names(names, names_->functions);
  names.push_back("any");
  names.push_back("all");
  return nearest(name, names);
}

std::string_view Scheme::nearest_list(std::string_view name) const {
  std::vector<std::string_view> names;
  append_names(names, names_->lists);
  return nearest(name, names);
}

}  // namespace certgate::rules
