#include "oracle.hpp"

#include <algorithm>
#include <regex>

#include "certgate/base/encoding.hpp"

namespace certgate::rules::test {

namespace {

OwnedValue owned_bool(bool value) {
  OwnedValue out;
  out.kind = Kind::boolean;
  out.boolean = value;
  return out;
}

bool is_true(OwnedValue const& value) { return value.kind == Kind::boolean && value.boolean; }

// By table: reachable[i] says whether what was read of the pattern matches the first i bytes.
bool wildcard(std::string_view pattern, std::string_view value, bool strict) {
  std::vector<bool> reachable(value.size() + 1);
  reachable[0] = true;
  for (std::size_t p = 0; p < pattern.size(); ++p) {
    std::vector<bool> next(value.size() + 1);
    bool const star = pattern[p] == '*';
    if (pattern[p] == '\\') ++p;
    for (std::size_t i = 0; i <= value.size(); ++i) {
      if (star) {
        next[i] = reachable[i] || (i > 0 && next[i - 1]);
      } else if (i > 0 && reachable[i - 1]) {
        char const c = value[i - 1];
        next[i] = strict ? c == pattern[p] : ascii_lower(c) == ascii_lower(pattern[p]);
      }
    }
    reachable = next;
  }
  return reachable[value.size()];
}

bool ordered(CompareOp op, int sign) {
  switch (op) {
    case CompareOp::equal:
      return sign == 0;
    case CompareOp::not_equal:
      return sign != 0;
    case CompareOp::less:
      return sign < 0;
    case CompareOp::less_equal:
      return sign <= 0;
    case CompareOp::greater:
      return sign > 0;
    case CompareOp::greater_equal:
      return sign >= 0;
    default:
      return false;
  }
}

bool compare_bytes(Node const& node, std::string const& value) {
  auto const& wanted = node.comparand->bytes;
  switch (node.compare) {
    case CompareOp::in_set:
      return std::find(wanted.begin(), wanted.end(), value) != wanted.end();
    case CompareOp::contains:
      return value.find(wanted[0]) != std::string::npos;
    case CompareOp::wildcard:
    case CompareOp::strict_wildcard:
      return wildcard(wanted[0], value, node.compare == CompareOp::strict_wildcard);
    case CompareOp::matches:
      return std::regex_search(value, std::regex(node.literals[0].bytes));
    default: {
      auto const sign = value.compare(wanted[0]);
      return ordered(node.compare, sign);
    }
  }
}

bool compare(Node const& node, OwnedValue const& value) {
  if (value.kind == Kind::none) return false;
  if (node.compare == CompareOp::in_list) {
    return node.comparand->list->contains(
        value.kind == Kind::bytes ? ValueView::bytes(value.bytes)
                                  : (value.kind == Kind::integer ? ValueView::integer(value.integer)
                                                                 : ValueView::ip(value.ip)));
  }
  if (value.kind == Kind::bytes) return compare_bytes(node, value.bytes);
  if (value.kind == Kind::integer) {
    auto const& wanted = node.comparand->integers;
    if (node.compare == CompareOp::bitwise_and) return (value.integer & wanted[0].first) != 0;
    if (node.compare == CompareOp::in_set) {
      return std::any_of(wanted.begin(), wanted.end(), [&](auto const& range) {
        return range.first <= value.integer && value.integer <= range.second;
      });
    }
    auto const other = wanted[0].first;
    return ordered(node.compare, value.integer < other ? -1 : (value.integer > other ? 1 : 0));
  }
  auto const& wanted = node.comparand->addresses;
  if (node.compare == CompareOp::in_set) {
    return std::any_of(wanted.begin(), wanted.end(), [&](auto const& range) {
      return range.first.is_v4() == value.ip.is_v4() && range.first <= value.ip &&
             value.ip <= range.second;
    });
  }
  auto const& other = wanted[0].first;
  if (other.is_v4() != value.ip.is_v4()) return node.compare == CompareOp::not_equal;
  return ordered(node.compare, value.ip < other ? -1 : (value.ip > other ? 1 : 0));
}

void follow(OwnedValue const& value, std::vector<IndexStep> const& steps, std::size_t from,
            std::vector<OwnedValue>& out) {
  if (value.kind == Kind::none) return;
  if (from == steps.size()) {
    out.push_back(value);
    return;
  }
  auto const& step = steps[from];
  for (std::size_t i = 0; i < value.elements.size(); ++i) {
    bool const taken =
        step.kind == IndexStep::Kind::each ||
        (step.kind == IndexStep::Kind::at && value.kind == Kind::array && i == step.at) ||
        (step.kind == IndexStep::Kind::key && value.kind == Kind::map && value.keys[i] == step.key);
    if (!taken) continue;
    follow(value.elements[i], steps, from + 1, out);
    if (step.kind == IndexStep::Kind::key) return;
  }
}

OwnedValue array_of(std::vector<OwnedValue> elements) {
  OwnedValue out;
  out.kind = Kind::array;
  out.elements = std::move(elements);
  return out;
}

OwnedValue call_with(Node const& node, std::vector<OwnedValue> const& arguments) {
  if (!node.function->takes_missing) {
    for (auto const& argument : arguments) {
      if (argument.kind == Kind::none) return {};
    }
  }
  Arena arena(1 << 20);
  CallContext context{arena, node.prepared.data.get()};
  Views const views(arguments);
  return owned(node.function->call(context, views.values()));
}

OwnedValue call(Node const& node, std::vector<OwnedValue> const& fields) {
  std::vector<OwnedValue> arguments;
  for (auto const& child : node.children) arguments.push_back(judge(child, fields));
  bool const mapped = node.children[0].kind == Node::Kind::index && node.children[0].maps_each;
  if (!mapped) return call_with(node, arguments);
  std::vector<OwnedValue> results;
  for (auto const& element : std::vector<OwnedValue>(arguments[0].elements)) {
    arguments[0] = element;
    auto result = call_with(node, arguments);
    if (result.kind != Kind::none) results.push_back(std::move(result));
  }
  return array_of(std::move(results));
}

OwnedValue logical(Node const& node, std::vector<OwnedValue> const& fields) {
  auto const join = [&](bool a, bool b) {
    switch (node.logical) {
      case LogicalOp::conjunction:
        return a && b;
      case LogicalOp::disjunction:
        return a || b;
      default:
        return a != b;
    }
  };
  auto all = judge(node.children[0], fields);
  for (std::size_t i = 1; i < node.children.size(); ++i) {
    auto const next = judge(node.children[i], fields);
    if (node.type == bool_type) {
      all = owned_bool(join(is_true(all), is_true(next)));
      continue;
    }
    if (all.kind == Kind::none || next.kind == Kind::none) {
      all = {};
      continue;
    }
    std::vector<OwnedValue> elements;
    for (std::size_t k = 0; k < std::min(all.elements.size(), next.elements.size()); ++k) {
      elements.push_back(owned_bool(join(is_true(all.elements[k]), is_true(next.elements[k]))));
    }
    all = array_of(std::move(elements));
  }
  return all;
}

}  // namespace

OwnedValue owned(ValueView const& view) {
  OwnedValue out;
  out.kind = view.kind();
  switch (view.kind()) {
    case Kind::none:
      break;
    case Kind::boolean:
      out.boolean = view.as_bool();
      break;
    case Kind::integer:
      out.integer = view.as_integer();
      break;
    case Kind::bytes:
      out.bytes = view.as_bytes();
      break;
    case Kind::ip:
      out.ip = view.as_ip();
      break;
    case Kind::array:
      for (auto const& element : view.as_array()) out.elements.push_back(owned(element));
      break;
    case Kind::map:
      for (auto const& entry : view.as_map()) {
        out.keys.emplace_back(entry.key);
        out.elements.push_back(owned(entry.value));
      }
      break;
  }
  return out;
}

OwnedValue judge(Node const& node, std::vector<OwnedValue> const& fields) {
  switch (node.kind) {
    case Node::Kind::field:
      return fields[node.field];
    case Node::Kind::literal: {
      OwnedValue out;
      out.kind = node.type.kind();
      if (out.kind == Kind::integer) out.integer = node.comparand->integers[0].first;
      if (out.kind == Kind::ip) out.ip = node.comparand->addresses[0].first;
      if (out.kind == Kind::bytes) out.bytes = node.comparand->bytes[0];
      return out;
    }
    case Node::Kind::index: {
      std::vector<OwnedValue> found;
      follow(judge(node.children[0], fields), node.steps, 0, found);
      if (node.maps_each) return array_of(std::move(found));
      return found.empty() ? OwnedValue{} : found[0];
    }
    case Node::Kind::call:
      return call(node, fields);
    case Node::Kind::comparison: {
      auto const left = judge(node.children[0], fields);
      if (!node.children[0].maps_each) return owned_bool(compare(node, left));
      std::vector<OwnedValue> results;
      for (auto const& element : left.elements)
        results.push_back(owned_bool(compare(node, element)));
      return array_of(std::move(results));
    }
    case Node::Kind::negation: {
      auto inner = judge(node.children[0], fields);
      if (node.type == bool_type) return owned_bool(!is_true(inner));
      for (auto& element : inner.elements) element = owned_bool(!is_true(element));
      return inner;
    }
    case Node::Kind::logical:
      return logical(node, fields);
    case Node::Kind::quantifier: {
      auto const inner = judge(node.children[0], fields);
      if (inner.kind == Kind::none) return owned_bool(false);
      bool const any = node.name == "any";
      for (auto const& element : inner.elements) {
        if (is_true(element) == any) return owned_bool(any);
      }
      return owned_bool(!any);
    }
    case Node::Kind::mistake:
      break;
  }
  return {};
}

bool judged_to_match(CheckedExpression const& expression, std::vector<OwnedValue> const& fields) {
  return is_true(judge(expression.root, fields));
}

Views::Views(std::vector<OwnedValue> const& values) {
  for (auto const& value : values) views_.push_back(view_of(value));
}

ValueView Views::view_of(OwnedValue const& value) {
  switch (value.kind) {
    case Kind::none:
      return {};
    case Kind::boolean:
      return ValueView::boolean(value.boolean);
    case Kind::integer:
      return ValueView::integer(value.integer);
    case Kind::bytes:
      return ValueView::bytes(value.bytes);
    case Kind::ip:
      return ValueView::ip(value.ip);
    case Kind::array: {
      auto array = std::make_unique<std::vector<ValueView>>();
      for (auto const& element : value.elements) array->push_back(view_of(element));
      arrays_.push_back(std::move(array));
      return ValueView::array(*arrays_.back());
    }
    case Kind::map: {
      auto map = std::make_unique<std::vector<MapEntry>>();
      for (std::size_t i = 0; i < value.elements.size(); ++i) {
        map->push_back({value.keys[i], view_of(value.elements[i])});
      }
      maps_.push_back(std::move(map));
      return ValueView::map(*maps_.back());
    }
  }
  return {};
}

}  // namespace certgate::rules::test
