#include "certgate/rules/value.hpp"

#include <charconv>

#include "certgate/rules/ast.hpp"

namespace certgate::rules {

namespace {

constexpr std::size_t max_shown_elements = 32;

void append_integer(std::string& out, std::int64_t value) {
  char digits[24];
  auto const end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

void append_shown(std::string& out, ValueView const& value, std::size_t max_bytes) {
  switch (value.kind()) {
    case Kind::none:
      out += "missing";
      return;
    case Kind::bytes: {
      auto const bytes = value.as_bytes();
      out += format_quoted(bytes.substr(0, max_bytes));
      if (bytes.size() > max_bytes) out += "...";
      return;
    }
    case Kind::array: {
      out += '[';
      std::size_t shown = 0;
      for (auto const& element : value.as_array()) {
        if (shown != 0) out += ' ';
        if (shown++ == max_shown_elements) {
          out += "...";
          break;
        }
        append_shown(out, element, max_bytes);
      }
      out += ']';
      return;
    }
    case Kind::map: {
      out += '{';
      std::size_t shown = 0;
      for (auto const& entry : value.as_map()) {
        if (shown != 0) out += ", ";
        if (shown++ == max_shown_elements) {
          out += "...";
          break;
        }
        out += format_quoted(entry.key);
        out += ": ";
        append_shown(out, entry.value, max_bytes);
      }
      out += '}';
      return;
    }
    default:
      append_text(out, value);
  }
}

}  // namespace

std::string format_type(Type type) {
  switch (type.kind()) {
    case Kind::none:
      return "nothing";
    case Kind::boolean:
      return "Bool";
    case Kind::integer:
      return "Int";
    case Kind::bytes:
      return "Bytes";
    case Kind::ip:
      return "Ip";
    case Kind::array:
      return "Array<" + format_type(type.element()) + ">";
    case Kind::map:
      return "Map<" + format_type(type.element()) + ">";
  }
  return "nothing";
}

IpAddress ValueView::as_ip() const {
  std::array<std::uint8_t, 16> bytes;
  std::memcpy(bytes.data(), address_, 16);
  if (!v4_) return IpAddress::v6(bytes);
  return IpAddress::v4(std::array<std::uint8_t, 4>{bytes[0], bytes[1], bytes[2], bytes[3]});
}

ValueView find_key(std::span<MapEntry const> entries, std::string_view key) {
  for (auto const& entry : entries) {
    if (entry.key == key) return entry.value;
  }
  return {};
}

bool has_type(ValueView const& value, Type type) {
  if (value.is_missing()) return true;
  if (value.kind() != type.kind()) return false;
  if (value.kind() == Kind::array) {
    for (auto const& element : value.as_array()) {
      if (element.is_missing() || !has_type(element, type.element())) return false;
    }
  }
  if (value.kind() == Kind::map) {
    for (auto const& entry : value.as_map()) {
      if (entry.value.is_missing() || !has_type(entry.value, type.element())) return false;
    }
  }
  return true;
}

bool equal(ValueView const& left, ValueView const& right) {
  if (left.kind() != right.kind()) return false;
  switch (left.kind()) {
    case Kind::none:
      return true;
    case Kind::boolean:
      return left.as_bool() == right.as_bool();
    case Kind::integer:
      return left.as_integer() == right.as_integer();
    case Kind::bytes:
      return left.as_bytes() == right.as_bytes();
    case Kind::ip:
      return left.ip_is_v4() == right.ip_is_v4() &&
             std::memcmp(left.ip_bytes(), right.ip_bytes(), 16) == 0;
    case Kind::array: {
      auto const a = left.as_array();
      auto const b = right.as_array();
      if (a.size() != b.size()) return false;
      for (std::size_t i = 0; i < a.size(); ++i) {
        if (!equal(a[i], b[i])) return false;
      }
      return true;
    }
    case Kind::map: {
      auto const a = left.as_map();
      auto const b = right.as_map();
      if (a.size() != b.size()) return false;
      for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i].key != b[i].key || !equal(a[i].value, b[i].value)) return false;
      }
      return true;
    }
  }
  return false;
}

std::string format_value(ValueView const& value, std::size_t max_bytes) {
  std::string out;
  append_shown(out, value, max_bytes);
  return out;
}

void append_text(std::string& out, ValueView const& value) {
  switch (value.kind()) {
    case Kind::boolean:
      out += value.as_bool() ? "true" : "false";
      return;
    case Kind::integer:
      append_integer(out, value.as_integer());
      return;
    case Kind::bytes:
      out += value.as_bytes();
      return;
    case Kind::ip:
      value.as_ip().append_to(out);
      return;
    case Kind::none:
    case Kind::array:
    case Kind::map:
      return;
  }
}

}  // namespace certgate::rules
