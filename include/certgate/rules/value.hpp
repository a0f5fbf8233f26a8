// The values that rules speak about: types, and views of values that somebody else owns.
//
// A ValueView is 24 bytes, trivially copyable and never allocates; what it points at (bytes, array
// elements, map entries) must outlive every evaluation that sees it. A default-constructed view is
// "missing": the field was not populated. An embedder builds arrays and maps in an arena of its
// own:
//
//   ValueView values[] = {ValueView::bytes("a"), ValueView::bytes("b")};
//   MapEntry entries[] = {{"accept", ValueView::array(values)}};
//   ValueView headers = ValueView::map(entries);          // Map<Array<Bytes>>
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "certgate/base/ip.hpp"

namespace certgate::rules {

enum class Kind : std::uint8_t { none, boolean, integer, bytes, ip, array, map };

// A type: Bool, Int (signed 64 bits), Bytes, Ip, Array<T> or Map<T> (keys are Bytes). Nests to
// Type::max_depth containers.
class Type {
 public:
  static constexpr int max_depth = 20;

  constexpr Type() = default;  // none: only ever the type of something mistaken
  constexpr explicit Type(Kind kind) : code_(static_cast<std::uint64_t>(kind)) {}
  // REQUIRES: `element` nests less than max_depth deep.
  static constexpr Type array_of(Type element) { return Type{element, Kind::array}; }
  static constexpr Type map_of(Type element) { return Type{element, Kind::map}; }

  constexpr Kind kind() const { return static_cast<Kind>(code_ & 7); }
  constexpr Type element() const { return from_code(code_ >> 3); }  // none for a primitive
  constexpr bool is_none() const { return code_ == 0; }
  constexpr bool is_primitive() const { return code_ >= 1 && code_ <= 4; }
  constexpr bool is_container() const { return kind() == Kind::array || kind() == Kind::map; }
  friend constexpr bool operator==(Type, Type) = default;

 private:
  constexpr Type(Type element, Kind kind)
      : code_((element.code_ << 3) | static_cast<std::uint64_t>(kind)) {}
  static constexpr Type from_code(std::uint64_t code) {
    Type type;
    type.code_ = code;
    return type;
  }
  std::uint64_t code_ = 0;  // three bits for each level, the outermost lowest
};

inline constexpr Type bool_type{Kind::boolean};
inline constexpr Type int_type{Kind::integer};
inline constexpr Type bytes_type{Kind::bytes};
inline constexpr Type ip_type{Kind::ip};

// "Bytes", "Array<Bool>", "Map<Array<Bytes>>".
std::string format_type(Type type);

struct MapEntry;

class ValueView {
 public:
  constexpr ValueView() = default;  // missing
  static ValueView boolean(bool value) {
    ValueView view{Kind::boolean};
    view.number_ = value ? 1 : 0;
    return view;
  }
  static ValueView integer(std::int64_t value) {
    ValueView view{Kind::integer};
    view.number_ = value;
    return view;
  }
  static ValueView bytes(std::string_view value) {
    return {Kind::bytes, value.data(), value.size()};
  }
  static ValueView ip(IpAddress const& value) {
    ValueView view{Kind::ip};
    std::memcpy(view.address_, value.bytes().data(), 16);
    view.v4_ = value.is_v4();
    return view;
  }
  static ValueView array(std::span<ValueView const> elements) {
    return {Kind::array, elements.data(), elements.size()};
  }
  // Keys must be distinct; looked up in order.
  static ValueView map(std::span<MapEntry const> entries);

  bool is_missing() const { return kind_ == Kind::none; }
  Kind kind() const { return kind_; }

  // REQUIRES of each: kind() says so.
  bool as_bool() const { return number_ != 0; }
  std::int64_t as_integer() const { return number_; }
  std::string_view as_bytes() const { return {static_cast<char const*>(view_.data), view_.size}; }
  IpAddress as_ip() const;
  std::span<ValueView const> as_array() const {
    return {static_cast<ValueView const*>(view_.data), view_.size};
  }
  std::span<MapEntry const> as_map() const;

  // The address without a copy: 16 bytes in network order (IPv4: the first four, the rest zero).
  std::uint8_t const* ip_bytes() const { return address_; }
  bool ip_is_v4() const { return v4_; }

 private:
  constexpr explicit ValueView(Kind kind) : kind_(kind) {}
  ValueView(Kind kind, void const* data, std::size_t size) : view_{data, size}, kind_(kind) {}

  struct View {
    void const* data;
    std::size_t size;
  };
  union {
    View view_ = {nullptr, 0};
    std::int64_t number_;
    std::uint8_t address_[16];
  };
  Kind kind_ = Kind::none;
  bool v4_ = false;
};

struct MapEntry {
  std::string_view key;
  ValueView value;
};

inline ValueView ValueView::map(std::span<MapEntry const> entries) {
  return {Kind::map, entries.data(), entries.size()};
}
inline std::span<MapEntry const> ValueView::as_map() const {
  return {static_cast<MapEntry const*>(view_.data), view_.size};
}
// The value under `key`, or missing.
ValueView find_key(std::span<MapEntry const> entries, std::string_view key);

// Whether `value` is missing or has exactly the type `type`, elements included.
bool has_type(ValueView const& value, Type type);
// Deep equality; a missing value equals only a missing value.
bool equal(ValueView const& left, ValueView const& right);
// As `explain` shows it: "text" with escapes, 42, true, 192.0.2.1, ["a" "b"], {"k": 1}, missing.
// Bytes longer than `max_bytes` and containers longer than 32 elements end in an ellipsis.
std::string format_value(ValueView const& value, std::size_t max_bytes = 200);
// As a header field carries it: bytes as they are, 42, true, 192.0.2.1; nothing when missing.
// REQUIRES: not a container.
void append_text(std::string& out, ValueView const& value);

}  // namespace certgate::rules
